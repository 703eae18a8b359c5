"""Backpressure: the concurrent load of a worker process, and its response beyond that.

A refusal comes at once, with Retry-After. Nothing waits without a bound.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headgate.http.problems import Problem

_RETRY_AFTER = "2"  # seconds; senders spread their retries themselves


class Limits:
    """The limits of a worker process.

    `long_uploads` bodies above 8 MiB are received at a time: each needs about 20 MiB of memory. `waiting` is the most
    requests that wait for a thread; `queue_length` returns how many do, and is set by gunicorn's configuration.
    """

    def __init__(self, long_uploads: int, waiting: int) -> None:
        self._long, self._waiting = threading.Semaphore(long_uploads), waiting
        self.queue_length: Callable[[], int] = lambda: 0

    def check_queue(self) -> None:
        """Raises Problem 503 where too many requests wait."""
        if self.queue_length() > self._waiting:
            raise Problem(503, "busy", "the receiver is busy; send it again with the same key", _retry())

    @contextmanager
    def long_upload(self) -> Iterator[None]:
        """Holds one of the places for long bodies. Raises Problem 503 if none is free."""
        if not self._long.acquire(blocking=False):
            detail = "the receiver is busy with other long uploads; send it again with the same key"
            raise Problem(503, "busy", detail, _retry())
        try:
            yield
        finally:
            self._long.release()


def _retry() -> dict[str, str]:
    return {"Retry-After": _RETRY_AFTER}
