"""Reads rows of tables without a JVM, for `headgate show` and `headgate receipt`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from headgate.errors import UsageError
from headgate.lake.dataset import dataset_of
from headgate.lake.upload_identity import Upload
from headgate.ledger.ledger import Ledger
from headgate.ledger.record_table import KEY, RECEIPT, REJECTED, UPLOAD_KEY, State, live_filter, state_filter
from headgate.table import SOURCE


def live_rows(ledger: Ledger, table: str, limit: int | None, version: int | None = None) -> pa.Table:
    """The live rows of a table, without Headgate's own columns; bronze as it is. At most `limit` of them.

    version: the newest by default. Raises FileNotFoundError where a version's files were vacuumed.
    """
    data = _dataset(ledger, table, version)
    if table.startswith("bronze."):
        records = state_filter(State.LIVE) | state_filter(State.UNREADABLE)
        return _read(data, [n for n in data.schema.names if n != "receipt"], records, limit)
    business = [name for name in data.schema.names if not name.startswith("_")]
    return _read(data, business, live_filter(data.schema.names), limit)


def receipt(ledger: Ledger, table: str, upload: str) -> dict[str, Any] | None:
    """The counts that a Merge table's receipt tells of an upload, or None where it has none yet."""
    rows = _read(_dataset(ledger, table), [RECEIPT], ds.field(KEY) == f"{UPLOAD_KEY}{upload}", 1).to_pylist()
    return rows[0][RECEIPT] if rows else None


def rejections(ledger: Ledger, table: str, upload: str, limit: int) -> list[dict[str, Any]]:
    """Returns the rejected records of an upload."""
    wanted = state_filter(State.REJECTED) & (ds.field(SOURCE, "upload") == upload)
    rows = _read(_dataset(ledger, table), [SOURCE, REJECTED], wanted, limit)
    return [_flat(row) for row in rows.to_pylist()]


def bronze_receipt(ledger: Ledger, upload: Upload) -> dict[str, Any] | None:
    """The receipt row that bronze wrote for an upload, or None where it has none yet."""
    table = f"bronze.{upload.dataset}"
    if ledger.open(table) is None:
        return None
    day = ds.field("dt") == pa.scalar(upload.hour.date())
    wanted = state_filter(State.RECEIPT) & day & (ds.field("upload") == upload.id)
    rows = _read(_dataset(ledger, table), ["object", "received", "receipt"], wanted, 1).to_pylist()
    return rows[0] if rows else None


def _dataset(ledger: Ledger, table: str, version: int | None = None) -> ds.Dataset:
    delta = ledger.open(table, version)
    if delta is None:
        raise UsageError(f"{table} is not built yet", fix="headgate run")
    return dataset_of(delta)


def _read(data: ds.Dataset, columns: list[str], wanted: ds.Expression | None, limit: int | None) -> pa.Table:
    """The rows that meet a condition: batch by batch, so that a look at a large table stays cheap."""
    scanner = data.scanner(columns=columns, filter=wanted)
    return (
        scanner.to_table() if limit is None else pa.Table.from_batches(_first(scanner, limit), scanner.projected_schema)
    )


def _first(scanner: ds.Scanner, limit: int) -> Iterator[pa.RecordBatch]:
    left = limit
    for batch in scanner.to_batches():
        if left <= 0:
            return
        yield batch.slice(0, left)
        left -= min(left, batch.num_rows)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    source, rejected = row[SOURCE], row[REJECTED]
    return {
        "upload": source["upload"],
        "record": source["record"],
        "received": source["received"],
        "reasons": rejected["reasons"],
        "raw": rejected["raw"],
        "raw_encoding": rejected["raw_encoding"],
    }
