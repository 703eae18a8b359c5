"""Comparisons with the installed Great Expectations, without Spark: the table of expectations, and our files."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from docs import expectations
from headgate.project import Project
from headgate.suites.suite import load_suites
from headgate.suites.suite_document import normalised

ROOT = Path(__file__).parents[2]
SUITE = {
    "name": "silver.sales",
    "notes": ["a", "b"],
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "quantity", "min_value": 0, "max_value": 2.5, "mostly": 0.9},
            "severity": "warning",
            "meta": {"headgate": {"name": "quantities are sane"}, "owner": "us"},
            "description": "Stores send no more.",
        },
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "kind", "value_set": ["b", "a", 1.0]}},
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {
                "min_value": 1,
                "row_condition": {"type": "comparison", "column": {"name": "kind"}, "operator": "==", "parameter": "ä"},
            },
        },
    ],
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return expectations.expectations()


def test_the_table_of_expectations_is_what_the_installed_gx_says(document):
    assert expectations.TABLE.read_text() == expectations.written(document), "run: python docs/expectations.py"


def test_the_page_shows_that_table(document):
    text = expectations.PAGE.read_text()
    assert text == expectations.page(text, document), "run: python docs/expectations.py"


@pytest.fixture
def project(tmp_path) -> Project:
    """A project with a suite that a person wrote, and the file by which GX opens it."""
    for folder in ("conf/expectations/silver", "jobs/silver"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "jobs/silver/sales.py").write_text("")
    (tmp_path / "conf/expectations/silver/sales.json").write_text(json.dumps(SUITE))
    shutil.copy(ROOT / "conf" / "great_expectations.yml", tmp_path / "conf")
    return Project(tmp_path)


def opened(project: Project) -> Any:
    import great_expectations as gx

    return gx.get_context(mode="file", context_root_dir=str(project.root / "conf"))


def test_gx_opens_the_suites_with_its_own_tools(project):
    context = opened(project)
    assert [suite.name for suite in context.suites.all()] == ["silver.sales"]
    assert [e.severity.value for e in context.suites.get("silver.sales").expectations] == [
        "warning",
        "critical",
        "critical",
    ]
    assert not context.variables.config.analytics_enabled


def test_opening_makes_no_folder_of_gx_own(project):
    opened(project)
    made = {str(path.relative_to(project.root / "conf")) for path in (project.root / "conf").rglob("*")}
    ours = {"great_expectations.yml", "expectations", "expectations/silver", "expectations/silver/sales.json"}
    assert made - ours <= {"expectations/.ge_store_backend_id"}


def test_a_normalised_suite_is_the_same_to_gx(project):
    before = opened(project).suites.get("silver.sales")
    path = project.expectations / "silver" / "sales.json"
    path.write_text(normalised(path.read_text()))
    assert opened(project).suites.get("silver.sales") == before


def test_what_gx_saves_is_normalised_to_what_was_there(project):
    path = project.expectations / "silver" / "sales.json"
    path.write_text(normalised(path.read_text()))
    before, text = load_suites(project)["silver.sales"], path.read_text()
    opened(project).suites.get("silver.sales").save()
    assert path.read_text() != text
    assert load_suites(project)["silver.sales"].hash == before.hash
    assert normalised(path.read_text()) == text


def test_who_needs_gx_while_another_thread_imports_it_waits_for_all_of_it():
    """In a process of its own: this one may have GX already."""
    script = """if True:
        import sys, threading
        from headgate.engine.gate.gx import import_gx

        threading.Thread(target=import_gx).start()
        while "great_expectations.execution_engine" not in sys.modules:
            pass
        import_gx()
        from great_expectations.expectations.registry import _registered_metrics

        sys.exit("column_values.between.condition" not in _registered_metrics)
    """
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
