"""Which functions give each record other columns, and nothing more: their rows are computed where they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from headgate.engine.read.function import CheckedFunction

ROW_BY_ROW: dict[str, Callable[[DataFrame], DataFrame]] = {
    "as it is": lambda rows: rows,
    "other columns": lambda rows: rows.select("id", F.upper("name").alias("name"), F.to_date("day").alias("day")),
    "fewer rows": lambda rows: rows.filter("id > 1").withColumn("n", F.size("parts")).where(F.col("n") > 0),
    "an array rewritten": lambda rows: rows.select(F.transform("parts", lambda part: part + 1).alias("parts")),
}
NOT: dict[str, Callable[[DataFrame], DataFrame]] = {
    "groups": lambda rows: rows.groupBy("name").count(),
    "the newest": lambda rows: rows.withColumn("n", F.row_number().over(Window.partitionBy("name").orderBy("id"))),
    "a join": lambda rows: rows.join(rows.select("id"), "id"),
    "exploded": lambda rows: rows.select("id", F.explode("parts")),
    "each once": lambda rows: rows.distinct(),
    "a few": lambda rows: rows.limit(3),
    "Python of the author's": lambda rows: rows.select(F.udf(lambda name: name, "string")("name")),
}


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([], "id int, name string, day string, parts array<int>")


def is_row_by_row(rows: DataFrame) -> bool:
    return CheckedFunction(cast(Any, None), rows).is_row_by_row


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_an_expectation_of_a_single_row_is_a_row_expectation(rows, name):
    assert is_row_by_row(ROW_BY_ROW[name](rows))


@pytest.mark.parametrize("name", NOT)
def test_an_expectation_of_many_rows_is_not_a_row_expectation(rows, name):
    assert not is_row_by_row(NOT[name](rows))
