"""Materialises a batch once, so that it can be judged, counted and written without being computed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from headgate.engine.runtime.jvm_access import forget_checkpoint
from headgate.engine.runtime.staging import is_kept, remove


@contextmanager
def stages() -> Iterator[Stages]:
    """A scope for staged frames: they are freed when it ends."""
    scope = Stages()
    try:
        yield scope
    finally:
        scope.free()


class Stages:
    """The frames that a scope has staged."""

    def __init__(self) -> None:
        self._staged: list[DataFrame] = []

    def stage(self, frame: DataFrame) -> DataFrame:
        """`frame`, computed once, now, and kept as its rows are.

        In one process they stay there: in memory (a columnar cache would cost twice the time), and on disk where that
        is full. PySpark's MEMORY_AND_DISK would serialise and compress each row, and undo it at each of several
        readings. On a cluster they are written to the lake, because a lost worker loses its memory and disk.
        """
        if is_kept(frame.sparkSession):
            kept = frame.checkpoint(eager=True)
        else:
            kept = frame.localCheckpoint(eager=True, storageLevel=StorageLevel.MEMORY_AND_DISK_DESER)
        self._staged.append(kept)
        return kept

    def free(self) -> None:
        for frame in self._staged:
            if folder := forget_checkpoint(frame):
                remove(frame.sparkSession, folder)
        self._staged.clear()
