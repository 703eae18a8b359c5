from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from headgate.project import Project
from tests.engine.world import World, sale


@pytest.fixture(scope="session")
def sales_project() -> Project:
    """Transactions and stores, with three tables: small, and as it is whatever the retailer's own project becomes."""
    return Project(Path(__file__).parents[1] / "projects" / "sales")


@pytest.fixture
def world(spark: SparkSession, sales_project: Project, tmp_path: Path) -> World:
    """The sales project on an empty lake."""
    return World(spark, sales_project, tmp_path / "lake")


@pytest.fixture(scope="session")
def new_world(
    spark: SparkSession, sales_project: Project, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], World]:
    """Makes worlds on empty lakes, for tests that need several."""
    return lambda: World(spark, sales_project, tmp_path_factory.mktemp("world") / "lake")


@pytest.fixture(scope="session")
def two_runs(new_world: Callable[[], World]) -> World:
    """A lake with a history of two runs, to be copied and never changed.

    Sales 1 and 2 on day 1, 3 on day 2, 5 on day 3, 7 on day 4, 8 on day 6; the second upload
    corrects sale 1, voids sale 2 and adds sale 4 on day 2.
    """
    world = new_world()
    first = [sale(1), sale(2), sale(3, day=2), "{broken", sale(5, day=3), sale(7, day=4), sale(8, day=6)]
    world.upload(first, key="first")
    world.run_well()
    world.upload([sale(1, revised=1, total="11.00"), sale(2, revised=1, voided=True), sale(4, day=2)], key="second")
    world.run_well()
    return world


@pytest.fixture
def grown(two_runs: World, tmp_path: Path) -> World:
    """A copy of the lake of two runs."""
    return two_runs.copy(tmp_path / "lake")
