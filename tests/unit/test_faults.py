"""The points at which a run can be killed are those that are listed, and no other is taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate import faults
from headgate.contracts.environment import load_environment
from headgate.errors import UsageError
from headgate.project import Project

ROOT = Path(__file__).parents[2]
TABLES = ("bronze.sales", "silver.sales")


def test_every_point_in_the_code_is_listed_and_the_other_way_round():
    sources = [path.read_text() for folder in ("lib", "ingest_api") for path in (ROOT / folder).rglob("*.py")]
    of_runs = {name for text in sources for name in re.findall(r'faults\.point\(f"(\w+):', text)}
    of_receiver = {name for text in sources for name in re.findall(r'\bpoint\("([\w.]+)"\)', text)}
    assert (of_runs, of_receiver) == ({*faults.MOMENTS, *faults.UPLOAD_MOMENTS}, set(faults.RECEIVER))


def test_a_landing_list_is_of_bronze_alone():
    assert list(faults.points_of(TABLES)) == [
        "listing:bronze.sales",
        "planned:bronze.sales",
        "before_commit:bronze.sales",
        "after_commit:bronze.sales",
        "planned:silver.sales",
        "before_commit:silver.sales",
        "after_commit:silver.sales",
    ]


@pytest.mark.parametrize("name", [*faults.points_of(TABLES), *faults.RECEIVER])
def test_a_known_point_is_taken(name):
    faults.require_known(name, TABLES)


@pytest.mark.parametrize("name", ["", "commit:silver.sales", "listing:silver.sales", "before_commit:silver.sale"])
def test_an_unknown_point_is_refused_with_the_known_ones(name):
    with pytest.raises(UsageError, match="no point") as caught:
        faults.require_known(name, TABLES)
    assert all(known in str(caught.value) for known in (*faults.MOMENTS, *TABLES, *faults.RECEIVER))


def test_a_misspelt_variable_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match=r"Did you mean 'after_commit:silver.returns'\?"):
        load_environment(Project(ROOT), environ={"HEADGATE_KILL_AT": "after_comit:silver.returns"})
