from __future__ import annotations

from pathlib import Path

import pytest

from headgate.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with the tables silver.sales and gold.daily, and no contracts or suites."""
    for table in ("silver/sales", "gold/daily"):
        path = tmp_path / "jobs" / f"{table}.py"
        path.parent.mkdir(parents=True)
        path.write_text("")
    (tmp_path / "conf").mkdir()
    return Project(tmp_path)
