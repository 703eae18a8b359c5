"""Materialises a batch once, so that it can be judged, counted and written without being computed again.

A small frame becomes rows in the plan itself (Spark's LocalRelation): what is selected and filtered from it needs no
Spark job. `local_rows` gives such rows, and None for every other frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

import pyarrow as pa
from deltalake import Schema
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    FloatType,
    IntegralType,
    MapType,
    StringType,
    StructType,
    TimestampType,
)
from pyspark.sql.types import DecimalType as Decimal

from headgate.engine.runtime.jvm_access import forget_checkpoint, is_local
from headgate.engine.runtime.staging import is_kept, remove

#: A frame with more rows is kept by the executors.
MOST_LOCAL_ROWS = 20_000
#: Types whose values come back from Arrow as they were.
_EXACT = (
    BinaryType, BooleanType, DateType, Decimal, DoubleType, FloatType, IntegralType, StringType, TimestampType,
)  # fmt: skip


@contextmanager
def stages(*, local: bool = False) -> Iterator[Stages]:
    """A scope for staged frames: they are freed when it ends."""
    scope = Stages(local=local)
    try:
        yield scope
    finally:
        scope.free()


class Stages:
    """The frames that a scope has staged. local: small frames become rows in the plan."""

    def __init__(self, *, local: bool = False) -> None:
        self.local = local
        self._staged: list[DataFrame] = []

    def stage(self, frame: DataFrame) -> DataFrame:
        """`frame`, computed once, now, and kept as its rows are.

        A frame of a small work with few rows is kept in the plan. Others, in one process, stay there: in memory (a
        columnar cache would cost twice the time), and on disk where that is full. PySpark's MEMORY_AND_DISK would
        serialise and compress each row, and undo it at each of several readings. On a cluster they are written to the
        lake: a worker that is lost takes with it what it held.
        """
        if self.local and (rows := _in_plan(frame)) is not None:
            return rows
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


def local_frame(session: SparkSession, rows: pa.Table, schema: StructType) -> DataFrame:
    """A frame whose rows are in its plan."""
    return session.createDataFrame(rows, schema)


def local_rows(frame: DataFrame) -> list[Row] | None:
    """The rows of a frame that Spark has in its plan, without a job; None for any other frame."""
    return frame.collect() if is_local(frame) else None


def table_of(rows: Sequence[Mapping[str, Any]], schema: StructType) -> pa.Table:
    """Rows as an Arrow table of Spark's schema, in the types that Delta has: PySpark's conversion is no public API."""
    return pa.Table.from_pylist(list(rows), pa.schema(Schema.from_json(schema.json()).to_arrow()))


def arrow_of(frame: DataFrame) -> pa.Table:
    """The rows as an Arrow table; one Spark job, and none where they are in the plan."""
    rows = local_rows(frame)
    return frame.toArrow() if rows is None else table_of([row.asDict() for row in rows], frame.schema)


def count_rows(*frames: DataFrame) -> int:
    """The number of rows of all frames; one Spark job for those whose rows are not in the plan."""
    narrow = [frame.select(F.lit(1)) for frame in frames]
    counts = [None if (rows := local_rows(frame)) is None else len(rows) for frame in narrow]
    others = [frame for frame, count in zip(narrow, counts, strict=True) if count is None]
    counted = reduce(DataFrame.union, others).count() if others else 0
    return counted + sum(count or 0 for count in counts)


def _in_plan(frame: DataFrame) -> DataFrame | None:
    """`frame` with its rows in the plan; None where they are too many, or would not come back as they are."""
    if not _is_exact(frame.schema):
        return None
    rows = frame.limit(MOST_LOCAL_ROWS + 1).toArrow()
    return local_frame(frame.sparkSession, rows, frame.schema) if rows.num_rows <= MOST_LOCAL_ROWS else None


def _is_exact(kind: DataType) -> bool:
    if isinstance(kind, StructType):
        return bool(kind.fields) and all(_is_exact(field.dataType) for field in kind.fields)
    if isinstance(kind, ArrayType):
        return _is_exact(kind.elementType)
    if isinstance(kind, MapType):
        return _is_exact(kind.keyType) and _is_exact(kind.valueType)
    if isinstance(kind, StringType):
        return type(kind) is StringType and kind.collation == "UTF8_BINARY"
    return isinstance(kind, _EXACT)
