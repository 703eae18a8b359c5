"""The `read_api` key of an environment: the address of the read API, its limits, and the access of each client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from headgate.http.keys import clients_schema

_COUNT = {"type": "integer", "minimum": 1, "x-wanted": "a whole number from 1"}
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT, "x-wanted": "a list of texts"}

#: What a client may read; see `Scopes`.
SCOPES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "tables": {**_TEXTS, "x-wanted": "a list of tables such as gold.daily_store_sales or gold.*"},
        "columns": {"type": "object", "additionalProperties": _TEXTS, "x-wanted": "for each table a list of columns"},
        "stores": {**_TEXTS, "x-wanted": "a list of stores"},
        "personal": {"type": "boolean"},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "host": {"type": "string", "minLength": 1, "x-wanted": "a host name or address"},
        "port": {"type": "integer", "minimum": 0, "maximum": 65535, "x-wanted": "a port from 0 to 65535"},
        "workers": _COUNT,
        "threads": _COUNT,
        "max_rows": _COUNT,
        "max_seconds": {"type": "number", "exclusiveMinimum": 0, "x-wanted": "a number of seconds above 0"},
        "memory_mb": _COUNT,
        "max_scan_mb": _COUNT,
        "cache_mb": _COUNT,
        "native_mb": {"type": "integer", "minimum": 0, "x-wanted": "a whole number from 0"},
        "refresh_seconds": {"type": "number", "minimum": 0, "x-wanted": "a number of seconds from 0"},
        "store_column": _TEXT,
        "keys_file": {**_TEXT, "x-wanted": "a file, or secretsmanager:NAME"},
        "clients": clients_schema(SCOPES_SCHEMA),
    },
}


@dataclass(frozen=True)
class Scopes:
    """What a client may read.

    `tables` are names or patterns (`gold.*`); no table is readable without a match. `columns` limits the columns of a
    table, `stores` the rows to those of some stores (None: no limit). `personal` shows columns that the contract
    classifies as personal instead of masking them.
    """

    tables: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stores: tuple[str, ...] | None = None
    personal: bool = False

    def allows(self, table: str) -> bool:
        """Returns whether the client may read the table at all."""
        return any(fnmatchcase(table, pattern) for pattern in self.tables)


@dataclass(frozen=True)
class ReadApi:
    """Settings of the read API.

    `max_rows` bounds a page, `max_seconds` a query, `memory_mb` the query memory of a worker process, `max_scan_mb`
    the data files per query, and `cache_mb` the local copies of data files of a lake on S3. `native_mb` bounds the
    copies of data files that are read often, in the format of the query engine (0: none). A new version of a table is
    visible after at most `refresh_seconds`. `store_column` is the column by which rows belong to a store.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    workers: int = 2
    threads: int = 8
    max_rows: int = 10_000
    max_seconds: float = 30.0
    memory_mb: int = 1024
    max_scan_mb: int = 4096
    cache_mb: int = 4096
    native_mb: int = 2048
    refresh_seconds: float = 1.0
    store_column: str = "store_id"
    keys_file: str = ""
    clients: Mapping[str, Any] = field(default_factory=dict)


def read_api_from(value: Mapping[str, Any]) -> ReadApi:
    """Returns the settings of a checked document."""
    return ReadApi(**value)


def scopes_from(value: Mapping[str, Any]) -> Scopes:
    """Returns the scopes of a checked document."""
    stores = value.get("stores")
    return Scopes(
        tables=tuple(value.get("tables", ())),
        columns={table: tuple(columns) for table, columns in value.get("columns", {}).items()},
        stores=None if stores is None else tuple(stores),
        personal=value.get("personal", False),
    )
