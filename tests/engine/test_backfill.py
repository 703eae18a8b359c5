"""A backfill equals a rebuild for its uploads or slices, writes only those, and can be repeated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.errors import UsageError
from tests.engine import model
from tests.engine.world import World, edit_project, sale

pytestmark = pytest.mark.long

SILVER, ITEMS, GOLD = "silver.transactions", "silver.transaction_items", "gold.daily_store_sales"


@pytest.fixture
def changed(grown: World, tmp_path: Path) -> Callable[..., World]:
    """The lake of two runs under a project in which a part of a table's module was replaced."""

    def change(table: str, old: str, new: str) -> World:
        module = "jobs/" + table.replace(".", "/") + ".py"
        return edit_project(grown, tmp_path / "project", module, old, new)

    return change


def rebuilt(world: World, table: str) -> list[dict]:
    """The live rows that a rebuild of a table gives, in another lake."""
    other = world.copy(world.lake.parent / f"rebuilt-{table}")
    other.project, other.graph = world.project, world.graph
    other.run(table, rebuild=True)
    return other.rows(table)


def test_a_backfill_of_every_upload_equals_a_rebuild(changed) -> None:
    world = changed(SILVER, '"currency",', 'F.lower("currency").alias("currency"),')
    assert world.runner().backfill(SILVER, uploads=[sent.id for sent in world.sent]).status == "done"
    assert world.rows(SILVER) == rebuilt(world, SILVER)
    assert {row["currency"] for row in world.rows(SILVER)} == {"eur"}


def test_only_the_keys_of_the_chosen_uploads_are_computed_again(changed) -> None:
    world = changed(SILVER, '"currency",', 'F.lower("currency").alias("currency"),')
    world.runner().backfill(SILVER, uploads=[world.sent[1].id])
    lower = {row["transaction_id"][-6:] for row in world.rows(SILVER) if row["currency"] == "eur"}
    assert lower == {"000001", "000004"}  # sale 2 is deleted


def test_a_record_that_gives_no_row_any_more_makes_room_for_the_version_before(changed) -> None:
    world = changed(SILVER, "return uploads.select(", 'return uploads.where("NOT coalesce(total = 11, false)").select(')
    report = world.runner().backfill(SILVER, uploads=[world.sent[1].id])
    assert report.status == "done"
    assert [row["total"] for row in world.rows(SILVER) if row["transaction_id"].endswith("000001")] == [10]
    receipt = world.receipts()[world.sent[1].id]
    assert (receipt["no_row"], receipt["accepted"]) == (1, 2)
    assert world.rows(SILVER) == rebuilt(world, SILVER)


def test_a_backfill_of_correct_rows_commits_nothing(grown: World) -> None:
    version = grown.version(SILVER)
    reports = [grown.runner().backfill(SILVER, uploads=[sent.id for sent in grown.sent]) for _ in range(2)]
    assert {report.status for report in reports} == {"current"}
    assert grown.version(SILVER) == version
    assert grown.tables() == model.tables(grown.sent)


def test_a_backfill_repeated_commits_nothing_more_and_dependents_follow(changed) -> None:
    world = changed(SILVER, '"total",', 'F.col("total").cast("decimal(12,2)").alias("total"), F.lit(1).alias("one"),')
    uploads = [sent.id for sent in world.sent]
    report = world.runner().backfill(SILVER, uploads=uploads)
    assert report.status == "done"
    assert report.counts["changed"] == report.written >= len(world.rows(SILVER))
    version = world.version(SILVER)
    assert world.runner().backfill(SILVER, uploads=uploads).status == "current"
    assert world.version(SILVER) == version
    world.run_well()
    assert {row["one"] for row in world.rows(SILVER)} == {1}


def test_a_backfilled_table_keeps_its_position_and_reads_new_uploads_afterwards(changed) -> None:
    world = changed(SILVER, '"currency",', 'F.lower("currency").alias("currency"),')
    world.upload([sale(6)], key="third")
    world.run_well("bronze.transactions")
    position = world.planner().ledger.head(SILVER).position
    world.runner().backfill(SILVER, uploads=[sent.id for sent in world.sent[:2]])
    assert world.planner().ledger.head(SILVER).position == position
    assert world.run_well()[SILVER].counts["records"] == 1
    assert world.rows(SILVER) == rebuilt(world, SILVER)


def test_chosen_partitions_are_computed_again_and_no_other(changed) -> None:
    world = changed(GOLD, 'F.count("*")', '(F.count("*") * 100)')
    before = {day: world.files(GOLD, sale_date=f"2026-03-0{day}") for day in (1, 2, 3)}
    report = world.runner().backfill(GOLD, condition="`sale_date` BETWEEN '2026-03-02' AND '2026-03-03'")
    assert report.status == "done"
    counts = {row["sale_date"].day: row["transactions"] for row in world.rows(GOLD)}
    assert {day: counts[day] for day in (1, 2, 3)} == {1: 1, 2: 200, 3: 100}
    assert world.files(GOLD, sale_date="2026-03-01") == before[1]


def test_chosen_keys_are_computed_again_and_no_other(changed) -> None:
    world = changed(ITEMS, 'F.col("item.quantity")', '(F.col("item.quantity") * 100)')
    chosen = sale(3, day=2)["transaction_id"]
    report = world.runner().backfill(ITEMS, condition=f"`transaction_id` = '{chosen}'")
    assert report.status == "done"
    assert {row["transaction_id"] for row in world.rows(ITEMS) if row["quantity"] == 100} == {chosen}
    assert world.runner().backfill(ITEMS, condition=f"`transaction_id` = '{chosen}'").status == "current"


def test_bronze_and_a_table_without_a_position_are_refused(grown: World) -> None:
    for table, message in (("bronze.transactions", "raw records, which do not change"), (GOLD, "not built yet")):
        world = grown
        if table == GOLD:
            shutil.rmtree(grown.path(GOLD))
        with pytest.raises(UsageError, match=message):
            world.planner().backfilled(table)
