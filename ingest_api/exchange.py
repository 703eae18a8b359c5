"""Around each request: the time limit and the unread rest of its body."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import Flask, Response, g, request

from ingest_api.landing.body import BodyCut, pieces
from ingest_api.services import services

# A body has this long, in seconds, from first to last byte: 128 MiB at 1.2 Mbit/s.
# A slow client cannot occupy a thread for longer.
BODY_SECONDS = 900.0
# How long, in seconds, the rest of a refused body is read so that its sender gets to the answer.
DRAIN_SECONDS = 10.0

_UNREAD, _READ, _BROKEN = "unread", "read", "broken"


def install(app: Flask) -> None:
    """Adds the handling of bodies to `app`."""
    app.before_request(_begin)
    app.after_request(_drain)


def body_is_read() -> None:
    """Says that nothing of the request's body is left."""
    g.body = _READ


def body_is_broken() -> None:
    """Marks the body as ended, or its end as unknown."""
    g.body = _BROKEN


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends the reading of the body after `seconds`: the connection's input is shut, and the body cut.

    Only another thread can do that: a server's `read` continues while any byte arrives. Under a server that
    does not show its socket there is no limit.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    with _WATCHDOG.watching(connection, seconds):
        yield


class _Watchdog:
    """One thread that shuts connections whose time is over. A thread for each request would cost 0.1 ms of CPU."""

    def __init__(self, period: float = 0.5) -> None:
        self._period, self._lock = period, threading.Lock()
        self._watched: dict[int, tuple[float, socket.socket]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, connection: socket.socket, seconds: float) -> Iterator[None]:
        token = id(connection)
        with self._lock:
            self._watched[token] = (time.monotonic() + seconds, connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="body-watchdog", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._watched.pop(token, None)

    def _run(self) -> None:
        while True:
            time.sleep(self._period)
            now = time.monotonic()
            with self._lock:
                for deadline, connection in self._watched.values():
                    if deadline < now:
                        with suppress(OSError):
                            connection.shutdown(socket.SHUT_RD)


_WATCHDOG = _Watchdog()


def _begin() -> None:
    g.body = _READ if request.method in ("GET", "HEAD") and not request.content_length else _UNREAD


def _drain(response: Response) -> Response:
    """Reads the rest of a refused body, up to a limit: otherwise its sender may wait, or never see the response.

    Beyond the bound, or where the body is broken, the connection is closed.
    """
    if g.body == _BROKEN or (g.body == _UNREAD and not _drained(services().limit)):
        response.headers["Connection"] = "close"
        # gunicorn takes no such header from an application; its configuration file puts this here.
        if close := getattr(request.environ.get("wsgi.input"), "close_connection", None):
            close()
    return response


def _drained(bound: int) -> bool:
    """Whether the body came to its end within `bound` bytes and the time limit."""
    count, end = 0, time.monotonic() + DRAIN_SECONDS
    try:
        with time_limit(DRAIN_SECONDS):
            for piece in pieces(request.stream):
                count += len(piece)
                if count > bound or time.monotonic() > end:
                    return False
    except BodyCut:
        return False
    return True
