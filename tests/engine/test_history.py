"""`History` by its rules: tables worked out by hand, and the public examples of Lakeflow AUTO CDC."""

from __future__ import annotations

import datetime
from itertools import permutations
from typing import Any

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.engine.write.history import require_no_ties, versions
from headgate.errors import BatchRefused
from headgate.planning.graph import Node
from headgate.table import History

BY_CITY = History(["id"], sequence_by="at", track=["city"], delete_when="gone")
GIVEN = "id string, at int, city string, level int, gone boolean"
KEPT = "id string, city string, level int, valid_from int, valid_to int, is_current boolean"

#: Versions (at, city, level, gone) of one member -> rows (city, level, valid_from, valid_to), by hand.
BY_HAND: dict[str, tuple[list[tuple], list[tuple]]] = {
    "one version": ([(1, "A", 1, False)], [("A", 1, 1, None)]),
    "out of order": (
        [(5, "C", 1, False), (1, "A", 1, False), (3, "B", 1, False)],
        [("A", 1, 1, 3), ("B", 1, 3, 5), ("C", 1, 5, None)],
    ),
    "same instant, equal": (
        [(1, "A", 1, False), (1, "A", 1, False), (2, "B", 1, False)],
        [("A", 1, 1, 2), ("B", 1, 2, None)],
    ),
    "repeated": ([(1, "A", 1, False), (2, "A", 1, False), (3, "A", 1, False)], [("A", 1, 1, None)]),
    "repeated after another": (
        [(1, "A", 1, False), (2, "B", 1, False), (3, "A", 1, False)],
        [("A", 1, 1, 2), ("B", 1, 2, 3), ("A", 1, 3, None)],
    ),
    "an untracked column has the latest value of its row": (
        [(1, "A", 1, False), (2, "A", 2, False), (3, "B", 3, False), (4, "B", None, False)],
        [("A", 2, 1, 3), ("B", None, 3, None)],
    ),
    "deleted": ([(1, "A", 1, False), (4, "A", 1, True)], [("A", 1, 1, 4)]),
    "deleted with other values": ([(1, "A", 1, False), (4, None, 9, True)], [("A", 1, 1, 4)]),
    "deleted twice": ([(1, "A", 1, False), (4, "A", 1, True), (6, "B", 1, True)], [("A", 1, 1, 4)]),
    "deleted before it was": ([(1, "A", 1, True), (2, "A", 1, False)], [("A", 1, 2, None)]),
    "only deleted": ([(1, "A", 1, True)], []),
    "deleted and created again with the same values": (
        [(1, "A", 1, False), (4, "A", 1, True), (6, "A", 1, False)],
        [("A", 1, 1, 4), ("A", 1, 6, None)],
    ),
    "a delete that is null is none": ([(1, "A", 1, None), (2, "B", 1, None)], [("A", 1, 1, 2), ("B", 1, 2, None)]),
    "null in a tracked column": (
        [(1, None, 1, False), (2, None, 2, False), (3, "A", 3, False), (4, None, 4, False)],
        [(None, 2, 1, 3), ("A", 3, 3, 4), (None, 4, 4, None)],
    ),
}


def history(spark: SparkSession, rows: list[tuple], schema: str, writes: History) -> DataFrame:
    return versions(spark.createDataFrame(rows, schema), writes)


def test_histories_are_those_worked_out_by_hand(spark: SparkSession) -> None:
    """Every case at once, each under a key of its own: a key's history is none of another key's business."""
    values = [(case, *version) for case, (values, _) in BY_HAND.items() for version in values]
    kept = [(case, *row, row[-1] is None) for case, (_, kept) in BY_HAND.items() for row in kept]
    computed = history(spark, values, GIVEN, BY_CITY)
    assert_df_equality(computed, spark.createDataFrame(kept, KEPT), ignore_row_order=True, ignore_nullable=True)


