"""pytest's plugin: the fixtures that a project's tests ask for by name. Loading it starts nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headgate.contracts.environment import Environment
    from headgate.project import Project
    from headgate.testing.lake import Lake


#: The lakes that assertions have built in this session.
_BUILT = pytest.StashKey[dict[Hashable, "Lake"]]()


@pytest.fixture(scope="session")
def headgate_project(pytestconfig: pytest.Config) -> Project:
    """The project under test: the nearest project at or above pytest's working directory."""
    from headgate.project import find_project

    return find_project(None, pytestconfig.invocation_params.dir)


@pytest.fixture(scope="session")
def headgate_environment(headgate_project: Project) -> Environment:
    """The environment `local` of the project, whatever HEADGATE_ variables are set: its Spark settings count."""
    from headgate.contracts.environment import load_environment

    return load_environment(headgate_project, "local", environ={})


@pytest.fixture(scope="session")
def spark(headgate_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One Spark session for all tests, as a run has it, and tuned for small data."""
    from headgate.engine.runtime.session import start_session

    scratch = str(tmp_path_factory.mktemp("spark"))
    tuned = {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.warehouse.dir": scratch,
        "spark.local.dir": scratch,
    }
    session = start_session(headgate_environment, tuned, small=True)
    yield session
    session.stop()


@pytest.fixture
def lake(spark: SparkSession, headgate_project: Project, tmp_path: Path, pytestconfig: pytest.Config) -> Lake:
    """An empty lake for the project under test."""
    from headgate.testing.lake import Lake

    lake = Lake(spark, headgate_project, tmp_path / "lake")
    lake.built = pytestconfig.stash.setdefault(_BUILT, {})
    return lake
