"""Delta's statistics of a data file, from its Parquet footer.

Readers skip files by them, so every statistic must be true for all rows; a missing
statistic only costs time. Bounds of long text are truncated so that they stay valid, and a column with an uncertain
order has none.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow.parquet as pq

#: Of a longer text the bounds are its beginning.
PREFIX = 64
_GREATEST = "\U0010ffff"


def statistics(footer: pq.FileMetaData, indexed: Container[str] | None = None, without: Container[str] = ()) -> str:
    """The number of rows, and each column's least and greatest value and its nulls, as JSON.

    indexed: the columns, by their dotted paths; None for every column of the first level
    of which the footer tells some. without: the columns that get none: a partition's value is in the log already.
    """
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    least, greatest, nulls = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for number in range(footer.num_columns):
        path = footer.schema.column(number).path
        details = [group.column(number).statistics for group in groups]
        chosen = "." not in path if indexed is None else path in indexed
        if not chosen or path in without or not all(details):
            continue
        if all(item.has_null_count for item in details):
            _put(nulls, path, sum(item.null_count for item in details))
        if bounds := _bounds([item for item in details if item.num_values]):
            _put(least, path, bounds[0])
            _put(greatest, path, bounds[1])
    rows = footer.num_rows
    return orjson.dumps({"numRecords": rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}).decode()


def _put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Delta's statistics of a part of a struct are in an object of the struct's name."""
    *structs, name = path.split(".")
    for struct in structs:
        tree = tree.setdefault(struct, {})
    tree[name] = value


def _bounds(statistics: Sequence[pq.Statistics]) -> tuple[Any, Any] | None:
    """The minimum and the maximum in Delta's format; None if there is no value, or it is unknown."""
    if not statistics:
        return None
    try:
        values = [value for item in statistics for value in (item.min, item.max)]
    except (ValueError, ArithmeticError, NotImplementedError):  # such as a year that Python does not have
        return None
    if any(_shown(value) is None for value in values):  # None itself: Parquet has no bounds of a very long value
        return None
    low, high = min(values), max(values)
    if not isinstance(high, str):
        return _shown(low), _shown(high)
    bound = high if len(high) <= PREFIX else high[:PREFIX] + _GREATEST
    return (low[:PREFIX], bound) if bound >= high else None


def _shown(value: Any) -> Any:
    """A value in the format of Delta's statistics, times in UTC truncated to milliseconds; None for types without
    bounds.

    A float has none: Parquet's writers leave a NaN out of them, and Spark has it above all others.
    """
    match value:
        case bool() | bytes():
            return None
        case str() | int():
            return value
        case Decimal():
            return orjson.Fragment(format(value, "f"))  # a float would round it
        case datetime() if value.tzinfo:
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date() if not isinstance(value, datetime):
            return value.isoformat()
    return None
