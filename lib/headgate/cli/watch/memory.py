"""The memory of this process and of all below it: the JVM and its Python workers."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def used_bytes() -> int:
    """The resident bytes of this process and its descendants; 0 on a system without /proc."""
    parents, pages = dict[int, int](), dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)], pages[int(path.parent.name)] = int(fields[1]), int(fields[21])
    total, waiting = 0, [os.getpid()] if parents else []
    while waiting:
        process = waiting.pop()
        total += pages.get(process, 0)
        waiting += [child for child, parent in parents.items() if parent == process]
    return total * os.sysconf("SC_PAGE_SIZE")
