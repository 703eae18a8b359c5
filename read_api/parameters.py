"""A request's parameters as a typed query. Nothing of a request becomes SQL text except names of visible columns."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headgate.http.problems import Problem
from read_api.catalog import Access
from read_api.columns import Column, to_plain

OPERATORS = ("eq", "ne", "gt", "ge", "lt", "le", "in", "is_null")
FUNCTIONS = ("count", "count_distinct", "sum", "avg", "min", "max")
#: Parameters that are not filters. A column of the same name is filtered by `name.eq=`.
RESERVED = frozenset({"columns", "order", "limit", "cursor", "version", "as_of", "since", "group_by", "aggregate"})
DEFAULT_LIMIT = 1000
_MOST_FILTERS, _MOST_VALUES, _MOST_ORDER = 50, 1000, 5
_WHOLE = re.compile(r"\d{1,18}")

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Filter:
    """A condition on a column; `values` are typed. All filters of a query must hold."""

    column: Column
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Order:
    """An order by a column. Null values come last in both directions."""

    column: Column
    descending: bool = False


@dataclass(frozen=True)
class Aggregate:
    """An aggregate: `column` is None for `count`."""

    function: str
    column: Column | None

    @property
    def name(self) -> str:
        """The name of the result column."""
        return f"{self.function}_{self.column.name}" if self.column else self.function


@dataclass(frozen=True)
class RowQuery:
    """Which rows, columns and order a client asks for."""

    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    order: tuple[Order, ...] = ()
    groups: tuple[Column, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()

    def fingerprint(self, access: Access) -> str:
        """Returns a hash of the query and of the client's access; equal queries have equal hashes."""
        conditions = [[f.column.name, f.operator, [to_plain(v) for v in f.values]] for f in self.filters]
        parts = [
            access.fingerprint(),
            [c.name for c in self.columns],
            sorted(conditions, key=repr),
            [[o.column.name, o.descending] for o in self.order],
            [c.name for c in self.groups],
            [a.name for a in self.aggregates],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def row_query(access: Access, pairs: Pairs, extra: frozenset[str] = frozenset()) -> RowQuery:
    """Returns the query of /rows and /changes; `extra` are the parameters that are allowed in addition to filters.

    Raises Problem 400 for an unknown parameter, column or operator, or a value of the wrong type.
    """
    pairs = list(pairs)
    values = _singles(pairs, frozenset({"columns", "order"}) | extra)
    columns = tuple(access.column(name) for name in _names(values["columns"])) if "columns" in values else ()
    return RowQuery(
        columns or tuple(access.columns.values()), _filters(access, pairs), _orders(access, values.get("order", ""))
    )


def aggregate_query(access: Access, pairs: Pairs, extra: frozenset[str]) -> RowQuery:
    """Returns the query of /aggregates. Raises Problem 400."""
    pairs = list(pairs)
    values = _singles(pairs, frozenset({"group_by", "aggregate"}) | extra)
    groups = tuple(_comparable(access, name) for name in _names(values.get("group_by", "")))
    aggregates = tuple(_aggregate(access, text) for text in _names(values.get("aggregate", "count")))
    if not groups and not aggregates:
        raise Problem(400, "invalid-parameter", "aggregate and group_by are both empty")
    if len({c.name for c in groups} | {a.name for a in aggregates}) != len(groups) + len(aggregates):
        raise Problem(400, "invalid-parameter", "a name appears twice in the result")
    return RowQuery((), _filters(access, pairs), groups=groups, aggregates=aggregates)


def limit_of(text: str | None, most: int) -> int:
    """Returns the page size: 1 to `most`, by default 1000 or `most`. Raises Problem 400."""
    if text is None:
        return min(DEFAULT_LIMIT, most)
    value = whole_number("limit", text)
    if not 1 <= value <= most:
        raise Problem(400, "invalid-parameter", f"limit must be from 1 to {most}")
    return value


def whole_number(name: str, text: str) -> int:
    """Returns a whole number from 0. Raises Problem 400."""
    if not _WHOLE.fullmatch(text) or not text.isascii():
        raise Problem(400, "invalid-parameter", f"{name} must be a whole number from 0")
    return int(text)


def _singles(pairs: Pairs, allowed: frozenset[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in RESERVED:
            continue
        if name not in allowed:
            raise Problem(400, "invalid-parameter", f"'{name}' is not a parameter here")
        if name in values:
            raise Problem(400, "invalid-parameter", f"'{name}' may be sent only once")
        values[name] = value
    return values


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) != len(set(names)):
        raise Problem(400, "invalid-parameter", "a name appears twice in a list")
    return names


def _filters(access: Access, pairs: Pairs) -> tuple[Filter, ...]:
    filters = tuple(_filter(access, name, value) for name, value in pairs if name not in RESERVED)
    if len(filters) > _MOST_FILTERS:
        raise Problem(400, "invalid-parameter", f"a query has at most {_MOST_FILTERS} filters")
    return filters


def _filter(access: Access, name: str, text: str) -> Filter:
    column_name, _, operator = name.rpartition(".") if "." in name else (name, "", "eq")
    if operator not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise Problem(
            400, "invalid-parameter", f"unknown operator '{operator[:80]}'; write column.operator with {known}"
        )
    column = access.column(column_name)
    _refuse_masked(column)
    if operator == "is_null":
        if text.lower() not in ("true", "false"):
            raise Problem(400, "invalid-value", f"{column.name}.is_null must be true or false")
        return Filter(column, operator, (text.lower() == "true",))
    if not column.is_scalar:
        raise Problem(400, "invalid-parameter", f"column '{column.name}' can only be filtered by is_null")
    texts = _list(text) if operator == "in" else [text]
    return Filter(column, operator, tuple(column.value(item) for item in texts))


def _list(text: str) -> list[str]:
    """The values of `in`: separated by commas, quoted by `"` if they contain a comma."""
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        rows = []
    if len(rows) != 1 or not 1 <= len(rows[0]) <= _MOST_VALUES:
        raise Problem(400, "invalid-value", f"'in' takes 1 to {_MOST_VALUES} values, separated by commas")
    return rows[0]


def _orders(access: Access, text: str) -> tuple[Order, ...]:
    names = _names(text)
    if len(names) > _MOST_ORDER:
        raise Problem(400, "invalid-parameter", f"order takes at most {_MOST_ORDER} columns")
    orders = tuple(Order(_comparable(access, name.removeprefix("-")), name.startswith("-")) for name in names)
    if len({order.column.name for order in orders}) != len(orders):
        raise Problem(400, "invalid-parameter", "a column appears twice in order")
    return orders


def _aggregate(access: Access, text: str) -> Aggregate:
    function, _, name = text.partition(":")
    if function not in FUNCTIONS or bool(name) == (function == "count"):
        known = ", ".join(["count", *(f"{f}:COLUMN" for f in FUNCTIONS[1:])])
        raise Problem(400, "invalid-parameter", f"unknown aggregate '{text[:80]}'; use {known}")
    column = _comparable(access, name) if name else None
    if function in ("sum", "avg") and column and not column.is_number:
        raise Problem(400, "invalid-parameter", f"{function} needs a column of numbers, and '{column.name}' is not")
    return Aggregate(function, column)


def _comparable(access: Access, name: str) -> Column:
    column = access.column(name)
    _refuse_masked(column)
    if not column.is_scalar:
        raise Problem(400, "invalid-parameter", f"column '{column.name}' cannot be ordered or grouped by")
    return column


def _refuse_masked(column: Column) -> None:
    """A filter, order or group on a masked column would disclose its values."""
    if column.masked:
        raise Problem(403, "masked-column", f"column '{column.name}' is masked for this key: it can only be selected")
