"""A report is reproduced in another lake, from bronze as of a time; this lake is only read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from headgate.engine.verbs.reproduce import copy_bronze, versions_at
from headgate.engine.verbs.run import Runner
from headgate.errors import UsageError
from tests.engine import model
from tests.engine.world import World

pytestmark = pytest.mark.long

BRONZE, GOLD = "bronze.transactions", "gold.daily_store_sales"


def test_bronze_as_of_a_time_is_built_in_another_lake(two_runs: World, tmp_path: Path) -> None:
    ledger = two_runs.planner().ledger
    versions = versions_at(ledger, two_runs.graph, [GOLD], ledger.commit(BRONZE, 0).time)
    assert versions == {BRONZE: 0}
    before = two_runs.versions()
    other = World(two_runs.spark, two_runs.project, tmp_path / "then")
    copy_bronze(two_runs.spark, two_runs.graph, two_runs.environment, other.environment, versions)
    runner = Runner(other.project, other.environment, other.graph, other.spark)
    statuses = {report.status for report in runner.run(two_runs.graph.select(["silver.*", "gold.*"]))}
    assert statuses <= {"done", "current"}
    assert other.tables() == model.tables(two_runs.sent[:1])
    assert two_runs.versions() == before


def test_a_lake_that_has_the_table_already_is_refused(two_runs: World) -> None:
    same = replace(two_runs.environment)
    with pytest.raises(UsageError, match="exists there already"):
        copy_bronze(two_runs.spark, two_runs.graph, two_runs.environment, same, {BRONZE: 0})
