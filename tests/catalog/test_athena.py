"""Queries on Athena: boto3 against moto's Athena, whose results the test sets, and answers that moto cannot give."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
import httpx
import pyarrow as pa
import pytest
from botocore.stub import Stubber

from headgate.aws.catalog import athena as module
from headgate.aws.catalog.athena import Athena
from headgate.errors import AwsError, UsageError
from tests.catalog.conftest import DATABASE, REGION, Site

GROUP = "site-analysts"
ID = "11111111-2222-3333-4444-555555555555"


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, **more}


def row(*values: str | None) -> dict[str, Any]:
    """A row as Athena sends it: a null has no value."""
    return {"Data": [{} if value is None else {"VarCharValue": value} for value in values]}


COLUMNS = [
    column("store_id", "varchar"),
    column("sold_on", "date"),
    column("revenue", "decimal", Precision=18, Scale=2),
    column("visits", "bigint"),
    column("share", "double"),
    column("open", "boolean"),
    column("closed_at", "timestamp"),
]
ROWS = [
    row(*(c["Name"] for c in COLUMNS)),
    row("s1", "2026-03-01", "9999999999999999.99", "9007199254740993", "0.1", "true", "2026-03-01 18:00:00.000"),
    row("", None, None, None, "NaN", "false", None),
    row(*[None] * 7),
]


@pytest.fixture
def answers(site: Site) -> Callable[..., None]:
    """Sets the results of the next query in moto's Athena, which has the workgroup."""
    site.client("athena").create_work_group(
        Name=GROUP, Configuration={"ResultConfiguration": {"OutputLocation": "s3://lake/athena/"}}
    )

    def set_result(rows: list[Any], columns: list[Any]) -> None:
        results = {"region": REGION, "results": [{"rows": rows, "column_info": columns}]}
        httpx.post(f"{site.endpoint}/moto-api/static/athena/query-results", json=results).raise_for_status()

    return set_result


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    """A boto3 client whose answers the test queues; botocore checks requests and answers against Athena's model."""
    monkeypatch.setattr(module, "_POLL_SECONDS", (0.0, 0.0))
    client = boto3.client("athena", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(client)
    stub.add_response(
        "start_query_execution",
        {"QueryExecutionId": ID},
        {"QueryString": "SELECT 1", "QueryExecutionContext": {"Database": DATABASE}, "WorkGroup": GROUP},
    )
    stub.activate()
    return stub


def state(stub: Stubber, name: str, **status: Any) -> None:
    execution = {"QueryExecutionId": ID, "Status": {"State": name, **status}}
    if name == "SUCCEEDED":
        execution["Statistics"] = {"DataScannedInBytes": 1234, "TotalExecutionTimeInMillis": 1500}
    stub.add_response("get_query_execution", {"QueryExecution": execution}, {"QueryExecutionId": ID})


def page(stub: Stubber, rows: list[Any], token: str | None = None, following: str | None = None) -> None:
    answer: dict[str, Any] = {
        "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": [column("n", "integer")]}}
    }
    wanted = {"QueryExecutionId": ID, "MaxResults": 1000}
    stub.add_response(
        "get_query_results",
        answer | ({"NextToken": following} if following else {}),
        wanted | ({"NextToken": token} if token else {}),
    )


def run(stub: Stubber, limit: int | None = None) -> Any:
    return Athena(stub.client, DATABASE, GROUP).run("SELECT 1", limit)


def test_rows_come_with_their_types(site: Site, answers: Callable[..., None]) -> None:
    answers(ROWS, COLUMNS)
    result = Athena(site.client("athena"), DATABASE, GROUP).run("SELECT * FROM daily")
    assert [str(kind) for kind in result.rows.schema.types] == [
        "string", "date32[day]", "decimal128(18, 2)", "int64", "double", "bool", "string"
    ]  # fmt: skip
    first, second, third = result.rows.to_pylist()
    assert first == {
        "store_id": "s1",
        "sold_on": datetime.date(2026, 3, 1),
        "revenue": Decimal("9999999999999999.99"),
        "visits": 9007199254740993,
        "share": 0.1,
        "open": True,
        "closed_at": "2026-03-01 18:00:00.000",
    }
    assert (second["store_id"], second["revenue"], second["share"] != second["share"]) == ("", None, True)
    assert set(third.values()) == {None}


