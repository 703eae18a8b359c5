"""Positions stay valid, or are known to be lost, after any change of a table by other writers."""

from __future__ import annotations

from collections.abc import Iterator

import obstore
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from headgate.contracts.environment import table_path
from tests.engine import model
from tests.engine.world import World, sale

BRONZE, SILVER, ITEMS, GOLD = (
    "bronze.transactions",
    "silver.transactions",
    "silver.transaction_items",
    "gold.daily_store_sales",
)
THIRD = [sale(3, day=5, revised=1, total="31.00"), sale(5, day=3, revised=1, items=[]), sale(6), "{broken"]


def clean_up_log(world: World, table: str) -> None:
    """What Delta's own clean-up does once a checkpoint is there: the commits before it go."""
    world.planner().ledger.open(table).create_checkpoint()
    older = [f"{table_path(table)}/_delta_log/{version:020}.json" for version in world.logs(table)[:-1]]
    obstore.delete(world.environment.object_store(), older)


@pytest.fixture
def vacuumed_at_once(spark: SparkSession) -> Iterator[None]:
    """VACUUM may take away all that the newest version does not need, and is in the log wherever the lake is."""
    settings = {"retentionDurationCheck.enabled": "false", "vacuum.logging.enabled": "true"}
    for name, value in settings.items():
        spark.conf.set(f"spark.databricks.delta.{name}", value)
    yield
    for name in settings:
        spark.conf.unset(f"spark.databricks.delta.{name}")


def set_property(world: World, table: str) -> None:
    """A commit by others that changes no rows."""
    world.spark.sql(f"ALTER TABLE delta.`{world.path(table)}` SET TBLPROPERTIES ('by' = 'others')")


@pytest.mark.usefixtures("vacuumed_at_once")
def test_positions_survive_log_clean_up_and_optimize_and_vacuum(grown: World) -> None:
    for table in (BRONZE, SILVER, ITEMS, GOLD):
        clean_up_log(grown, table)
    for table in (BRONZE, SILVER):
        before = grown.version(table)
        grown.delta(table).optimize().executeCompaction()
        grown.delta(table).vacuum(0)
        assert grown.version(table) == before + 3  # OPTIMIZE, and the start and end of VACUUM
    assert grown.kinds() == {}
    grown.upload(THIRD, key="third")
    reports = grown.run_well()
    assert {reports[table].work for table in (BRONZE, SILVER, ITEMS, GOLD)} == {"increment"}
    assert grown.tables() == model.tables(grown.sent)


@pytest.mark.usefixtures("vacuumed_at_once")
def test_a_table_is_rebuilt_where_its_position_or_its_sources_change_data_is_gone(grown: World) -> None:
    grown.upload(THIRD, key="third")
    grown.run_well(BRONZE, SILVER)
    grown.delta(SILVER).vacuum(0)
    set_property(grown, ITEMS)
    clean_up_log(grown, ITEMS)
    reports = grown.run_well()
    assert {table: reports[table].work for table in (ITEMS, GOLD)} == {ITEMS: "rebuild", GOLD: "rebuild"}
    assert "position lost: the log before version 2 was cleaned up" in reports[ITEMS].reason
    assert "change data of silver.transactions after version 1 was vacuumed" in reports[GOLD].reason
    assert grown.tables() == model.tables(grown.sent)


def test_records_removed_by_a_restore_of_silver_are_merged_again(grown: World) -> None:
    grown.delta(SILVER).restoreToVersion(0)
    assert grown.kinds() == {SILVER: "increment", ITEMS: "after", GOLD: "after"}
    reports = grown.run_well()
    assert reports[SILVER].counts["records"] == 3  # the second upload's
    assert grown.tables() == model.tables(grown.sent)


def test_uploads_removed_by_a_restore_of_bronze_are_read_again(grown: World) -> None:
    grown.delta(BRONZE).restoreToVersion(0)
    reports = grown.run_well()
    assert reports[BRONZE].counts["uploads"] == 1
    assert reports[SILVER].reason == "rows went away from bronze.transactions"
    assert grown.tables() == model.tables(grown.sent)


def test_a_restore_between_plan_and_commit_voids_the_position(grown: World) -> None:
    grown.upload(THIRD, key="third")
    grown.run_well(BRONZE)
    planner = grown.planner()
    planned = planner.plan_table(SILVER)
    grown.delta(SILVER).restoreToVersion(0)
    planner.plan_table = lambda _: planned
    assert grown.runner(planner).run([SILVER])[0].status == "done"
    reports = grown.run_well()
    assert reports[SILVER].work == "rebuild"
    assert "planned before a RESTORE" in reports[SILVER].reason
    assert grown.tables() == model.tables(grown.sent)


def test_a_delta_table_of_others_in_the_way_is_refused_and_left_as_it_is(world: World) -> None:
    world.upload([sale(1)], key="first")
    options = world.planner().ledger.storage_options
    write_deltalake(world.path(SILVER), pa.table({"theirs": [1]}), storage_options=options)
    report = world.run()[SILVER]
    assert report.status == "failed"
    assert "a Delta table of another writer" in report.reason
    assert world.raw_rows(SILVER) == [{"theirs": 1}]
