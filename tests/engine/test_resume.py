"""Rerun is resume: the next run makes whole what one left that died, and with nothing to do does nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from headgate import faults
from headgate.plan import Kind
from tests.engine import model
from tests.engine.world import World, sale

TABLES = ("bronze.transactions", "silver.transactions", "gold.daily_store_sales", "silver.transaction_items")
POINTS = [f"{when}_commit:{table}" for table in TABLES for when in ("before", "after")]


class Killed(BaseException):
    """Stands for SIGKILL inside the test's own process: nothing catches it."""


def run_killed_at(world: World, point: str) -> None:
    """A run, of one table at a time, that dies at a named point. Fails where the run never comes there."""
    world.environment = replace(world.environment, parallel_tables=1)

    def die(name: str) -> None:
        if name == point:
            raise Killed(name)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(faults, "point", die)
        world.run()


def run_shot_at(world: World, point: str) -> None:
    """A run in a process of its own that gets a real SIGKILL at a named point."""
    variables = {
        "HEADGATE_LAKE": world.environment.lake,
        "HEADGATE_KILL_AT": point,
        "HEADGATE_SPARK": json.dumps({"spark.master": "local[2]", "spark.driver.memory": "1g"}),
    }
    command = [sys.executable, "-m", "headgate.cli", "run", "--project", str(world.project.root)]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr


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
        if point.startswith("before"):
            grown.upload([sale(1, revised=2 + number, total=f"2{number}.00"), sale(20 + number)], key=point)
        run_killed_at(grown, point)
    grown.run_well()
    assert grown.tables() == model.tables(grown.sent)


def test_a_killed_process_leaves_what_the_next_run_completes(grown: World) -> None:
    grown.upload([sale(1, revised=2, total="12.00"), sale(6)], key="third")
    run_shot_at(grown, "before_commit:silver.transactions")
    grown.now = datetime.now(UTC)
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