def test_no_rows_are_an_empty_table(site: Site, answers: Callable[..., None]) -> None:
    answers(ROWS[:1], COLUMNS)
    result = Athena(site.client("athena"), DATABASE, GROUP).run("SELECT * FROM daily WHERE false")
    assert (len(result.rows), result.rows.column_names) == (0, [c["Name"] for c in COLUMNS])


def test_headgate_query_runs_on_athena(site: Site, answers: Callable[..., None], rows: pa.Table) -> None:
    site.build(rows)
    answers([row("store_id", "revenue"), row("s1", "1.50")], [COLUMNS[0], COLUMNS[2]])
    sql = "SELECT store_id, revenue FROM gold.daily WHERE revenue > 1"
    result = site.headgate("query", "--sql", sql, "--json", HEADGATE_CATALOG_WORKGROUP=GROUP)
    assert json.loads(result.stdout) == {"store_id": "s1", "revenue": "1.50"}
    (sent,) = site.client("athena").list_query_executions(WorkGroup=GROUP)["QueryExecutionIds"]
    execution = site.client("athena").get_query_execution(QueryExecutionId=sent)["QueryExecution"]
    assert execution["Query"] == "SELECT store_id, revenue FROM daily WHERE revenue > 1"
    assert execution["QueryExecutionContext"] == {"Database": DATABASE}


def test_a_missing_workgroup_is_named(site: Site, rows: pa.Table) -> None:
    site.build(rows)
    result = site.headgate("query", "--sql", "SELECT 1 AS n FROM daily", "--engine", "athena", code=2)
    assert isinstance(result.exception, UsageError)
    assert "catalog.workgroup" in str(result.exception)


def test_a_result_of_several_pages_is_read_whole_and_its_names_are_no_row(stub: Stubber) -> None:
    state(stub, "QUEUED")
    state(stub, "RUNNING")
    state(stub, "SUCCEEDED")
    page(stub, [row("n"), *(row(str(n)) for n in range(999))], None, "second")
    page(stub, [row(str(n)) for n in range(999, 1200)], "second")
    result = run(stub)
    assert result.rows["n"].to_pylist() == list(range(1200))
    assert (result.scanned_bytes, result.seconds, result.query_id) == (1234, 1.5, ID)
    stub.assert_no_pending_responses()


def test_no_page_is_read_beyond_the_limit(stub: Stubber) -> None:
    state(stub, "SUCCEEDED")
    page(stub, [row("n"), *(row(str(n)) for n in range(999))], None, "second")
    assert run(stub, limit=999).rows["n"].to_pylist() == list(range(999))
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("name", "error", "retryable", "message"),
    [
        (
            "FAILED",
            {"ErrorCategory": 2, "ErrorMessage": "COLUMN_NOT_FOUND: line 1:8"},
            False,
            "failed: COLUMN_NOT_FOUND",
        ),
        ("FAILED", {"ErrorCategory": 1, "ErrorMessage": "internal"}, True, "failed: internal"),
        ("FAILED", {"ErrorCategory": 3, "Retryable": True}, True, "failed: Athena gave no reason"),
        ("CANCELLED", {}, False, "was cancelled"),
    ],
)
def test_a_query_that_fails_says_why_and_whether_a_retry_helps(
    stub: Stubber, name: str, error: dict[str, Any], retryable: bool, message: str
) -> None:
    state(stub, name, **({"AthenaError": error} if error else {"StateChangeReason": "by an administrator"}))
    with pytest.raises(AwsError) as raised:
        run(stub)
    assert message in str(raised.value)
    assert (raised.value.retryable, ID in str(raised.value)) == (retryable, True)


def test_an_interrupted_query_is_stopped(stub: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    state(stub, "RUNNING")
    stub.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(stub)
    stub.assert_no_pending_responses()
