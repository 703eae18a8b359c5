"""Fixtures that every tier shares, beside those of headgate.testing: `spark` and `lake` are pytest's by the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from headgate.project import Project

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def repository() -> Project:
    """This repository: a retailer's project."""
    return Project(ROOT)
