"""Queries in Athena's SQL: what is refused and where, what DuckDB answers, and the checks of conf/queries."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from headgate.cli.main import headgate
from headgate.contracts.environment import load_environment
from headgate.contracts.table_contract import load_table_contracts, logged_type
from headgate.ledger.ledger import Ledger
from headgate.project import Project
from headgate.queries.check import analysed_query, query_problems
from headgate.queries.local import run_locally
from headgate.queries.saved import load_queries
from headgate.queries.sql import InvalidQuery, analysed, for_athena, parsed

ROOT = Path(__file__).parents[2]
COLUMNS = {
    "gold.daily": {
        "store_id": "string",
        "day": "date",
        "revenue": "decimal(18,2)",
        "items": "long",
        "open": "boolean",
        "at": "timestamp",
        "tags": {"type": "array", "elementType": "string"},
    },
    "silver.sales": {"id": "string"},
}
ODD = "a/b c=ä%'\"?#"  # of a partition


def result(sql: str) -> dict[str, str]:
    return dict(analysed(parsed(sql), COLUMNS).columns)


def problem(sql: str) -> tuple[int, str]:
    with pytest.raises(InvalidQuery) as raised:
        analysed(parsed(sql), COLUMNS)
    return raised.value.problems[0].place.line, raised.value.problems[0].message


@pytest.mark.parametrize(
    ("sql", "line", "expected"),
    [
        ("SELECT store FROM daily", 1, "Column 'store' could not be resolved"),
        ("SELECT day\n  , store_i\nFROM daily", 2, "Column 'store_i' could not be resolved. Did you mean 'store_id'?"),
        ("SELECT * FROM dayly", 0, "no table 'gold.dayly'. Did you mean 'gold.daily'?"),
        ("SELECT * FROM daily WHERE\n  store_id = 5", 2, "compares text with number"),
        ("SELECT * FROM daily WHERE day > '2026-01-01'", 1, "compares a date or time with text"),
        ("SELECT * FROM daily WHERE day BETWEEN '2026-01-01' AND '2026-02-01'", 1, "compares a date or time with text"),
        ("SELECT * FROM daily WHERE items IN (1, 'two')", 1, "compares number with text"),
        ("SELECT items + store_id FROM daily", 1, "calculates with text"),
        ("SELECT sum(store_id) FROM daily", 1, "adds up text"),
        ("SELECT * FROM daily WHERE items", 1, "has a condition that is number"),
        ("SELECT * FROM daily FOR VERSION AS OF 3", 1, "Athena cannot read older versions of a Delta table"),
        ("SELECT FROM WHERE", 1, "Expected table name"),
        ("SELECT 1; SELECT 2", 0, "more than one statement"),
        ("DELETE FROM daily", 0, "no SELECT"),
        ("", 0, "no SELECT"),
    ],
)
def test_what_athena_would_refuse_is_refused_with_its_line(sql, line, expected):
    number, message = problem(sql)
    assert number == line
    assert message.startswith(expected)


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        (
            "SELECT store_id, sum(items) AS items FROM daily GROUP BY store_id",
            {"store_id": "varchar", "items": "bigint"},
        ),
        ("SELECT * FROM daily WHERE day >= date '2026-01-01' AND open", None),
        ("WITH d AS (SELECT day AS x FROM daily) SELECT max(x) AS m FROM d", {"m": "date"}),
        ("SELECT d.day FROM daily d JOIN gold.daily e ON d.day = e.day AND d.revenue > e.items", {"day": "date"}),
        ("SELECT t.tag FROM daily CROSS JOIN UNNEST(tags) AS t (tag)", None),
        ("SELECT day FROM daily WHERE at > timestamp '2026-01-01 00:00:00 UTC' AND day < at", {"day": "date"}),
        ("SELECT id FROM silver.sales", {"id": "varchar"}),
    ],
)
def test_what_athena_takes_passes(sql, types):
    columns = result(sql)
    assert types is None or columns == types


def test_athena_gets_gold_without_a_database_and_no_silver():
    assert for_athena(parsed("SELECT day FROM gold.daily AS d")) == "SELECT day FROM daily AS d"
    with pytest.raises(InvalidQuery, match=r"Athena has no silver\.sales"):
        for_athena(parsed("SELECT id FROM silver.sales"))


# --- DuckDB


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """gold.daily: five rows in partitions, one of them with an odd name, one null; gold.empty has no rows."""
    columns = {
        "part": pa.array(["x", "x", ODD, None, ""], pa.string()),
        "day": [date(2026, 1, number) for number in range(1, 6)],
        "revenue": pa.array(
            [Decimal("0.10"), Decimal("0.20"), None, Decimal("-5.00"), Decimal(7)], pa.decimal128(18, 2)
        ),
        "at": pa.array([datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)] * 5, pa.timestamp("us", "UTC")),
        "items": pa.array([7, 2, None, 2**53 + 1, 0], pa.int64()),
    }
    rows = pa.table(columns)
    write_deltalake(str(tmp_path / "lake/gold/daily"), rows, partition_by=["part"])
    write_deltalake(str(tmp_path / "lake/gold/empty"), rows.slice(0, 0))
    states = {"_state": ["live", "deleted", "rejected"], "id": ["a", "b", None], "_key": ["a", "b", "c"]}
    write_deltalake(str(tmp_path / "lake/silver/sales"), pa.table(states), partition_by=["_state"])
    (tmp_path / "conf/environments").mkdir(parents=True)
    (tmp_path / "conf/environments/local.yaml").write_text("lake: lake\n")
    return Ledger(load_environment(Project(tmp_path), "local", environ={}))


def rows(ledger: Ledger, sql: str, limit: int | None = None) -> list[dict]:
    return run_locally(ledger, parsed(sql), limit).to_pylist()


def test_sums_counts_nulls_and_times_are_exact(ledger):
    sql = "SELECT sum(revenue) AS r, count(*) AS n, count(items) AS i, max(items) AS m, max(at) AS at FROM daily"
    (row,) = rows(ledger, sql)
    assert (row["r"], row["n"], row["i"], row["m"]) == (Decimal("2.30"), 5, 4, 2**53 + 1)
    assert row["at"] == datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)


def test_a_partition_with_an_odd_name_is_read(ledger):
    quoted = ODD.replace("'", "''")
    assert rows(ledger, f"SELECT day FROM daily WHERE part = '{quoted}'") == [{"day": date(2026, 1, 3)}]
    assert rows(ledger, "SELECT count(*) AS n FROM daily WHERE part IS NULL")[0]["n"] >= 1


def test_files_that_the_conditions_exclude_are_not_opened(ledger):
    for file in (Path(ledger.environment.lake) / "gold/daily").rglob("*.parquet"):
        if file.parent.name != "part=x":
            file.write_bytes(b"broken")
    assert rows(ledger, "SELECT sum(revenue) AS r FROM daily WHERE part = 'x'") == [{"r": Decimal("0.30")}]


def test_an_empty_table_has_columns_and_no_rows(ledger):
    table = run_locally(ledger, parsed("SELECT * FROM empty"))
    assert (table.num_rows, table.column_names) == (0, ["part", "day", "revenue", "at", "items"])


def test_only_live_rows_of_silver_are_seen(ledger):
    assert rows(ledger, "SELECT * FROM silver.sales") == [{"id": "a"}]


def test_whole_numbers_divide_as_in_athena_and_a_truncated_date_is_a_date(ledger):
    sql = "SELECT items / 2 AS half, date_trunc('month', day) AS month FROM daily WHERE items = 7"
    assert rows(ledger, sql) == [{"half": 3, "month": date(2026, 1, 1)}]


def test_a_conditional_count_of_nulls_is_zero_as_in_athena(ledger):
    assert rows(ledger, "SELECT count_if(items > 0) AS n FROM daily WHERE items IS NULL") == [{"n": 0}]


def test_a_query_reaches_no_file_of_the_machine(ledger, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(Exception, match="is not built yet"):
        rows(ledger, f'SELECT * FROM "{tmp_path / "secret.csv"}"')


# --- the command, and the project's queries


def command(*arguments: str, project: Path = ROOT):
    return CliRunner().invoke(headgate, ["query", *arguments, "--project", str(project)])


@pytest.fixture
def site(ledger, tmp_path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "conf/queries").mkdir()
    (tmp_path / "conf/queries/days.sql").write_text("-- Days.\nSELECT day, revenue FROM daily ORDER BY day\n")
    return tmp_path


def test_a_saved_query_prints_rows_in_each_format(site):
    assert command("days", "--limit", "1", project=site).output.splitlines()[-1].split() == ["2026-01-01", "0.10"]
    assert json.loads(command("days", "--limit", "1", "--json", project=site).output) == {
        "day": "2026-01-01",
        "revenue": "0.10",
    }
    output = command("days", "--format", "csv", "--limit", "0", project=site).output
    assert output.splitlines()[:2] == ["day,revenue", "2026-01-01,0.10"]
    assert len(output.splitlines()) == 6


def test_without_a_name_the_queries_are_listed(site):
    assert json.loads(command("--json", project=site).output) == {"queries": [{"name": "days", "description": "Days."}]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dayz"], "no query 'dayz'. Did you mean 'days'?"),
        (["--sql", "SELECT x FROM daily"], "Column 'x' could not be resolved"),
        (["--sql", "SELECT x FROM never"], "gold.never is not built yet"),
        (["days", "--sql", "SELECT 1"], "exclude each other"),
        (["days", "--engine", "athena"], "has no catalog"),
    ],
)
def test_mistakes_are_usage_errors(site, arguments, message):
    outcome = command(*arguments, project=site)
    assert message in str(outcome.exception)
    assert outcome.exception.exit_code == 2


def test_check_names_the_file_and_line_of_a_wrong_query(site):
    (site / "conf/queries/wrong.sql").write_text("SELECT day\nFROM gold.daily\n")
    problems = query_problems(Project(site), lambda: COLUMNS)
    shown = {(str(item.place), item.message) for item in problems}
    assert ("conf/queries/wrong.sql:1", "does not say what it answers") in shown
    assert ("conf/queries/wrong.sql:2", "names the database of daily") in shown


def test_every_gold_table_of_the_retailer_has_a_query_and_each_fits_the_contracts():
    project = Project(ROOT)
    contracts = load_table_contracts(project)
    columns = {name: {f.name: logged_type(f) for f in contract.fields} for name, contract in contracts.items()}
    tables = set()
    for query in load_queries(project).values():
        assert query.description
        assert analysed_query(query, columns, query.name).columns
        tables |= set(parsed(query.sql).tables)
    assert tables == {name for name in contracts if name.startswith("gold.")}


# --- docs/analysts.md and docs/connect-bi.md


def test_the_page_for_analysts_lists_every_query_with_its_description():
    listed = dict(
        re.findall(r"^\| \[`(\w+)`\]\(\.\./conf/queries/\1\.sql\) \| (.*) \|$", page("analysts"), re.MULTILINE)
    )
    assert listed == {query.name: query.description for query in load_queries(Project(ROOT)).values()}


@pytest.mark.parametrize("name", ["analysts", "connect-bi"])
def test_the_sql_of_a_page_fits_the_contracts(name):
    contracts = load_table_contracts(Project(ROOT))
    columns = {table: {f.name: logged_type(f) for f in contract.fields} for table, contract in contracts.items()}
    blocks = re.findall(r"^```sql\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in [*blocks, *re.findall(r'--sql "(.*?)"', page(name))]:
        assert analysed(parsed(block), columns).columns


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()
