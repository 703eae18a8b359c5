"""The lock of a lake that is a folder: one writer at a time.

Two JVMs that raced Delta's local log store lost 2 of 1,500 commits: it checks, then renames. On S3 the commit itself
decides, so there is no lock; the store is tested for conditional puts. Readers and `plan` take no lock.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from headgate.contracts.environment import Environment
from headgate.errors import LakeBusy, StorageError
from headgate.lake.probe import probe

log = logging.getLogger(__name__)


@contextmanager
def writing(environment: Environment, *, wait: bool, waiting: Callable[[str], None]) -> Iterator[None]:
    """Holds the lake's lock. Where another writer has it: waits, and says so, or raises LakeBusy.

    Raises StorageError if the lake cannot be written, or does not support concurrent writers.
    """
    if not environment.is_folder:
        probe(environment.object_store(), "runner")
        yield
        return
    path = environment.folder / ".headgate.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(f"the lake cannot be written: {error.strerror}", where=str(path.parent)) from error
    try:
        _acquire(handle, wait, waiting)
        with suppress(OSError):  # a full disk: `maintain` may free space
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, wait: bool, waiting: Callable[[str], None]) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 32, 0).decode() or "?"
        if not wait:
            raise LakeBusy(
                f"process {holder} is writing to the lake", fix="wait for it, or run without --no-wait"
            ) from None
        log.info("process %s has the lock of the lake: waiting", holder)
        waiting(f"process {holder} is writing to the lake: waiting for it")
        fcntl.flock(handle, fcntl.LOCK_EX)
        log.info("the lock of the lake is free after process %s", holder)
