"""Reads the rows of a parquet file as JSON objects, exactly: decimals keep their digits, moments are ISO 8601.

Arrow's own values would go through pandas for nanoseconds, and fail for a year beyond 9999. What a column
holds that has no form in JSON (binary, maps, durations) refuses the file: a part of it would be lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

_BATCH_ROWS = 4096
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1)
_MICROSECONDS = {"s": lambda n: n * 10**6, "ms": lambda n: n * 1000, "us": lambda n: n, "ns": lambda n: n // 1000}


class NotParquet(Exception):
    """The file cannot be read, or has a column that JSON cannot hold. `records` are its rows, None if not known."""

    def __init__(self, problem: str, records: int | None = None) -> None:
        super().__init__(problem)
        self.records = records


def json_rows(body: bytes) -> Iterator[bytes]:
    """Each row as a JSON object with every column, in order, read row group by row group. Raises NotParquet."""
    records = None
    try:
        file = pq.ParquetFile(pa.BufferReader(body), page_checksum_verification=True)
        records = file.metadata.num_rows
        if fault := _field_fault("", list(file.schema_arrow)):
            raise NotParquet(fault, records)
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group]):
                rows = _objects(batch.schema.names, batch.columns, batch.num_rows)
                # orjson leaves each result in a buffer of 4 KB: a copy needs less memory.
                yield from (bytes(bytearray(orjson.dumps(row))) for row in rows)
    except UnicodeDecodeError as error:
        raise NotParquet(f"parquet with text that is not UTF-8: {error.reason}", records) from error
    except (pa.ArrowException, OSError) as error:
        raise NotParquet(f"not parquet, or cut: {str(error).splitlines()[0]}", records) from error


def _field_fault(path: str, fields: list[pa.Field]) -> str:
    """Why fields cannot be read: two have one name, or a field has no form in JSON; empty where they can."""
    names = [field.name for field in fields]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"two columns have the name '{path}{twice[0]}': rename one column"
    return next(filter(None, (_type_fault(f"{path}{field.name}", field.type) for field in fields)), "")


def _type_fault(name: str, kind: pa.DataType) -> str:
    if kinds.is_struct(kind):
        return _field_fault(f"{name}.", list(kind))
    if _is_list(kind):
        return _type_fault(f"{name}[]", kind.value_type)
    if _is_scalar(_plain(kind)):
        return ""
    return f"the column '{name}' is {kind}, which has no form in JSON: write it as text"


def _is_list(kind: pa.DataType) -> bool:
    views = kinds.is_list_view(kind) or kinds.is_large_list_view(kind)
    return views or kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)


def _is_scalar(kind: pa.DataType) -> bool:
    numeric = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind) or kinds.is_boolean(kind)
    timed = kinds.is_timestamp(kind) or kinds.is_date(kind) or kinds.is_time(kind)
    return numeric or timed or _is_text(kind) or kinds.is_null(kind) or isinstance(kind, pa.UuidType | pa.JsonType)


def _is_text(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if kinds.is_dictionary(kind) else kind


def _objects(names: list[str], columns: list[pa.Array], rows: int) -> list[dict[str, Any]]:
    values = [_values(column) for column in columns]
    return [{name: column[row] for name, column in zip(names, values, strict=True)} for row in range(rows)]


def _values(array: pa.Array) -> list[Any]:
    """The array's values as orjson takes them; None for null."""
    kind = array.type
    if kinds.is_dictionary(kind):
        return _values(array.dictionary_decode())
    if isinstance(kind, pa.JsonType):  # a JSON document is its text
        return _values(array.storage)
    if isinstance(kind, pa.UuidType):
        return [None if value is None else str(UUID(bytes=value)) for value in array.storage.to_pylist()]
    if kinds.is_struct(kind):
        objects = _objects([field.name for field in kind], array.flatten(), len(array))
        return [item if valid else None for item, valid in zip(objects, array.is_valid().to_pylist(), strict=True)]
    if _is_list(kind):
        return _lists(array)
    write = _writer(kind)
    if kinds.is_timestamp(kind) or kinds.is_date(kind):
        array = array.cast(pa.int32() if kinds.is_date32(kind) else pa.int64())
    elif kinds.is_time(kind):
        array = array.cast(pa.string())
    return [None if value is None else write(value) for value in array.to_pylist()]


def _lists(array: pa.Array) -> list[list[Any] | None]:
    if kinds.is_list_view(array.type) or kinds.is_large_list_view(array.type):
        array = array.cast(pa.large_list(array.type.value_field))
    values = iter(_values(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [None if length is None else [next(values) for _ in range(length)] for length in lengths]


def _writer(kind: pa.DataType) -> Callable[[Any], Any]:
    """Returns the conversion of a value to a type that orjson accepts."""
    if kinds.is_timestamp(kind):
        return partial(_moment, _MICROSECONDS[kind.unit])
    if kinds.is_date32(kind):
        return _day
    if kinds.is_date64(kind):
        return lambda milliseconds: _day(milliseconds // 86_400_000)
    if kinds.is_decimal(kind):
        return lambda value: orjson.Fragment(format(value, "f"))
    return _number if kinds.is_floating(kind) else lambda value: value


def _moment(to_microseconds: Callable[[int], int], value: int) -> str:
    """ISO 8601 in UTC; a moment that has none stays a number, which typing refuses by name."""
    try:
        moment = _EPOCH + timedelta(microseconds=to_microseconds(value))
    except OverflowError:
        return str(value)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _day(days: int) -> str:
    try:
        return (_FIRST_DAY + timedelta(days=days)).isoformat()
    except OverflowError:
        return str(days)


def _number(value: float) -> float | str:
    """JSON has no NaN and no infinity; a `double` accepts them as text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
