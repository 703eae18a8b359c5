"""Checks of current tables with their whole suites."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pyspark.sql import DataFrame

from headgate.cli import check
from headgate.engine.gate.rules import judge_batch
from headgate.engine.verbs.profile import proposed
from headgate.errors import UsageError
from headgate.suites import quality
from headgate.suites.suite import load_suites
from headgate.suites.suite_document import normalised
from headgate.views.results import TABLE, newest
from tests.engine.world import World, expect, expectation, sale
from tests.unit.lake import Lake

pytestmark = pytest.mark.long

BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
COUNT = "expect_table_row_count_to_be_between"
NOT_NULL = "expect_column_values_to_not_be_null"
QUERY = "unexpected_rows_expectation"
SALES, GOLD = "silver.transactions", "gold.daily_store_sales"
#: Transactions that have no item.
RELATION = "SELECT * FROM {batch} b LEFT ANTI JOIN `silver.transaction_items` i USING (transaction_id)"
RELATED = expectation(QUERY, meta={"scope": "table"}, unexpected_rows_query=RELATION)


@pytest.fixture(scope="module")
def standing(new_world: Callable[[], World], tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake with sales 1 to 3, of which 3 is voided, and a rejected record; tests change its project."""
    world = new_world()
    world.upload([sale(1), sale(2, total="12.50"), sale(3, voided=True), "{broken"], key="first")
    world.run_well()
    return expect(world, tmp_path_factory.mktemp("check"), SALES)


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
    expect(
        standing,
        standing.project.root,
        SALES,
        expectation(BETWEEN, "warning", {"name": "totals"}, column="total", min_value=11),
        expectation(COUNT, "critical", {"name": "rows", "scope": "table"}, min_value=2, max_value=2),
        expectation(NOT_NULL, "critical", {"name": "stores", "scope": "table"}, column="store_id"),
        expectation(COUNT, "info", {"name": "of a batch"}, min_value=9),
    )
    done = invoke("--table", SALES, "--json")
    assert done.exit_code == 0, done.output
    (table,) = json.loads(done.output)["tables"]
    assert (table["table"], table["version"], table["fails"]) == (SALES, standing.version(SALES), False)
    keys = ("expectation", "success", "judged", "unexpected", "observed")
    assert [tuple(result[key] for key in keys) for result in table["results"]] == [
        ("totals", False, 2, 1, None),
        ("rows", True, None, None, "2"),
        ("stores", True, 2, 0, None),
        ("of a batch", False, None, None, "2"),
    ]


def test_a_critical_failure_exits_with_1_and_shows_examples(standing, invoke):
    totals = expectation(BETWEEN, meta={"name": "totals"}, column="total", min_value=11)
    expect(standing, standing.project.root, SALES, totals)
    done = invoke("--table", SALES)
    assert done.exit_code == 1
    (line,) = [line for line in done.output.splitlines() if line.startswith("totals")]
    assert line.split() == ["totals", "critical", "fails", "2", "1", "10.00"]


def test_other_tables_of_a_query_are_their_live_rows_now(standing, invoke):
    expect(standing, standing.project.root, SALES, RELATED)
    done = invoke("--table", SALES, "--json")
    assert (done.exit_code, json.loads(done.output)["tables"][0]["results"][0]["unexpected"]) == (0, 0)
    semi = {**RELATED, "kwargs": {"unexpected_rows_query": RELATION.replace("ANTI", "SEMI")}}
    expect(standing, standing.project.root, SALES, semi)
    assert invoke("--table", SALES).exit_code == 1


def test_a_table_of_a_query_that_is_not_built_yet_is_empty(standing, invoke, tmp_path):
    expect(standing, standing.project.root, SALES, RELATED)
    items = Path(standing.path("silver.transaction_items"))
    items.rename(tmp_path / "items")
    try:
        done = invoke("--table", SALES, "--json")
    finally:
        (tmp_path / "items").rename(items)
    assert json.loads(done.output)["tables"][0]["results"][0]["unexpected"] == 2


def test_a_pattern_checks_tables_with_a_suite(standing, invoke):
    expect(standing, standing.project.root, SALES, expectation(NOT_NULL, column="store_id"))
    expect(standing, standing.project.root, GOLD, expectation(NOT_NULL, column="store_id"))
    done = invoke("--table", "*", "--json")
    assert [table["table"] for table in json.loads(done.output)["tables"]] == [SALES, GOLD]
    (standing.project.expectations / "gold/daily_store_sales.json").unlink()


def refused(done: Result) -> str:
    assert done.exception is not None
    return str(done.exception)


