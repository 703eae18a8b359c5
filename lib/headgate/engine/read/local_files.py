"""The rows of small Delta tables read by this process, from the files that the log names.

Delta's own reader runs several Spark jobs for a snapshot, whatever its size. A plain Parquet read of a few small files
gives the same rows (tests/engine/test_table_reader.py compares them). Whatever is not plain here, such as deletion
vectors, a file that is gone, or a nested column that an older file does not have, is left to Delta's reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore
from pyspark.sql.types import StructType

from headgate.contracts.environment import table_path
from headgate.ledger.ledger import Commit, Ledger

#: Up to so many bytes of files, files and rows are read by this process.
MOST_BYTES = 2 * 2**20
MOST_FILES = 200
MOST_ROWS = 20_000

CHANGE_TYPE = "_change_type"
#: The path of a row's file, as the log has it.
FILE = "_file"
_READERS = 8


@dataclass(frozen=True)
class LocalRows:
    """Rows in this process, and their schema as Spark has it."""

    rows: pa.Table
    schema: StructType


@dataclass(frozen=True)
class _File:
    """A data file. change: the change type of all its rows; None where the file has a column of it, or none."""

    path: str
    size: int
    partition: Mapping[str, Any]
    change: str | None = None


class _NotPlain(Exception):
    """Something that Delta's own reader has to read."""


def snapshot(ledger: Ledger, table: str, version: int, *, with_file: bool = False) -> LocalRows | None:
    """All rows of a version; None where Delta's reader has to read them. with_file: with the column `_file`."""
    delta = ledger.open(table, version)
    files = ledger.files(table, version)
    names = ("path", "size_bytes", "num_records")
    paths, sizes, counts = (files[name].to_pylist() for name in names)
    if None in counts or sum(counts) > MOST_ROWS:
        return None
    partitions = delta.metadata().partition_columns
    values = {name: files[f"partition.{name}"].to_pylist() for name in partitions}
    chosen = [
        _File(path, size, {name: values[name][number] for name in partitions})
        for number, (path, size) in enumerate(zip(paths, sizes, strict=True))
    ]
    return _read(ledger, table, delta, chosen, [pa.field(FILE, pa.string())] if with_file else [])


def feed(ledger: Ledger, table: str, since: int, version: int) -> LocalRows | None:
    """The change feed of (since, version] with the columns of `version`; None where Delta's reader has to read it.

    The columns `_commit_version` and `_commit_timestamp` of Delta's feed are left out.
    """
    delta = ledger.open(table, version)
    if delta.metadata().configuration.get("delta.enableChangeDataFeed") != "true":
        return None
    try:
        files = [file for commit in ledger.commits(table, since, version) for file in _changed_files(commit)]
    except _NotPlain:
        return None
    return _read(ledger, table, delta, files, [pa.field(CHANGE_TYPE, pa.string())])


def _changed_files(commit: Commit | None) -> Iterator[_File]:
    """The files that hold a commit's changes: its change data where it has any, else what it added and removed."""
    if commit is None:
        raise _NotPlain
    if any("cdc" in action for action in commit.actions):
        yield from (_file(action["cdc"], None) for action in commit.actions if "cdc" in action)
        return
    for action in commit.actions:
        for name, change in (("add", "insert"), ("remove", "delete")):
            if name in action and action[name].get("dataChange", True):
                yield _file(action[name], change)


def _file(action: Mapping[str, Any], change: str | None) -> _File:
    if action.get("deletionVector") or action.get("size") is None or action.get("partitionValues") is None:
        raise _NotPlain
    return _File(action["path"], action["size"], action["partitionValues"], change)


def _read(
    ledger: Ledger, table: str, delta: Any, files: Sequence[_File], added: Sequence[pa.Field]
) -> LocalRows | None:
    if delta.protocol().min_reader_version != 1 or len(files) > MOST_FILES:
        return None
    if sum(file.size for file in files) > MOST_BYTES or any("://" in file.path for file in files):
        return None
    schema = StructType.fromJson(json.loads(delta.schema().to_json()))
    try:
        wanted = pa.schema([*(field.with_nullable(True) for field in pa.schema(delta.schema().to_arrow())), *added])
        with ThreadPoolExecutor(_READERS) as pool:
            store, folder = ledger.environment.object_store(), table_path(table)
            parts = list(pool.map(lambda file: _rows_of(store, folder, file, wanted), files))
    except (_NotPlain, NotFoundError, FileNotFoundError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    rows = pa.concat_tables(parts) if parts else wanted.empty_table()
    for field in added:
        schema = schema.add(field.name, "string")
    return LocalRows(rows, schema) if rows.num_rows <= MOST_ROWS else None


def _rows_of(store: ObjectStore, folder: str, file: _File, wanted: pa.Schema) -> pa.Table:
    body = obstore.get(store, f"{folder}/{unquote(file.path)}").bytes()
    content = pq.ParquetFile(pa.BufferReader(bytes(body))).read()
    columns = [_column(content, file, field) for field in wanted]
    return pa.Table.from_arrays(columns, schema=wanted)


def _column(content: pa.Table, file: _File, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    """A column of a file. A partition column is what the log says, a column that the file does not have is null."""
    if field.name in file.partition:
        return _repeated(file.partition[field.name], field.type, content.num_rows)
    if field.name == FILE:
        return pa.repeat(pa.scalar(file.path), content.num_rows)
    if field.name == CHANGE_TYPE and file.change is not None:
        return pa.repeat(pa.scalar(file.change), content.num_rows)
    if field.name not in content.column_names:
        return pa.nulls(content.num_rows, field.type)
    column = content.column(field.name)
    if not _is_alike(column.type, field.type):
        raise _NotPlain
    return column.cast(field.type)


def _repeated(value: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """A partition value, as the log's text or as a value already. Empty text is null."""
    if value is None or value == "":
        return pa.nulls(rows, kind)
    if isinstance(value, str) and not pa.types.is_string(kind):
        if pa.types.is_date32(kind):
            value = date.fromisoformat(value)
        elif pa.types.is_integer(kind):
            value = int(value)
        else:
            raise _NotPlain
    elif not (pa.types.is_string(kind) or pa.types.is_date32(kind) or pa.types.is_integer(kind)):
        raise _NotPlain
    return pa.repeat(pa.scalar(value, kind), rows)


def _is_alike(existing: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a file's type holds the same values: units of time and names inside lists and maps may differ."""
    types = pa.types
    if types.is_struct(wanted):
        names = [field.name for field in wanted]
        same = types.is_struct(existing) and [field.name for field in existing] == names
        return same and all(_is_alike(existing.field(name).type, wanted.field(name).type) for name in names)
    if types.is_list(wanted):
        return types.is_list(existing) and _is_alike(existing.value_type, wanted.value_type)
    if types.is_map(wanted):
        pairs = ((existing.key_type, wanted.key_type), (existing.item_type, wanted.item_type))
        return types.is_map(existing) and all(_is_alike(*pair) for pair in pairs)
    if types.is_timestamp(wanted):
        return types.is_timestamp(existing) and (existing.tz is None) == (wanted.tz is None)
    return bool(existing == wanted)
