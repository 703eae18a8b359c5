"""Rerun is resume: the next run completes the work of a killed run, and without work does nothing."""

from __future__ import annotations

import pytest

from headgate import faults
from headgate.planning.plan import Kind
from headgate.testing.faults import run_killed_at, run_shot_at
from tests.engine import model
from tests.engine.world import World, sale

TABLES = ("bronze.transactions", "silver.transactions", "gold.daily_store_sales", "silver.transaction_items")
POINTS = list(faults.points_of(TABLES))


def test_a_first_build_killed_at_every_point_in_turn_builds_each_table_once(world: World) -> None:
    world.upload([sale(1), sale(2, day=2), "{broken"], key="first")
    world.upload([sale(1, revised=1, total="11.00")], key="second")
    for point in POINTS:
        run_killed_at(world, point)
    world.run_well()
    assert world.tables() == model.tables(world.sent)
    assert {world.version(table) for table in TABLES} == {0}


def test_an_increment_killed_at_every_point_while_uploads_land_gives_the_tables_of_one_run(grown: World) -> None:
    for number, point in enumerate(POINTS):
        if point.startswith(("listing", "before")):
            grown.upload([sale(1, revised=2 + number, total=f"2{number}.00"), sale(20 + number)], key=point)
        run_killed_at(grown, point)
    grown.run_well()
    assert grown.tables() == model.tables(grown.sent)


@pytest.mark.long
@pytest.mark.s3
def test_the_next_run_completes_the_work_of_a_killed_process(grown: World) -> None:
    grown.upload([sale(1, revised=2, total="12.00"), sale(6)], key="third")
    run_shot_at(grown, "before_commit:silver.transactions")
    grown.upload([sale(3, day=2, revised=1, items=[])], key="fourth")
    run_shot_at(grown, "after_commit:silver.transactions")
    grown.run_well()
    assert grown.tables() == model.tables(grown.sent)


def test_a_second_run_commits_nothing(grown: World) -> None:
    before = grown.versions()
    reports = grown.run()
    assert {report.status for report in reports.values()} == {"current"}
    assert grown.versions() == before


def test_a_plan_with_nothing_to_do_names_no_work(two_runs: World) -> None:
    kinds = {table: work.kind for table, work in two_runs.plan().items()}
    assert kinds == {"bronze.stores": Kind.CURRENT} | dict.fromkeys(TABLES, Kind.CURRENT)