def test_without_track_every_column_opens_a_row(spark: SparkSession) -> None:
    every = History(["id"], sequence_by="at", delete_when="gone")
    values = [("m", 1, "A", 1, False), ("m", 2, "A", 2, False), ("m", 3, "A", 2, None), ("m", 4, None, 2, False)]
    kept = [("m", "A", 1, 1, 2, False), ("m", "A", 2, 2, 4, False), ("m", None, 2, 4, None, True)]
    computed = history(spark, values, GIVEN, every)
    assert_df_equality(computed, spark.createDataFrame(kept, KEPT), ignore_row_order=True, ignore_nullable=True)


def test_keys_are_all_columns_together_and_null_is_a_key(spark: SparkSession) -> None:
    writes = History(["shop", "id"], sequence_by="at")
    values = [("s", "1", 1, "A"), ("t", "1", 2, "B"), (None, "1", 3, "C"), (None, "1", 4, "D"), ("s", None, 5, "E")]
    kept = [
        ("s", "1", "A", 1, None, True),
        ("t", "1", "B", 2, None, True),
        (None, "1", "C", 3, 4, False),
        (None, "1", "D", 4, None, True),
        ("s", None, "E", 5, None, True),
    ]
    computed = history(spark, values, "shop string, id string, at int, city string", writes)
    schema = "shop string, id string, city string, valid_from int, valid_to int, is_current boolean"
    assert_df_equality(computed, spark.createDataFrame(kept, schema), ignore_row_order=True, ignore_nullable=True)


@pytest.mark.parametrize(
    ("kind", "instants"),
    [
        ("timestamp", [datetime.datetime(2026, 3, 1, 9, 0, 0, n, tzinfo=datetime.UTC) for n in (1, 2, 3)]),
        ("date", [datetime.date(2026, 2, 28), datetime.date(2026, 3, 1), datetime.date(2026, 10, 1)]),
        ("bigint", [9, 10, 2**60]),
    ],
)
def test_versions_are_in_the_order_of_the_sequences_type(spark: SparkSession, kind: str, instants: list[Any]) -> None:
    first, second, third = instants
    writes = History(["id"], sequence_by="at")
    values = [("m", third, "C"), ("m", first, "A"), ("m", second, "B")]
    kept = [("m", "A", first, second, False), ("m", "B", second, third, False), ("m", "C", third, None, True)]
    computed = history(spark, values, f"id string, at {kind}, city string", writes)
    schema = f"id string, city string, valid_from {kind}, valid_to {kind}, is_current boolean"
    assert_df_equality(computed, spark.createDataFrame(kept, schema), ignore_row_order=True, ignore_nullable=True)


#: The option for deletes, and more -> the function's columns that are kept.
LEFT_OUT: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["id", "city", "level", "gone"]),
    ({"delete_when": "gone OR level < 0"}, ["id", "city"]),
    ({"delete_when": "id = 'x'"}, ["id", "city", "level", "gone"]),
    ({"delete_when": "gone", "track": ["city", "gone"]}, ["id", "city", "level", "gone"]),
    ({"delete_when": "gone", "track": ["at"]}, ["id", "at", "city", "level"]),
    ({"delete_when": "level < 0", "partition_by": ["level"]}, ["id", "city", "level", "gone"]),
]


@pytest.mark.parametrize(("more", "kept"), LEFT_OUT)
def test_the_sequence_and_the_column_of_deletes_are_left_out(
    spark: SparkSession, more: dict[str, Any], kept: list[str]
) -> None:
    columns = history(spark, [], GIVEN, History(["id"], sequence_by="at", **more)).columns
    assert columns == [*kept, "valid_from", "valid_to", "is_current"]


# --- ties

TIED = Node("gold.members", {}, BY_CITY, "jobs/gold/members.py", 7, "", (), "")


def test_equal_versions_at_one_instant_pass(spark: SparkSession) -> None:
    rows = [("m", 1, "A", 1, False), ("m", 1, "A", 1, False), ("n", 1, "B", 1, False), (None, 1, "C", 1, None)]
    require_no_ties(spark.createDataFrame(rows, GIVEN), BY_CITY, TIED)


