from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from headgate.project import Project
from tests.engine.world import World


@pytest.fixture
def world(spark: SparkSession, repository: Project, tmp_path: Path) -> World:
    """The repository's project on an empty lake."""
    return World(spark, repository, tmp_path / "lake")
