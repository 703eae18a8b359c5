"""Keeps one line of every JVM's start from the user: Java warns of an incubator module that Spark needs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_BANNER = b"WARNING: Using incubator modules"


@contextmanager
def without_banner() -> Iterator[None]:
    """A process started in this block writes its errors to ours, but for Java's warning."""
    ours = os.dup(2)
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        os.dup2(ours, 2)
        threading.Thread(target=_forward, args=(reading, ours), daemon=True).start()


def _forward(reading: int, ours: int) -> None:
    """Passes on each line until the process that writes them ends."""
    with os.fdopen(reading, "rb") as lines, os.fdopen(ours, "wb", buffering=0) as out:
        for line in lines:
            if not line.startswith(_BANNER):
                out.write(line)
