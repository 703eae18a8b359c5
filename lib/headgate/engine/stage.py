"""Materialises a batch once, so that it can be judged, counted and written without being computed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame


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
        """`frame`, computed now and kept as its rows are (a columnar cache would cost twice the time).

        PySpark's MEMORY_AND_DISK would serialise and compress each row, and undo it at each of several readings. What
        does not fit into memory goes to disk all the same.
        """
        kept = frame.localCheckpoint(eager=True, storageLevel=StorageLevel.MEMORY_AND_DISK_DESER)
        self._staged.append(kept)
        return kept

    def free(self) -> None:
        for frame in self._staged:
            frame._jdf.queryExecution().analyzed().rdd().unpersist(False)
        self._staged.clear()
