"""Keeps a JVM's own words from the user: it never writes to our output, and two of its lines say nothing.

Java warns of an incubator module that Spark needs, and VACUUM prints what the report tells anyway.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SAY_NOTHING = (b"WARNING: Using incubator modules", b"Deleted ")


@contextmanager
def without_banner() -> Iterator[None]:
    """A process started in this block writes all that it says to our errors, without the lines that say nothing."""
    sys.stdout.flush()
    output, errors = os.dup(1), os.dup(2)
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.close(output)
        threading.Thread(target=_forward, args=(reading, errors), daemon=True).start()


def _forward(reading: int, ours: int) -> None:
    """Passes on each line until the process that writes them ends."""
    with os.fdopen(reading, "rb") as lines, os.fdopen(ours, "wb", buffering=0) as out:
        for line in lines:
            if not line.startswith(_SAY_NOTHING):
                out.write(line)