def test_a_missing_suite_and_a_missing_column_are_reported(standing, invoke):
    expect(standing, standing.project.root, SALES, expectation(NOT_NULL, column="store"))
    assert "no suite of gold.daily_store_sales" in refused(invoke("--table", GOLD))
    assert "has no column 'store'. Did you mean 'store_id'?" in refused(invoke("--table", SALES))
    assert "no table is selected by 'silver.x'" in refused(invoke("--table", "silver.x"))


# --- a proposal


KINDS = """id int, price decimal(12,2), weight double, day date, at timestamp, shop string, open boolean, note string,
tags array<string>, big bigint"""


@pytest.fixture(scope="module")
def rows(standing: World) -> DataFrame:
    """Forty rows of every kind of column; the notes are all different, and a single note is null."""
    day, at = date(2026, 3, 1), datetime(2026, 3, 1, 9, 0, 0, 123456, UTC)
    made = [
        (
            n,
            Decimal(n) / 4,
            float("nan") if n == 7 else n / 3,
            day + timedelta(days=n),
            at + timedelta(hours=n),
            "ab"[n % 2],
            n % 2 == 0,
            f"note {n}" if n else None,
            ["x"],
            2**53 + n,
        )
        for n in range(40)
    ]
    return standing.spark.createDataFrame(made, KINDS).localCheckpoint()


def proposal(standing: World, table: str, rows: DataFrame) -> dict[str, Any]:
    """(type, columns) -> the other kwargs, for the proposed expectations of a table."""
    suite = json.loads(proposed(standing.graph.node(table), rows))
    assert {item["severity"] for item in suite["expectations"]} == {"warning"}
    results = {}
    for item in suite["expectations"]:
        kwargs = dict(item["kwargs"])
        column = kwargs.pop("column", None) or ",".join(kwargs.pop("column_list", []))
        results[item["type"], column] = kwargs
    return results


def test_a_proposal_describes_the_rows(standing, rows):
    details = proposal(standing, GOLD, rows)
    assert {column for kind, column in details if kind == NOT_NULL} == set(rows.columns) - {"note"}
    assert {column: kwargs for (kind, column), kwargs in details.items() if kind == BETWEEN} == {
        "id": {"min_value": 0, "max_value": 39},
        "price": {"min_value": 0, "max_value": 9.75},
        "day": {"min_value": "2026-03-01", "max_value": "2026-04-09"},
        "at": {"min_value": "2026-03-01T09:00:00.123456Z", "max_value": "2026-03-03T00:00:00.123456Z"},
        "big": {"min_value": 2**53, "max_value": 2**53 + 39},
    }
    assert {column: kwargs for (kind, column), kwargs in details.items() if kind == IN_SET} == {
        "shop": {"value_set": ["a", "b"]},
        "open": {"value_set": [False, True]},
    }
    assert details[COUNT, ""] == {"min_value": 20, "max_value": 80}


def test_a_proposal_loads_and_is_met_by_the_rows_it_was_made_from(standing, rows):
    path = standing.project.expectations / "gold" / "daily_store_sales.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(proposed(standing.graph.node(GOLD), rows))
    suite = load_suites(standing.project)[GOLD]
    path.unlink()
    whole = replace(suite, expectations=tuple(replace(item, scope="table") for item in suite.expectations))
    results = judge_batch(whole, rows, {}, table=True)
    assert len(results) == len(suite.expectations) > 15
    assert [result.said for result in results if not result.success] == []


def test_the_verb_proposes_a_suite_that_its_table_meets(standing, invoke):
    done = invoke("--profile", SALES)
    assert done.exit_code == 0, done.exception
    suite = json.loads(done.stdout)
    assert suite["name"] == SALES and done.stdout == normalised(done.stdout)
    unique = [item["kwargs"] for item in suite["expectations"] if item["type"] == "expect_column_values_to_be_unique"]
    assert unique == [{"column": "transaction_id"}]
    (standing.project.expectations / "silver").mkdir(parents=True, exist_ok=True)
    (standing.project.expectations / "silver/transactions.json").write_text(done.stdout)
    results = json.loads(invoke("--table", SALES, "--json").output)["tables"][0]["results"]
    assert [result["expectation"] for result in results if not result["success"]] == []


def test_without_rows_or_a_table_nothing_is_proposed(standing, rows, invoke):
    with pytest.raises(UsageError, match="no rows"):
        proposed(standing.graph.node(GOLD), rows.limit(0))
    assert "as they were sent" in refused(invoke("--profile", "bronze.transactions"))
    assert "exclude each other" in refused(invoke("--profile", SALES, "--table", SALES))


