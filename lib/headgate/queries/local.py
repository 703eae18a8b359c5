"""Runs a query in DuckDB over the tables of a lake, on this machine. No JVM, no service.

Files that the query's conditions exclude, by partition or by their statistics, are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from headgate.errors import UsageError
from headgate.lake.dataset import dataset_of
from headgate.ledger.ledger import Ledger
from headgate.ledger.record_table import live_filter
from headgate.queries.sql import Analysed, Query, analysed, for_duckdb


def run_locally(ledger: Ledger, query: Query, limit: int | None = None) -> pa.Table:
    """The rows of a query, at most `limit` of them. Of a table of silver only live rows are seen.

    Raises InvalidQuery for a query that does not fit the tables, UsageError for a table that is not built and for a
    query that fails.
    """
    tables = _opened(ledger, query)
    sql = for_duckdb(_analysed(ledger, query, tables))
    connection = _connection()
    for number, (name, table) in enumerate(tables.items()):
        _register(connection, f"source_{number}", name, table)
    connection.execute("SET enable_external_access = false")
    try:
        relation = connection.sql(sql)
        return (relation if limit is None else relation.limit(limit)).to_arrow_table()
    except duckdb.Error as error:
        raise UsageError(
            f"the query failed: {str(error).splitlines()[0]}", where=query.file, fix="correct it"
        ) from error
    finally:
        connection.close()


def translated(ledger: Ledger, query: Query) -> str:
    """The query in DuckDB's SQL; raises as `run_locally`."""
    return for_duckdb(_analysed(ledger, query, _opened(ledger, query)))


def _opened(ledger: Ledger, query: Query) -> dict[str, Any]:
    return {name: _open(ledger, name) for name in query.tables}


def _analysed(ledger: Ledger, query: Query, tables: Mapping[str, Any]) -> Analysed:
    return analysed(query, {name: _columns(ledger, name, table) for name, table in tables.items()})


def _open(ledger: Ledger, name: str) -> Any:
    table = ledger.open(name)
    if table is None:
        raise UsageError(f"{name} is not built yet", where="query", fix=f"headgate run -s +{name}")
    return table


def _columns(ledger: Ledger, name: str, table: Any) -> dict[str, Any]:
    """The columns of a table without Headgate's own."""
    types = ledger.schema(name, table.version())
    return {column: kind for column, kind in types.items() if not column.startswith("_")}


def _connection() -> Any:
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")
    return connection


def _register(connection: Any, source: str, name: str, table: Any) -> None:
    """Makes a table readable by its full name. Arrow's dataset knows each file's partition and statistics."""
    data = dataset_of(table)
    names = data.schema.names
    condition = live_filter(names)
    connection.register(source, data.filter(condition) if condition is not None else data)
    layer, _, short = name.partition(".")
    columns = ", ".join(f'"{column}"' for column in names if not column.startswith("_"))
    connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{layer}"')
    connection.execute(f'CREATE VIEW "{layer}"."{short}" AS SELECT {columns} FROM "{source}"')
