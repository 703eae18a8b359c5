"""Fixtures that every tier shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from headgate.project import Project

ROOT = Path(__file__).parents[1]

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def repository() -> Project:
    """This repository: a retailer's project."""
    return Project(ROOT)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, repository: Project) -> Iterator:
    """One Spark session for all tests, tuned for small data."""
    from headgate.engine.session import start_session
    from headgate.environment import load_environment

    environment = load_environment(repository, "local", environ={})
    scratch = tmp_path_factory.mktemp("spark")
    session = start_session(
        environment,
        {
            "spark.master": "local[2]",
            "spark.driver.memory": "2g",
            "spark.sql.shuffle.partitions": "1",
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.sql.warehouse.dir": str(scratch),
            "spark.local.dir": str(scratch),
        },
        small=True,
    )
    yield session
    session.stop()
