"""Maintenance changes no row, makes no work for dependents, and removes nothing that they or time travel need."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate.engine.verbs.maintain import Done, maintain
from headgate.engine.verbs.table_report import Report
from headgate.planning import retention
from headgate.planning.retention import bound_of, upkeep_of
from headgate.suites.quality import Result
from headgate.views import results
from headgate.views.results import Failed
from tests.engine import model
from tests.engine.world import NOON, World, sale

pytestmark = pytest.mark.long

BRONZE, SILVER, ITEMS, GOLD = (
    "bronze.transactions",
    "silver.transactions",
    "silver.transaction_items",
    "gold.daily_store_sales",
)


def maintained(world: World, table: str, *, cluster: bool = False) -> Done:
    ledger, now = world.planner().ledger, datetime.now(UTC)
    upkeep = upkeep_of(ledger, world.graph, world.environment, table, now)
    return maintain(world.spark, ledger, world.graph, world.environment, upkeep, now, cluster=cluster)


def works(reports: dict[str, Report]) -> set[str]:
    """What the tables that have uploads were built by."""
    return {reports[table].work for table in (BRONZE, SILVER, ITEMS, GOLD)}


@pytest.fixture
def crowded(grown: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A lake whose every partition with two files is crowded, without promised time travel."""
    monkeypatch.setattr(retention, "SMALL_FILES", 2)
    grown.environment = replace(grown.environment, time_travel=timedelta(0))
    return grown


def test_small_files_are_compacted_and_no_row_changes(crowded: World) -> None:
    done = maintained(crowded, SILVER)
    assert done.files_after < done.files_before
    assert crowded.kinds() == {}
    assert crowded.tables() == model.tables(crowded.sent)


@pytest.mark.s3
def test_runs_go_on_from_the_position_after_maintenance_that_removed_files_and_logs(
    crowded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention.Bound, "hours", lambda *_: 0)  # as if all of it had happened days ago
    tables = (BRONZE, SILVER, ITEMS, GOLD)
    for table in tables:
        maintained(crowded, table, cluster=table in (SILVER, ITEMS))
    crowded.upload([sale(1, revised=5, total="15.00"), "{broken too"], key="third")
    assert works(crowded.run_well()) == {"increment"}
    done = [maintained(crowded, table) for table in tables]
    assert all(item.removed_files > 0 and item.removed_logs > 0 for item in done), done
    assert crowded.logs(SILVER)[0] > 0
    crowded.upload([sale(1, revised=6, total="16.00")], key="fourth")
    assert works(crowded.run_well()) == {"increment"}
    assert crowded.tables() == model.tables(crowded.sent)


def test_results_of_suites_are_compacted_and_recording_continues(crowded: World) -> None:
    def record(run: str) -> int:
        result = Result("a", "expect_x", ("id",), "row", "critical", False, 10, 1).as_dict()
        return results.record(crowded.environment, [SILVER], [Failed(SILVER, run, NOON, [result])])

    assert [record(run) for run in ("one", "two", "three")] == [1, 1, 1]
    done = maintained(crowded, results.TABLE, cluster=True)
    assert (done.files_before, done.files_after) == (3, 1)
    assert record("four") == 1
    assert {row["run"] for row in results.newest(crowded.planner().ledger, None).to_pylist()} == {
        "one",
        "two",
        "three",
        "four",
    }


def test_versions_that_a_dependent_has_not_read_are_kept(crowded: World) -> None:
    crowded.upload([sale(1, revised=5, total="15.00")], key="last")
    crowded.run_well(BRONZE, SILVER, ITEMS)
    ledger, at = crowded.planner().ledger, crowded.version(SILVER) - 1
    bound = bound_of(ledger, crowded.graph, ledger.head(SILVER), datetime.now(UTC), timedelta(0))
    assert (bound.needed_by, bound.version) == (GOLD, at)
    assert bound.hours(datetime.now(UTC)) >= 2  # VACUUM rounds: less than half an hour would be none at all
    assert maintained(crowded, SILVER).kept_for == GOLD
    reports = crowded.run_well()
    assert (reports[GOLD].work, reports[GOLD].reason) == ("increment", f"{SILVER} {at} -> {crowded.version(SILVER)}")
    assert crowded.tables() == model.tables(crowded.sent)


@pytest.mark.s3
def test_every_version_within_promised_time_travel_is_kept(crowded: World) -> None:
    crowded.environment = replace(crowded.environment, time_travel=timedelta(days=7))
    before = [crowded.planner().ledger.open(SILVER, version).file_uris() for version in crowded.logs(SILVER)]
    done = maintained(crowded, SILVER)
    assert (done.removed_files, done.removed_logs, done.kept_for) == (0, 0, "time travel")
    assert all(crowded.holds(file) for files in before for file in files)


@pytest.mark.s3
def test_a_run_that_commits_while_a_table_is_compacted_wins(crowded: World) -> None:
    """The copy of a position that another commit overtook does not count."""
    ledger = crowded.planner().ledger
    now = datetime.now(UTC)
    upkeep = upkeep_of(ledger, crowded.graph, crowded.environment, SILVER, now)
    crowded.upload([sale(60)], key="meanwhile")
    crowded.run_well(BRONZE, SILVER)
    stale, head = ledger.head, upkeep.head
    ledger.head = lambda table: head if table == SILVER else stale(table)
    maintain(crowded.spark, ledger, crowded.graph, crowded.environment, upkeep, now)
    crowded.run_well()
    assert crowded.tables() == model.tables(crowded.sent)
