"""Runs a query in Athena and reads its rows, typed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from headgate.errors import AwsError

_POLL_SECONDS = (0.2, 2.0)  # at first, and at most
_PAGE = 1000  # the most that Athena gives
#: Of the error categories of Athena: 1 is Athena's own, 2 the user's, 3 others.
_SYSTEM = 1
_INTEGERS = ("tinyint", "smallint", "integer", "int", "bigint")


@dataclass(frozen=True)
class AthenaResult:
    """The rows of a query, how many bytes it scanned, and how long Athena worked on it."""

    rows: pa.Table
    scanned_bytes: int
    seconds: float
    query_id: str


class Athena:
    """Queries of a workgroup over a database. `client` is boto3's `athena`."""

    def __init__(self, client: Any, database: str, workgroup: str) -> None:
        self._client, self._database, self._workgroup = client, database, workgroup

    def run(self, sql: str, limit: int | None = None) -> AthenaResult:
        """Runs a query and returns its rows, at most `limit` of them.

        A query that is interrupted (Ctrl-C) is stopped in Athena too. Raises AwsError where Athena refuses or fails
        the query; `retryable` where Athena says that its own service failed.
        """
        started = self._client.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": self._database},
            WorkGroup=self._workgroup,
        )
        query_id = started["QueryExecutionId"]
        try:
            execution = self._wait(query_id)
        except KeyboardInterrupt:
            self._client.stop_query_execution(QueryExecutionId=query_id)
            raise
        statistics = execution.get("Statistics", {})
        return AthenaResult(
            rows=self._rows(query_id, limit),
            scanned_bytes=statistics.get("DataScannedInBytes", 0),
            seconds=statistics.get("TotalExecutionTimeInMillis", 0) / 1000,
            query_id=query_id,
        )

    def _wait(self, query_id: str) -> Mapping[str, Any]:
        """The execution when it has succeeded. Raises AwsError where it ends in another way."""
        pause, longest = _POLL_SECONDS
        while True:
            execution = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return execution
            if state in ("FAILED", "CANCELLED"):
                raise self._failure(query_id, execution["Status"])
            time.sleep(pause)
            pause = min(pause * 1.5, longest)

    def _failure(self, query_id: str, status: Mapping[str, Any]) -> AwsError:
        error = status.get("AthenaError", {})
        reason = error.get("ErrorMessage") or status.get("StateChangeReason") or "Athena gave no reason"
        ended = "was cancelled" if status["State"] == "CANCELLED" else "failed"
        return AwsError(
            f"the query {ended}: {reason}",
            where=f"Athena workgroup {self._workgroup}, query {query_id}",
            fix="correct the query; headgate query --engine duckdb checks it without Athena",
            retryable=bool(error.get("Retryable")) or error.get("ErrorCategory") == _SYSTEM,
        )

    def _rows(self, query_id: str, limit: int | None) -> pa.Table:
        columns: list[Mapping[str, Any]] = []
        rows: list[list[Any]] = []
        for page in self._pages(query_id):
            columns = columns or page["ResultSetMetadata"]["ColumnInfo"]
            rows += [_values(row, columns) for row in page["Rows"]]
            if limit is not None and len(rows) > limit:
                break
        if rows and rows[0] == [column["Name"] for column in columns]:
            rows = rows[1:]  # the first row of a SELECT's result holds the names
        return _table(columns, rows if limit is None else rows[:limit])

    def _pages(self, query_id: str) -> Iterator[Mapping[str, Any]]:
        paginator = self._client.get_paginator("get_query_results")
        for page in paginator.paginate(QueryExecutionId=query_id, PaginationConfig={"PageSize": _PAGE}):
            yield page["ResultSet"]


def _values(row: Mapping[str, Any], columns: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """The texts of a row; None for null. A row may be shorter than the columns where the last values are null."""
    texts = [cell.get("VarCharValue") for cell in row["Data"]]
    return texts + [None] * (len(columns) - len(texts))


def _table(columns: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows as Arrow, with numbers, decimals, booleans and dates as such; every other type as Athena's text."""
    names = [column["Name"] for column in columns]
    arrays = [
        pa.array([None if row[index] is None else _typed(row[index], column["Type"]) for row in rows], _arrow(column))
        for index, column in enumerate(columns)
    ]
    return pa.table(arrays, names=names)


def _arrow(column: Mapping[str, Any]) -> pa.DataType:
    kind = column["Type"]
    if kind in _INTEGERS:
        return pa.int64()
    if kind in ("double", "float", "real"):
        return pa.float64()
    if kind == "decimal":
        return pa.decimal128(column.get("Precision") or 38, column.get("Scale") or 0)
    return {"boolean": pa.bool_(), "date": pa.date32()}.get(kind, pa.string())


def _typed(text: str, kind: str) -> Any:
    if kind in _INTEGERS:
        return int(text)
    if kind in ("double", "float", "real"):
        return float(text)
    if kind == "decimal":
        return Decimal(text)
    if kind == "boolean":
        return text == "true"
    return date.fromisoformat(text) if kind == "date" else text