# --- recorded results of a run


def test_a_run_records_results_also_of_a_refused_batch(new_world, tmp_path, caplog):
    world = new_world()
    project = tmp_path / "project"
    expect(world, project, SALES, expectation(BETWEEN, "warning", {"name": "totals"}, column="total", min_value=11))
    expect(world, project, GOLD, expectation(COUNT, meta={"name": "days"}, max_value=1))
    world.upload([sale(1), sale(2, total="12.50")], key="first")
    world.run_well("+" + GOLD)
    world.upload([sale(3), sale(4, day=2)], key="second")
    assert world.run("+" + GOLD)[GOLD].status == "failed"
    keys = ("table", "version", "expectation", "success", "judged", "unexpected", "observed")
    details = [tuple(row[key] for key in keys) for row in newest(world.planner().ledger, None).to_pylist()]
    assert sorted(details, key=str) == [
        (GOLD, 0, "days", True, None, None, "1"),
        (GOLD, None, "days", False, None, None, "2"),
        (SALES, 0, "totals", False, 2, 1, None),
        (SALES, 1, "totals", False, 2, 2, None),
    ]
    Path(world.path(TABLE)).rename(tmp_path / "results")
    Path(world.path(TABLE)).write_text("no folder")
    world.upload([sale(5)], key="third")
    assert world.run("+" + SALES)[SALES].status == "done"
    assert f"{TABLE} was not written" in caplog.text


# --- GX's Data Docs


@pytest.fixture
def judged(tmp_path: Path) -> Lake:
    """A lake on which two batches of silver.sales were checked by its suite, and one by another suite."""
    lake = Lake(tmp_path)
    expectations = [
        expectation(BETWEEN, "warning", {"name": "amounts"}, column="amount", min_value=0),
        expectation(COUNT, "critical", min_value=1),
        expectation(QUERY, "info", unexpected_rows_query="SELECT * FROM {batch} WHERE day > '2030-01-01'"),
    ]
    suite = {"name": "silver.sales", "expectations": expectations}
    lake.write("conf/expectations/silver/sales.json", json.dumps(suite))
    lake.write("conf/expectations/gold/daily.json", json.dumps({"name": "gold.daily", "expectations": []}))
    lake.built()
    names = ("amounts", COUNT, QUERY)
    for failing, by in ((1, "another"), (2, None), (0, None)):
        amounts = ("amount",), "row", "warning", not failing, 10, failing, None, ("-17.5",)
        results = [
            quality.Result(names[0], BETWEEN, *amounts),
            quality.Result(names[1], COUNT, (), "batch", "critical", True, observed="10"),
            quality.Result(names[2], QUERY, (), "batch", "info", True, unexpected=0, observed="0"),
        ]
        hash_ = by or load_suites(lake.project)["silver.sales"].hash
        lake.sales([], quality=[result.as_dict() for result in results], suite=hash_)
    return lake


def test_data_docs_show_the_suites_and_the_batches_they_judged(judged, tmp_path, monkeypatch):
    def no_network(*arguments: Any) -> None:
        raise AssertionError(f"a network connection: {arguments}")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", no_network)
        patch.setattr(socket, "getaddrinfo", no_network)
        arguments = ["--project", str(judged.project.root), "--docs", str(tmp_path / "site"), "--json"]
        done = CliRunner().invoke(check.command, arguments)
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout) == {"index": str(tmp_path / "site/index.html"), "suites": 2, "batches": 2}
    assert (tmp_path / "site/expectations/silver/sales.html").is_file()
    assert (tmp_path / "site/expectations/gold/daily.html").is_file()
    older, newer = sorted((tmp_path / "site/validations").rglob("*.html"), key=lambda page: page.name)
    assert (older.stem, newer.stem) == ("version-2", "version-3")
    assert "-17.5" in older.read_text() and "Failed" in older.read_text()
    assert "2 unexpected values found" in re.sub(r"<[^>]*>|\s+", " ", older.read_text()).replace("  ", " ")
    index = (tmp_path / "site/index.html").read_text()
    assert "silver.sales" in index and "version-3" in index


def test_data_docs_are_built_again_over_themselves_only(judged, tmp_path):
    site = tmp_path / "site"
    arguments = ["--project", str(judged.project.root), "--docs", str(site)]
    for _ in range(2):
        assert "2 suites, 2 batches" in CliRunner().invoke(check.command, arguments).output
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.html").write_text("")
    assert "something else" in refused(CliRunner().invoke(check.command, [*arguments[:-1], str(other)]))
