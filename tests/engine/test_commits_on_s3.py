"""Commits of files without a JVM on an S3 API: each is done once, whatever becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import obstore
import pytest

from headgate.contracts.environment import Environment, load_environment
from headgate.engine.delta.commit import Committer
from headgate.engine.read import bronze
from headgate.errors import LostRace
from headgate.ledger.ledger import Commit, Ledger
from headgate.planning.graph import load_graph
from headgate.planning.plan import Kind, Work
from headgate.project import Project
from tests.engine.world import NOON
from tests.s3.servers import BUCKET, faulty_moto, variables_of

BRONZE = "bronze.transactions"


@pytest.fixture
def faults() -> dict[str, list[str]]:
    """The faults of the puts of a file, in order."""
    return {}


@pytest.fixture
def environment(
    sales_project: Project, faults: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Environment]:
    """An empty lake on a server at which puts meet `faults`."""
    with faulty_moto(faults) as endpoint:
        for name, value in variables_of(endpoint).items():
            monkeypatch.setenv(name, value)
        yield load_environment(sales_project, environ={"HEADGATE_LAKE": f"s3://{BUCKET}{tmp_path}"})


@pytest.fixture
def planned(sales_project: Project, environment: Environment) -> Callable[[str], Callable[[], Commit]]:
    """Plans a run against the current table; returns a function that commits without files."""
    graph = load_graph(sales_project)

    def plan(run: str) -> Callable[[], Commit]:
        ledger = Ledger(environment)
        work = Work(BRONZE, Kind.INCREMENT, "", ledger.head(BRONZE), listed_at=NOON)
        committer = Committer(None, ledger, graph.node(BRONZE), work, run)
        return lambda: committer.add_files([], bronze.SCHEMA, bronze.PARTITION_BY, bronze.PROPERTIES)

    return plan


def versions(environment: Environment) -> list[int]:
    result = obstore.list(environment.object_store(), "bronze/transactions/_delta_log/").collect()
    return sorted(int(item["path"][-25:-5]) for item in result if item["path"].endswith(".json"))


def test_a_table_is_made_once_though_the_answer_was_lost(planned, environment, faults) -> None:
    faults["00000000000000000000.json"] = ["lost"]
    assert planned("run-1")().version == 0
    assert versions(environment) == [0]
    assert faults["00000000000000000000.json"] == []


def test_files_are_added_once_though_the_answer_was_lost(planned, environment, faults) -> None:
    planned("run-1")()
    faults["00000000000000000001.json"] = ["lost"]
    assert planned("run-2")().version == 1
    assert versions(environment) == [0, 1]
    assert faults["00000000000000000001.json"] == []


def test_of_two_runs_that_make_a_table_the_second_names_the_first(planned, environment) -> None:
    first, second = planned("run-1"), planned("run-2")
    first()
    with pytest.raises(LostRace, match="run run-1 committed version 0 first"):
        second()
    assert versions(environment) == [0]
