"""Slices whose values are in the plan are compared in this process, as Spark would compare them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from headgate.engine.read.changes import outside_slices, row_outside
from headgate.engine.read.slice_conditions import bounds_of, exact_rows
from headgate.engine.runtime.materialize import count_rows, local_frame, table_of

SCHEMA = "text string, number bigint, day date"
ROWS: list[tuple[Any, ...]] = [
    ("b", 10, date(2026, 3, 1)),
    ("Z", -9, date(1, 1, 1)),
    ("\U0001f600", 9, date(9999, 12, 31)),  # above every other by its bytes, below some by UTF-16
    ("\uffff", 2, None),
    ("", None, date(2026, 3, 1)),
    (None, 0, date(2026, 2, 28)),
]


def in_plan(session: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    """The rows, in the plan."""
    schema = StructType.fromDDL(SCHEMA)
    return local_frame(session, table_of([dict(zip(schema.names, row, strict=True)) for row in rows], schema), schema)


def by_spark(session: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    """The rows, which Spark has to compute."""
    return session.createDataFrame(rows, SCHEMA).repartition(1)


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], [(None, None, None)], []], ids=["mixed", "one", "nulls", "none"])
def test_the_bounds_are_those_of_spark(spark: SparkSession, rows: list[tuple[Any, ...]]) -> None:
    local, other = in_plan(spark, rows), by_spark(spark, rows)
    assert exact_rows(local) is not None and exact_rows(other) is None
    assert bounds_of(local, local.columns) == bounds_of(other, other.columns)


@pytest.mark.parametrize("known", [ROWS, ROWS[:-1], ROWS[1:], []])
def test_a_row_outside_of_the_slices_is_found_as_spark_finds_it(spark: SparkSession, known: list) -> None:
    local = row_outside(in_plan(spark, ROWS), in_plan(spark, known))
    outside = [tuple(row) for row in outside_slices(by_spark(spark, ROWS), by_spark(spark, known)).collect()]
    assert (local is None) == (not outside)
    assert local is None or tuple(local) in outside


def test_rows_of_several_frames_are_counted_together(spark: SparkSession) -> None:
    frames = [in_plan(spark, ROWS), by_spark(spark, ROWS), spark.range(5).repartition(2)]
    assert count_rows(*frames) == 2 * len(ROWS) + 5
    assert count_rows() == 0
