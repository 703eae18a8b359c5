"""Trino (the engine of Athena 3), DuckDB, Spark and the read API give the same rows of every gold table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pytest

from headgate.contracts.read_access import ReadApi
from headgate.contracts.table_contract import TableContract, load_table_contracts
from headgate.http.keys import digest_of
from headgate.queries.local import run_locally
from headgate.queries.saved import load_queries
from headgate.queries.sql import for_athena, parsed
from read_api.app import create_app
from tests.read_api.tables import contract_of
from tests.trino.conftest import HARD, ODD_PARTS, UNFIT_PARTS, Gold

pytestmark = pytest.mark.trino

RETAIL = [
    "gold.customer_value",
    "gold.daily_store_sales",
    "gold.dim_customers",
    "gold.dim_products",
    "gold.dim_stores",
    "gold.fct_orders",
    "gold.fct_sales",
    "gold.product_performance",
]
_EXACT = Context(prec=80)  # more than any decimal has, so that nothing is rounded
QUERIES = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "queries").glob("*.sql"))


def canonical(value: Any) -> Any:
    """A value as all engines can show it: Trino rounds timestamps to the millisecond."""
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.replace(microsecond=0) + timedelta(milliseconds=(moment.microsecond + 500) // 1000)
    if isinstance(value, Decimal):
        return _EXACT.normalize(value)
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return repr(value) if isinstance(value, float) else value


def ordered(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    return sorted(([canonical(value) for value in row] for row in rows), key=repr)


def columns_of(gold: Gold, table: str) -> list[str]:
    ledger = gold.ledger
    return [n for n in ledger.schema(table, ledger.head(table).version) if not n.startswith("_")]


def by_duckdb(gold: Gold, sql: str) -> list[list[Any]]:
    return [list(row.values()) for row in run_locally(gold.ledger, parsed(sql)).to_pylist()]


def by_spark(spark, gold: Gold, table: str, columns: list[str]) -> list[list[Any]]:
    address = gold.environment.table_uri(table).replace("s3://", "s3a://")
    return [list(row) for row in spark.read.format("delta").load(address).select(*columns).collect()]


def by_read_api(gold: Gold, table: str, contracts: dict[str, TableContract]) -> list[dict[str, Any]]:
    """The rows of all pages, as JSON has them."""
    scopes = {"tables": ["gold.*"], "personal": True}
    clients = {"tests": {"keys": [{"sha256": digest_of("key")}], "scopes": scopes}}
    environment = gold.environment.__class__(**{**vars(gold.environment), "read_api": ReadApi(clients=clients)})
    client = create_app(environment, contracts, b"secret").test_client()
    headers = {"Authorization": "Bearer key"}
    rows, address = [], f"/v1/tables/{table}/rows?limit=200"
    while address:
        answer = client.get(address, headers=headers)
        assert answer.status_code == 200, answer.text
        document = json.loads(answer.data, parse_float=str)
        rows += document["rows"]
        address = document["next"]
    return rows


def as_json(value: Any) -> Any:
    """A value of Trino as the read API's JSON has it, times to the millisecond."""
    if isinstance(value, datetime):
        return canonical(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return canonical(value)
    return [as_json(item) for item in value] if isinstance(value, list) else value


def from_json(value: Any, like: Any) -> Any:
    """A value of the read API in the form of `as_json`; `like` is Trino's value in its place."""
    if value is None:
        return None
    if isinstance(like, datetime):
        return canonical(datetime.fromisoformat(value))
    if isinstance(like, Decimal):
        return canonical(Decimal(str(value)))
    if isinstance(like, float):
        return float(value)
    return int(value) if isinstance(like, int) and not isinstance(like, bool) else value


@pytest.mark.parametrize("table", RETAIL)
def test_every_engine_reads_the_same_rows_of_the_retailers_gold(retail, trino, spark, repository, table):
    assert set(RETAIL) == set(retail.tables)
    assert_agreement(retail, trino, spark, table, load_table_contracts(repository))


@pytest.mark.parametrize("table", HARD)
def test_every_engine_reads_the_same_hard_values(hard, trino, spark, table):
    count = assert_agreement(hard, trino, spark, table, {table: contract_of(hard.ledger, table)})
    assert count == len(HARD[table])


def test_a_column_with_an_empty_text_is_no_partition(hard):
    partitions = {table: list(hard.ledger.open(table).metadata().partition_columns) for table in HARD}
    assert partitions == {"gold.hard": ["part", "day"], "gold.unfit": ["day"], "gold.empty": ["part", "day"]}


def assert_agreement(gold: Gold, trino, spark, table: str, contracts: dict[str, TableContract]) -> int:
    """Compares all rows of a table, read by the four of them; returns how many there are."""
    columns = columns_of(gold, table)
    names = ", ".join(f'"{name}"' for name in columns)
    rows = trino.rows(f"SELECT {names} FROM {table.removeprefix('gold.')}")
    expected = ordered(rows)
    assert len(rows) > 0 or table == "gold.empty"
    assert ordered(by_duckdb(gold, f"SELECT {names} FROM {table}")) == expected
    assert ordered(by_spark(spark, gold, table, columns)) == expected
    answered = by_read_api(gold, table, contracts)
    kinds = [next((row[i] for row in rows if row[i] is not None), None) for i in range(len(columns))]
    typed = [[from_json(row[name], kind) for name, kind in zip(columns, kinds, strict=True)] for row in answered]
    assert sorted(typed, key=repr) == sorted(([as_json(value) for value in row] for row in rows), key=repr)
    return len(rows)


@pytest.mark.parametrize("table", [*RETAIL, *HARD])
def test_counts_sums_and_nulls_agree(request, trino, spark, table):
    gold = request.getfixturevalue("retail" if table in RETAIL else "hard")
    types = gold.ledger.schema(table, gold.ledger.head(table).version)
    parts = ["count(*)"]
    for name, kind in types.items():
        parts += [f"count({name})", f"count(DISTINCT {name})"] if isinstance(kind, str) else [f"count({name})"]
        if isinstance(kind, str) and kind.startswith("decimal(18"):
            parts.append(f"sum({name})")
        elif kind in ("date", "timestamp", "long", "integer"):
            parts += [f"min({name})", f"max({name})"]
    aggregates = ", ".join(f"{part} AS c{number}" for number, part in enumerate(parts))
    (expected,) = ordered(trino.rows(f"SELECT {aggregates} FROM {table.removeprefix('gold.')}"))
    assert ordered(by_duckdb(gold, f"SELECT {aggregates} FROM {table}")) == [expected]
    address = gold.environment.table_uri(table).replace("s3://", "s3a://")
    spark.read.format("delta").load(address).createOrReplaceTempView("compared")
    assert ordered(spark.sql(f"SELECT {aggregates} FROM compared").collect()) == [expected]


CASES = [*(("hard", part) for part in ODD_PARTS), *(("unfit", part) for part in UNFIT_PARTS)]


@pytest.mark.parametrize(("table", "part"), CASES, ids=repr)
def test_a_condition_on_a_text_selects_its_row(hard, trino, table, part):
    quoted = "'" + part.replace("'", "''") + "'" if part is not None else ""
    condition = f"part = {quoted}" if part is not None else "part IS NULL"
    parts = UNFIT_PARTS if table == "unfit" else ODD_PARTS
    expected = [[2**53 + 1, -(2**63), 2**63 - 1, *range(len(parts) - 3)][parts.index(part)]]
    query = f"SELECT number FROM {table} WHERE {condition}"
    assert by_duckdb(hard, query) == trino.rows(query) == [expected]


def test_a_condition_on_the_partition_reads_that_partition_only(retail, trino):
    (day, count), *_ = trino.rows("SELECT sale_date, count(*) FROM fct_sales GROUP BY sale_date ORDER BY 2 DESC")
    rows, statistics = trino.run(f"SELECT transaction_id FROM fct_sales WHERE sale_date = date '{day}'")
    assert len(rows) == count
    assert statistics["processedRows"] == count
    assert count < trino.rows("SELECT count(*) FROM fct_sales")[0][0]


@pytest.mark.parametrize("name", QUERIES)
def test_a_saved_query_runs_on_trino_and_gives_what_duckdb_gives(retail, repository, trino, name):
    query = parsed(load_queries(repository)[name].sql)
    rows = trino.rows(for_athena(query))
    local = [list(row.values()) for row in run_locally(retail.ledger, query).to_pylist()]
    assert [[canonical(value) for value in row] for row in local] == [
        [canonical(value) for value in row] for row in rows
    ]


def test_comments_and_columns_are_those_of_the_contract(retail, trino):
    described = {row[0]: row[3] for row in trino.rows("SHOW COLUMNS FROM daily_store_sales")}
    assert list(described) == columns_of(retail, "gold.daily_store_sales")
