"""The rows that a run wrote, for every kind of write: the same in its report, in its commit and in `history`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.cli.history import describe
from headgate.testing.lake import Lake
from tests.engine.club import HISTORY, SCANS, club, member, scan
from tests.engine.world import World, sale

SALES, ITEMS, DAILY = "silver.transactions", "silver.transaction_items", "gold.daily_store_sales"
ROWS = ("inserted", "updated", "deleted")


def counts(world: Lake, reports: Mapping[str, Any], table: str) -> dict[str, int]:
    """The report's counts of rows, which `history` has to repeat. What is 0 is left out."""
    report = reports[table]
    commit = next(world.planner().ledger.history(table))
    shown = describe(commit)["counts"]
    details = [{name: values[name] for name in ROWS if values.get(name)} for values in (report.counts, shown)]
    assert (report.version, details[0]) == (commit.version, details[1])
    return details[0]


def changed(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[int, int]:
    """How many rows came, and how many went."""
    old, new = Counter(map(str, before)), Counter(map(str, after))
    return (new - old).total(), (old - new).total()


@pytest.fixture
def built(world: World) -> World:
    """Three sales on three days."""
    world.upload([sale(1), sale(2, day=2), sale(3, day=3)], key="first")
    world.run_well()
    return world


def test_a_first_build(world):
    world.upload([sale(1), sale(2, day=2)], key="first")
    reports = world.run_well()
    assert counts(world, reports, SALES) == {"inserted": 2}
    for table in (ITEMS, DAILY):
        assert counts(world, reports, table) == {"inserted": len(world.rows(table))}
        assert reports[table].written == len(world.rows(table))


def test_partitions_that_are_replaced(built):
    before = built.rows(DAILY)
    built.upload([sale(1, revised=1, total="11.00"), sale(2, revised=1, day=2, voided=True)], key="second")
    reports = built.run_well()
    assert counts(built, reports, SALES) == {"updated": 1, "deleted": 1}
    came, went = changed(before, built.rows(DAILY))
    assert counts(built, reports, DAILY) == {"inserted": came, "deleted": went} == {"inserted": 1, "deleted": 2}
    assert reports[DAILY].written == 1


def test_rows_that_are_replaced_by_difference(built):
    before = built.rows(ITEMS)
    built.upload([sale(1, revised=1, voided=True), sale(4)], key="second")
    reports = built.run_well()
    came, went = changed(before, built.rows(ITEMS))
    expected = {name: count for name, count in (("inserted", came), ("deleted", went)) if count}
    assert counts(built, reports, ITEMS) == expected and went


def test_rows_that_are_only_added(built):
    before = {table: built.rows(table) for table in (ITEMS, DAILY)}
    built.upload([sale(4, day=5)], key="second")
    reports = built.run_well()
    assert counts(built, reports, SALES) == {"inserted": 1}
    for table, rows in before.items():
        assert counts(built, reports, table) == {"inserted": changed(rows, built.rows(table))[0]}


def test_a_rebuilt_table_reports_its_previous_rows(built):
    before = {table: len(built.rows(table)) for table in (ITEMS, DAILY)}
    reports = built.run(ITEMS, DAILY, rebuild=True)
    for table, rows in before.items():
        assert counts(built, reports, table) == {"inserted": rows, "deleted": rows}


def test_a_run_in_which_nothing_is_affected_writes_nothing(built):
    built.upload(["{broken"], key="second")
    reports = built.run_well()
    assert counts(built, reports, SALES) == {}
    assert (reports[DAILY].status, reports[DAILY].written, reports[DAILY].version) == ("current", 0, 0)


def test_history_and_append(spark, tmp_path):
    """A version that ends is another row: the old row is deleted, two rows are inserted."""
    world = club(spark, tmp_path / "lake")
    world.records("members", [member("m", 1, "A"), member("n", 1, "A")], key="first")
    world.records("scans", [scan("s", "x", "y"), scan("t", "z")], key="first")
    assert counts(world, world.run_well(), HISTORY) == {"inserted": 2}
    before = world.rows(SCANS)
    world.records("members", [member("m", 2, "B")], key="second")
    world.records("scans", [scan("u", "x", "y")], key="second")
    reports = world.run_well()
    assert counts(world, reports, HISTORY) == {"inserted": 2, "deleted": 1}
    came, went = changed(before, world.rows(SCANS))
    assert (counts(world, reports, SCANS), went) == ({"inserted": came}, 0)
