"""A suite proposed from the current rows of a table, for a person to edit.

What is proposed is true of the rows it was made from, and a guess of those to come: so everything is a warning, and
nothing is quarantined by it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, DateType, NumericType, StringType, TimestampType

from headgate.errors import UsageError
from headgate.planning.graph import Node
from headgate.suites.suite_document import normalised
from headgate.table import History, Merge

#: A column gets a set of values if it has at most this many, each with this many rows on average.
_MOST_VALUES, _ROWS_A_VALUE = 20, 5
_LISTED = (StringType, BooleanType)
_RANGED = (NumericType, DateType, TimestampType)


@dataclass(frozen=True)
class _Seen:
    """What the rows hold in one column. `least` and `most` are None where it has no range."""

    name: str
    kind: DataType
    nulls: int
    distinct: int  # about
    least: Any
    most: Any


def proposed(node: Node, rows: DataFrame) -> str:
    """The suite proposed for a table by its rows, as the text of its file. Two Spark jobs, each an aggregate.

    It has: columns without nulls, the values of columns with few, ranges of numbers,
    dates and times, the declared keys, and the row count. Raises UsageError if there are no rows.
    """
    count, seen = _looked_at(rows)
    if not count:
        raise UsageError(f"{node.name} has no rows to make a proposal from", fix="headgate run")
    listed = [item.name for item in seen if _is_listed(item, count)]
    values = _values(rows, listed)
    expectations = [
        *_of_table(node, count),
        *(details for item in seen for details in _of_column(item, values.get(item.name))),
    ]
    return normalised(json.dumps({"name": node.name, "expectations": expectations}))


def _looked_at(rows: DataFrame) -> tuple[int, list[_Seen]]:
    """The row count, and a summary of each column."""
    fields = rows.schema.fields
    sums: list[Column] = [F.count("*")]
    for field in fields:
        column, kind = F.col(f"`{field.name}`"), field.dataType
        ranged, listed = isinstance(kind, _RANGED), isinstance(kind, _LISTED)
        sums.append(F.count_if(column.isNull()))
        sums.append(F.approx_count_distinct(column) if listed else F.lit(0))
        sums += [_shown(F.min(column), kind), _shown(F.max(column), kind)] if ranged else [F.lit(None), F.lit(None)]
    details = rows.agg(*(item.alias(f"n{number}") for number, item in enumerate(sums))).collect()[0]
    groups = (details[1 + 4 * number : 5 + 4 * number] for number in range(len(fields)))
    seen = [_Seen(field.name, field.dataType, *group) for field, group in zip(fields, groups, strict=True)]
    return details[0], seen


def _shown(bound: Column, kind: DataType) -> Column:
    """A bound as it is collected: a time as text in UTC, which Python's own zone does not touch."""
    return F.date_format(bound, "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX") if isinstance(kind, TimestampType) else bound


def _is_listed(column: _Seen, count: int) -> bool:
    few = 0 < column.distinct <= _MOST_VALUES
    return isinstance(column.kind, _LISTED) and few and column.distinct * _ROWS_A_VALUE <= count - column.nulls


def _values(rows: DataFrame, names: Sequence[str]) -> dict[str, list[Any]]:
    """Column -> its values, sorted."""
    if not names:
        return {}
    result: Row = rows.agg(*(F.sort_array(F.collect_set(F.col(f"`{name}`"))) for name in names)).collect()[0]
    return dict(zip(names, result, strict=True))


def _of_table(node: Node, count: int) -> Iterator[dict[str, Any]]:
    """What is expected of the table as a whole: a batch is of another size, and its keys are unique in any case."""
    yield _expectation(
        "expect_table_row_count_to_be_between", scope="table", min_value=max(1, count // 2), max_value=2 * count
    )
    keys = _keys(node)
    if len(keys) == 1:
        yield _expectation("expect_column_values_to_be_unique", scope="table", column=keys[0])
    elif keys:
        yield _expectation("expect_compound_columns_to_be_unique", scope="table", column_list=list(keys))


def _keys(node: Node) -> tuple[str, ...]:
    """The columns that identify a live row, where the table's declaration says so."""
    if isinstance(node.writes, Merge):
        return node.writes.keys
    return (*node.writes.keys, "valid_from") if isinstance(node.writes, History) else ()


def _of_column(column: _Seen, values: list[Any] | None) -> Iterator[dict[str, Any]]:
    if not column.nulls:
        yield _expectation("expect_column_values_to_not_be_null", column=column.name)
    if values:
        yield _expectation("expect_column_values_to_be_in_set", column=column.name, value_set=values)
    least, most = _plain(column.least), _plain(column.most)
    if least is not None and most is not None:
        yield _expectation("expect_column_values_to_be_between", column=column.name, min_value=least, max_value=most)


def _plain(bound: Any) -> Any:
    """A bound as JSON; None for NaN and infinity."""
    if isinstance(bound, Decimal):
        return int(bound) if bound == bound.to_integral_value() else float(bound)
    if isinstance(bound, float) and not math.isfinite(bound):
        return None
    return bound.isoformat() if isinstance(bound, date | datetime) else bound


def _expectation(kind: str, *, scope: str = "", **kwargs: Any) -> dict[str, Any]:
    meta = {"meta": {"headgate": {"scope": scope}}} if scope else {}
    return {"type": kind, "kwargs": kwargs, "severity": "warning", **meta}
