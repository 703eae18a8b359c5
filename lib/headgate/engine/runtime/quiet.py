"""Filters the JVM's output: all of it goes to standard error and to the run's log, without two useless lines.

Java warns of an incubator module that Spark needs, and VACUUM prints lines that the report has anyway.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("headgate.spark")

_USELESS = (b"WARNING: Using incubator modules", b"Deleted ")


@contextmanager
def without_banner() -> Iterator[None]:
    """A process that is started in this block writes its output to our standard error, without the useless lines."""
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
    """Forwards each line until the process ends; the run's log keeps them too."""
    with os.fdopen(reading, "rb") as lines, os.fdopen(ours, "wb", buffering=0) as out:
        for line in lines:
            if not line.startswith(_USELESS):
                out.write(line)
                log.info("%s", line.decode(errors="replace").rstrip())
