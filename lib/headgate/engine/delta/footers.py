"""What a commit has to say of a Parquet file: rows, statistics and partition values, read from the file's footer."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import obstore
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from headgate.engine.delta.files import NewFile
from headgate.engine.delta.statistics import statistics

_READERS = 16
_LIKELY = 64 * 1024  # bytes that hold most footers
_TAIL = 8  # a footer's length and a mark


@dataclass(frozen=True)
class StoredFile:
    """A file in the lake: its path below the lake, its bytes, and when it was written (milliseconds since 1970)."""

    path: str
    size: int
    modified: int


@dataclass(frozen=True)
class Layout:
    """A table's folder below the lake, its partition columns, and the columns that get statistics (None: all)."""

    folder: str
    partition_by: tuple[str, ...]
    indexed: frozenset[str] | None


def describe_files(store: ObjectStore, layout: Layout, files: Sequence[StoredFile]) -> list[NewFile]:
    """The files as a commit names them, by path. Files without rows are left out: no version needs them."""
    with ThreadPoolExecutor(min(_READERS, max(1, len(files)))) as pool:
        described = pool.map(lambda file: _describe(store, layout, file), sorted(files, key=lambda file: file.path))
        return [file for file in described if file.rows]


def read_footer(store: ObjectStore, path: str, size: int) -> pq.FileMetaData:
    """Returns a file's footer, with one ranged read, or two for a long footer."""
    end = bytes(obstore.get_range(store, path, start=max(0, size - _LIKELY), end=size))
    length = int.from_bytes(end[-_TAIL:-4], "little") + _TAIL
    if length > len(end):
        end = bytes(obstore.get_range(store, path, start=size - length, end=size))
    return pq.read_metadata(io.BytesIO(end[-length:]))


def _describe(store: ObjectStore, layout: Layout, file: StoredFile) -> NewFile:
    footer = read_footer(store, file.path, file.size)
    values = _partition(store, layout, file, footer) if footer.num_rows else {}
    path = file.path.removeprefix(f"{layout.folder}/")
    details = statistics(footer, layout.indexed, layout.partition_by)
    return NewFile(path, file.size, values, file.modified, footer.num_rows, details)


def _partition(store: ObjectStore, layout: Layout, file: StoredFile, footer: pq.FileMetaData) -> dict[str, str | None]:
    """The file's partition values, from its footer, or from its first row if the footer lacks a value."""
    values, unknown = dict[str, str | None](), list[str]()
    for name in layout.partition_by:
        known, value = _only_value(footer, name)
        if known:
            values[name] = delta_text(value)
        else:
            unknown.append(name)
    if unknown:
        first = _first_row(_Source(store, file), unknown)
        values |= {name: delta_text(first[name]) for name in unknown}
    return {name: values[name] for name in layout.partition_by}


def _only_value(footer: pq.FileMetaData, name: str) -> tuple[bool, Any]:
    """Whether the statistics tell the only value that the column has, and that value."""
    column = next(n for n in range(footer.num_columns) if footer.schema.column(n).path == name)
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    details = [group.column(column).statistics for group in groups if group.num_rows]
    if not all(part and part.has_null_count for part in details):
        return False, None
    if all(part.null_count == group.num_rows for part, group in zip(details, groups, strict=True)):
        return True, None
    if footer.schema.column(column).physical_type in ("FLOAT", "DOUBLE"):  # no NaN, and no sign of zero
        return False, None
    if not all(part.has_min_max for part in details):
        return False, None
    try:
        values = {value for part in details for value in (part.min, part.max)}
    except (ValueError, ArithmeticError, NotImplementedError):  # such as a year that Python does not have
        return False, None
    if len(values) != 1 or any(part.null_count for part in details):
        raise ValueError(f"a file has more than one value of {name}: {sorted(map(repr, values))[:3]}")
    return True, values.pop()


def _first_row(source: _Source, names: list[str]) -> dict[str, Any]:
    batch = next(pq.ParquetFile(source).iter_batches(batch_size=1, columns=names))
    return {name: batch.column(name)[0].as_py() for name in names}


class _Source(io.RawIOBase):
    """An object of the lake as a file that pyarrow can read parts of."""

    def __init__(self, store: ObjectStore, file: StoredFile) -> None:
        self._store, self._file, self._at = store, file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._file.size if size < 0 else min(self._at + size, self._file.size)
        if self._at >= end:
            return b""
        start, self._at = self._at, end
        return bytes(obstore.get_range(self._store, self._file.path, start=start, end=end))


def delta_text(value: Any) -> str | None:
    """A partition value as Delta's log has it. A moment is in UTC."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case float():
            return _real(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            at = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            return at.isoformat(sep="T" if value.tzinfo else " ", timespec="microseconds") + "Z" * bool(value.tzinfo)
        case date():
            return value.isoformat()
    return str(value)


def _real(value: float) -> str:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return "NaN" if math.isnan(value) else repr(value)
