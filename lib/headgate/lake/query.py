"""SQL over Delta tables without a JVM, with streamed results: queries aggregate large data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa

#: The approximate number of values per pass. A pass keeps its values in memory.
PASS_VALUES = 5_000_000
_MOST_PASSES = 256  # two hex digits of a hash


class Query:
    """SQL over the tables it was made with, by their names there; a name's value is a `deltalake` table."""

    def __init__(self, **tables: Any) -> None:
        from deltalake import QueryBuilder

        self._builder = QueryBuilder()
        for name, table in tables.items():
            self._builder.register(name, table)

    def table(self, sql: str) -> pa.Table:
        """The answer, whole."""
        return self._stream(sql).read_all()

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """The answer in Arrow batches, as they come."""
        yield from self._stream(sql)

    def _stream(self, sql: str) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_stream(self._builder.execute(sql))

    def rows(self, sql: str) -> Iterator[dict[str, Any]]:
        """The rows of the answer, as they come."""
        for batch in self.batches(sql):
            yield from batch.to_pylist()

    def row(self, sql: str) -> dict[str, Any]:
        """The one row of the answer."""
        return next(iter(self.rows(sql)))


def passes(columns: tuple[str, ...], values: int) -> Iterator[str]:
    """Conditions that split the values of `columns` in parts of about PASS_VALUES: each value is in one part."""
    count = min(-(-values // PASS_VALUES), _MOST_PASSES)
    if count <= 1:
        yield "TRUE"
        return
    text = " || '|' || ".join(f"coalesce(CAST({quoted(name)} AS VARCHAR), '')" for name in columns)
    bounds = [number * _MOST_PASSES // count for number in range(count + 1)]
    for least, end in pairwise(bounds):
        yield f"substr(md5({text}), 1, 2) BETWEEN '{least:02x}' AND '{end - 1:02x}'"


def quoted(name: str) -> str:
    """A column's name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def columns_of(table: Any) -> list[str]:
    """The names of a table's columns."""
    return [field.name for field in table.schema().fields]
