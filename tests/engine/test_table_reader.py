"""Small tables read by this process have the rows and the schema that Delta's own reader gives."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from headgate.engine.read import local_files
from headgate.engine.read.table_reader import TableReader
from headgate.engine.runtime.materialize import local_rows, stages
from headgate.ledger.ledger import Ledger
from tests.engine.world import World

_COMMIT = ("_commit_version", "_commit_timestamp")
TABLES = ("bronze.transactions", "silver.transactions", "silver.transaction_items", "gold.daily_store_sales")
VALUES = """
    SELECT * FROM VALUES
      (1, 'a b%c/d', DATE'2026-03-01', 1.50BD, TIMESTAMP'2026-03-01 10:00:00.000001Z', map('k', 1),
       array(named_struct('n', 1)), CAST('NaN' AS double), X'00FF', true),
      (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
      (3, 'ä', DATE'1969-12-31', -0.01BD, TIMESTAMP'1900-01-01 00:00:00Z', map('', 2),
       array(), CAST(-0.0 AS double), X'', false)
    AS t(id, text, day, amount, at, pairs, list, number, bytes, flag)
"""


def readers(world: World) -> tuple[TableReader, TableReader]:
    ledger = Ledger(world.environment)
    return TableReader(world.spark, ledger, local=True), TableReader(world.spark, ledger)


def assert_same(local: DataFrame, delta: DataFrame) -> None:
    delta = delta.drop(*_COMMIT)
    assert local_rows(local) is not None, "Delta's reader was used"
    assert {f.name: f.dataType for f in local.schema} == {f.name: f.dataType for f in delta.schema}
    names = sorted(local.columns)
    assert sorted(map(str, local.select(names).collect())) == sorted(map(str, delta.select(names).collect()))


@pytest.mark.parametrize("table", TABLES)
def test_each_version_and_each_range_of_changes_is_the_same(grown: World, table: str) -> None:
    local, delta = readers(grown)
    newest = grown.version(table)
    assert newest >= 1
    for version in range(newest + 1):
        assert_same(local.at(table, version), delta.at(table, version))
    for since, version in itertools.combinations(range(-1, newest + 1), 2):
        assert_same(local.feed(table, since, version), delta.feed(table, since, version))


@pytest.fixture
def table_of_types(world: World) -> str:
    """A table of all plain types with an update, a delete, an added column and an OPTIMIZE in its log."""
    path = world.path("silver.types")
    spark = world.spark
    rows = spark.sql(VALUES)
    rows.write.format("delta").partitionBy("text", "day").option("delta.enableChangeDataFeed", "true").save(path)
    spark.sql(f"UPDATE delta.`{path}` SET amount = 2.00 WHERE id = 1")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 3")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN (added struct<x: int>)")
    spark.sql(VALUES).selectExpr("*", "named_struct('x', id) AS added").write.format("delta").mode("append").save(path)
    spark.sql(f"OPTIMIZE delta.`{path}`")
    return "silver.types"


def test_plain_types_partitions_updates_and_added_columns_are_the_same(world: World, table_of_types: str) -> None:
    local, delta = readers(world)
    newest = world.version(table_of_types)
    for version in range(newest + 1):
        assert_same(local.at(table_of_types, version), delta.at(table_of_types, version))
    assert_same(local.feed(table_of_types, 2, newest), delta.feed(table_of_types, 2, newest))
    assert_same(local.feed(table_of_types, -1, newest), delta.feed(table_of_types, -1, newest))


def test_a_file_that_is_gone_is_left_to_deltas_reader(grown: World) -> None:
    for path in Path(grown.path(TABLES[1])).rglob("*.parquet"):
        path.unlink()
    ledger = Ledger(grown.environment)
    assert local_files.snapshot(ledger, TABLES[1], 1) is None
    assert local_files.feed(ledger, TABLES[1], 0, 1) is None


@pytest.mark.parametrize(
    "properties", [{"delta.enableDeletionVectors": "true"}, {"delta.columnMapping.mode": "name"}], ids=str
)
def test_a_table_with_features_of_reading_is_left_to_deltas_reader(world: World, properties: dict[str, str]) -> None:
    world.spark.sql(VALUES).write.format("delta").options(**properties).save(world.path("silver.types"))
    assert local_files.snapshot(Ledger(world.environment), "silver.types", 0) is None


def test_a_table_with_many_rows_is_left_to_deltas_reader(world: World) -> None:
    world.spark.range(local_files.MOST_ROWS + 1).write.format("delta").save(world.path("silver.many"))
    assert local_files.snapshot(Ledger(world.environment), "silver.many", 0) is None


def test_a_staged_frame_of_few_rows_is_in_the_plan_and_equal(spark: SparkSession) -> None:
    rows = spark.sql(VALUES).repartition(2).groupBy("id").agg({"text": "max", "amount": "max", "at": "max"})
    with stages(local=True) as scope:
        staged = scope.stage(rows)
        assert local_rows(staged) is not None
        assert staged.schema == rows.schema
        assert sorted(map(str, staged.collect())) == sorted(map(str, rows.collect()))
        assert local_rows(scope.stage(spark.range(30_000).filter("id >= 0"))) is None
