"""Tables as they stand, judged by their whole suites."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headgate.cli import check
from headgate.suite import Suite, load_suites
from tests.engine.world import World, edit_project, sale

BETWEEN = "expect_column_values_to_be_between"
COUNT = "expect_table_row_count_to_be_between"
NOT_NULL = "expect_column_values_to_not_be_null"
QUERY = "unexpected_rows_expectation"
SALES, GOLD = "silver.transactions", "gold.daily_store_sales"
#: Each line of an item has its transaction; said of the transactions that have a total of 10 or more.
RELATION = "SELECT * FROM {batch} b LEFT ANTI JOIN `silver.transaction_items` i USING (transaction_id)"


def one(kind: str, severity: str = "critical", headgate: dict | None = None, **kwargs: Any) -> dict:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"headgate": headgate or {}}}


@pytest.fixture(scope="module")
def standing(new_world: Callable[[], World], tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake on which sales 1 to 3 stand, 3 voided, and one record was rejected; its project is to be changed."""
    world = new_world()
    world.upload([sale(1), sale(2, total="12.50"), sale(3, voided=True), "{broken"], key="first")
    world.run_well()
    module = "jobs/silver/transactions.py"
    return edit_project(world, tmp_path_factory.mktemp("check"), module, "import", "import")


def suite_of(world: World, table: str, *expectations: dict) -> Suite:
    path = world.project.expectations / f"{table.replace('.', '/')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"name": table, "expectations": expectations}))
    return load_suites(world.project)[table]


@pytest.fixture
def invoke(standing: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls the verb on the lake, with the session that all tests share."""

    @contextmanager
    def shared(*_: Any, **__: Any):
        yield standing.spark.newSession()

    monkeypatch.setattr(check, "spark_that_looks", shared)
    monkeypatch.setenv("HEADGATE_LAKE", str(standing.lake))

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(check.command, ["--project", str(standing.project.root), *arguments])

    return call


def test_the_whole_suite_judges_the_live_rows(standing, invoke):
    suite_of(
        standing, SALES,
        one(BETWEEN, "warning", {"name": "totals"}, column="total", min_value=11),
        one(COUNT, "critical", {"name": "rows", "scope": "table"}, min_value=2, max_value=2),
        one(NOT_NULL, "critical", {"name": "stores", "scope": "table"}, column="store_id"),
        one(COUNT, "info", {"name": "of a batch"}, min_value=9),
    )  # fmt: skip
    done = invoke("--table", SALES, "--json")
    assert done.exit_code == 0, done.output
    (table,) = json.loads(done.output)["tables"]
    assert (table["table"], table["version"], table["fails"]) == (SALES, standing.version(SALES), False)
    keys = ("expectation", "success", "judged", "unexpected", "observed")
    assert [tuple(result[key] for key in keys) for result in table["results"]] == [
        ("totals", False, 2, 1, None), ("rows", True, None, None, "2"), ("stores", True, 2, 0, None),
        ("of a batch", False, None, None, "2"),
    ]  # fmt: skip


def test_what_is_critical_and_fails_ends_with_1_and_is_shown_with_examples(standing, invoke):
    suite_of(standing, SALES, one(BETWEEN, headgate={"name": "totals"}, column="total", min_value=11))
    done = invoke("--table", SALES)
    assert done.exit_code == 1
    (line,) = [line for line in done.output.splitlines() if line.startswith("totals")]
    assert line.split() == ["totals", "critical", "fails", "2", "1", "10.00"]


def test_other_tables_of_a_query_are_their_live_rows_now(standing, invoke):
    suite_of(standing, SALES, one(QUERY, unexpected_rows_query=RELATION))
    done = invoke("--table", SALES, "--json")
    assert (done.exit_code, json.loads(done.output)["tables"][0]["results"][0]["unexpected"]) == (0, 0)
    suite_of(standing, SALES, one(QUERY, unexpected_rows_query=RELATION.replace("ANTI", "SEMI")))
    assert invoke("--table", SALES).exit_code == 1


def test_a_table_of_a_query_that_is_not_built_yet_is_empty(standing, invoke, tmp_path):
    suite_of(standing, SALES, one(QUERY, unexpected_rows_query=RELATION))
    items = Path(standing.path("silver.transaction_items"))
    items.rename(tmp_path / "items")
    try:
        done = invoke("--table", SALES, "--json")
    finally:
        (tmp_path / "items").rename(items)
    assert json.loads(done.output)["tables"][0]["results"][0]["unexpected"] == 2


def test_a_pattern_checks_what_has_a_suite(standing, invoke):
    suite_of(standing, SALES, one(NOT_NULL, column="store_id"))
    suite_of(standing, GOLD, one(NOT_NULL, column="store_id"))
    done = invoke("--table", "*", "--json")
    assert [table["table"] for table in json.loads(done.output)["tables"]] == [SALES, GOLD]
    (standing.project.expectations / "gold/daily_store_sales.json").unlink()


def refused(done: Result) -> str:
    assert done.exception is not None
    return str(done.exception)


def test_a_table_without_a_suite_and_a_column_that_is_not_there_are_told(standing, invoke):
    suite_of(standing, SALES, one(NOT_NULL, column="store"))
    assert "no suite of gold.daily_store_sales" in refused(invoke("--table", GOLD))
    assert "has no column 'store'. Did you mean 'store_id'?" in refused(invoke("--table", SALES))
    assert "no table is selected by 'silver.x'" in refused(invoke("--table", "silver.x"))