@pytest.mark.parametrize("other", [("m", 1, "B", 1, False), ("m", 1, "A", None, False)])
def test_different_versions_at_one_instant_are_refused(spark: SparkSession, other: tuple) -> None:
    rows = spark.createDataFrame([("m", 1, "A", 1, False), ("n", 1, "A", 1, False), other], GIVEN)
    with pytest.raises(BatchRefused, match="two versions of id=m at at=1 differ") as refused:
        require_no_ties(rows, BY_CITY, TIED)
    assert refused.value.where == "jobs/gold/members.py:7"


def test_a_delete_at_the_instant_of_another_version_does_not_count(spark: SparkSession) -> None:
    rows = [("m", 1, "A", 1, False), ("m", 2, "A", 1, True), ("m", 2, "B", 1, False), ("m", 3, None, 9, True)]
    rows += [("m", 3, None, None, True)]
    require_no_ties(spark.createDataFrame(rows, GIVEN), BY_CITY, TIED)
    for order in (rows, rows[::-1]):
        kept = sorted(map(tuple, history(spark, order, GIVEN, BY_CITY).collect()))
        assert kept == [("m", "A", 1, 1, 2, False), ("m", "B", 1, 2, 3, False)]


def test_a_version_without_an_instant_is_refused(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("m", None, "A", 1, False)], GIVEN)
    with pytest.raises(BatchRefused, match="a version of id=m has no at"):
        require_no_ties(rows, BY_CITY, TIED)


# --- the public examples of Lakeflow AUTO CDC: docs.databricks.com/aws/en/ldp/cdc, "SCD type 2" and "track history".

EVENT = "`order` int, id int, name string, city string, operation string, sequence int"
EVENTS = [
    (124, "Raul", "Oaxaca", "INSERT", 1),
    (123, "Isabel", "Monterrey", "INSERT", 1),
    (125, "Mercedes", "Tijuana", "INSERT", 2),
    (126, "Lily", "Cancun", "INSERT", 2),
    (123, None, None, "DELETE", 6),
    (125, "Mercedes", "Guadalajara", "UPDATE", 6),
    (125, "Mercedes", "Mexicali", "UPDATE", 5),
    (123, "Isabel", "Chihuahua", "UPDATE", 5),
]
PUBLISHED = {
    None: [
        (123, "Isabel", "Chihuahua", 5, 6),
        (123, "Isabel", "Monterrey", 1, 5),
        (124, "Raul", "Oaxaca", 1, None),
        (125, "Mercedes", "Guadalajara", 6, None),
        (125, "Mercedes", "Mexicali", 5, 6),
        (125, "Mercedes", "Tijuana", 2, 5),
        (126, "Lily", "Cancun", 2, None),
    ],
    ("name",): [
        (123, "Isabel", "Chihuahua", 1, 6),
        (124, "Raul", "Oaxaca", 1, None),
        (125, "Mercedes", "Guadalajara", 2, None),
        (126, "Lily", "Cancun", 2, None),
    ],
}


@pytest.fixture(scope="module")
def every_order(spark: SparkSession) -> DataFrame:
    """The events in each of their 40,320 orders, each order under a number of its own."""
    rows = [(number, *event) for number, order in enumerate(permutations(EVENTS)) for event in order]
    names = ("order", "id", "name", "city", "operation", "sequence")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return spark.createDataFrame(pa.table({name: list(values) for name, values in columns.items()}))


@pytest.mark.parametrize("track", PUBLISHED)
def test_autocdc_examples_come_out_as_published_in_every_order(
    every_order: DataFrame, track: tuple[str, ...] | None
) -> None:
    writes = History(["order", "id"], sequence_by="sequence", track=track, delete_when="operation = 'DELETE'")
    computed = versions(every_order, writes)
    row = F.struct("id", "name", "city", "valid_from", "valid_to")
    tables = computed.groupBy("order").agg(F.sort_array(F.collect_list(row)).alias("rows"))
    distinct = tables.groupBy("rows").count().collect()
    assert [(sorted(map(tuple, result["rows"])), result["count"]) for result in distinct] == [
        (PUBLISHED[track], 40_320)
    ]
