"""Builds SQL for a query over data files. Names come from the schema and are quoted; every value is bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from read_api.catalog import Access
from read_api.columns import Column, quoted, sql_type
from read_api.parameters import Aggregate, Filter, Order, RowQuery
from read_api.snapshots import DataFile

#: The two columns that give each row of a version its place: the file's number, and the row's number in the file.
FILE, ROW = "_file", "_row"
_COMPARISONS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass
class Statement:
    """SQL text and the values for its placeholders, in order."""

    text: str
    values: list[Any]


@dataclass(frozen=True)
class LocalFile:
    """A data file, its local path, and the columns that it really has."""

    file: DataFile
    path: str
    columns: frozenset[str]


def source(
    files: Sequence[LocalFile], copies: Mapping[str, str], columns: Iterable[str], types: Mapping[str, Any]
) -> str:
    """Returns a subquery with these columns, FILE and ROW, over all files, in the order of the files and their rows.

    `copies` names the table that holds the rows of a file, by its local path. Neighbours with the same partition values
    and columns are read together. A column that a file does not have is its partition's value, or null: the column was
    added to the table later.
    """
    names = sorted(set(columns))
    return " UNION ALL ".join(_group(list(group), copies, names, types) for _, group in groupby(files, _key(copies)))


def _key(copies: Mapping[str, str]) -> Callable[[LocalFile], Any]:
    """What files that are read together have in common; a copy is read alone."""

    def key(local: LocalFile) -> Any:
        partition = tuple(sorted(local.file.partition.items(), key=lambda item: item[0]))
        return copies.get(local.path), partition, local.columns

    return key


def _group(
    members: Sequence[LocalFile], copies: Mapping[str, str], names: Sequence[str], types: Mapping[str, Any]
) -> str:
    first = members[0]
    selected = [_expression(name, first.file.partition, first.columns, types) for name in names]
    copy = copies.get(first.path)
    if copy is not None:
        return f"SELECT {', '.join([*selected, f'{first.file.number}::BIGINT AS {FILE}', ROW])} FROM {copy}"
    numbers = ", ".join(str(member.file.number) for member in members)
    paths = ", ".join(literal(member.path) for member in members)
    number = f"[{numbers}][file_index::BIGINT + 1]" if len(members) > 1 else numbers
    selected += [f"{number}::BIGINT AS {FILE}", f"file_row_number AS {ROW}"]
    return f"SELECT {', '.join(selected)} FROM read_parquet([{paths}], hive_partitioning = false)"


def _expression(name: str, partition: Mapping[str, Any], present: frozenset[str], types: Mapping[str, Any]) -> str:
    kind = sql_type(types[name])
    if name in partition:
        value = partition[name]
        text = "NULL" if value is None else literal(value.isoformat() if hasattr(value, "isoformat") else str(value))
        return f"CAST({text} AS {kind}) AS {quoted(name)}"
    return quoted(name) if name in present else f"CAST(NULL AS {kind}) AS {quoted(name)}"


def literal(value: str) -> str:
    """Returns a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def where(filters: Iterable[Filter], access: Access) -> Statement:
    """Returns the condition of the client's filters and of its stores."""
    parts: list[str] = ["TRUE"]
    values: list[Any] = []
    for condition in filters:
        text, bound = _condition(condition)
        parts.append(text)
        values.extend(bound)
    if access.stores is not None:
        marks = ", ".join("?" for _ in access.stores)
        parts.append(f"{quoted(access.store_column)} IN ({marks})" if marks else "FALSE")
        values.extend(access.stores)
    return Statement(" AND ".join(parts), values)


def _condition(condition: Filter) -> tuple[str, Sequence[Any]]:
    name, kind = quoted(condition.column.name), condition.column.sql_type
    if condition.operator == "is_null":
        return f"{name} IS {'' if condition.values[0] else 'NOT '}NULL", ()
    if condition.operator == "in":
        marks = ", ".join(f"CAST(? AS {kind})" for _ in condition.values)
        return f"{name} IN ({marks})", condition.values
    return f"{name} {_COMPARISONS[condition.operator]} CAST(? AS {kind})", condition.values


def after(order: Sequence[Order], values: Sequence[Any]) -> Statement:
    """Returns the condition for rows after a position: the order's values, then file and row number.

    Nulls come last, so after a null only rows with the same null follow.
    """
    file, row = values[-2:]
    text = f"({FILE} > {int(file)} OR ({FILE} = {int(file)} AND {ROW} > {int(row)}))"
    bound: list[Any] = []
    for term, value in reversed(list(zip(order, values[:-2], strict=True))):
        name, kind = quoted(term.column.name), term.column.sql_type
        if value is None:
            text = f"({name} IS NULL AND {text})"
            continue
        sign = "<" if term.descending else ">"
        text = f"({name} {sign} CAST(? AS {kind}) OR {name} IS NULL OR ({name} = CAST(? AS {kind}) AND {text}))"
        bound = [value, value, *bound]
    return Statement(text, bound)


def page(query: RowQuery, access: Access, inner: str, position: Statement | None, limit: int) -> Statement:
    """Returns the SQL of one page: the columns, then the order's values, FILE and ROW.

    Without an order nothing is sorted: DuckDB keeps the order of the source (preserve_insertion_order), and stops
    reading when it has the rows.
    """
    condition = where(query.filters, access)
    text, values = condition.text, list(condition.values)
    if position is not None:
        text, values = f"{text} AND {position.text}", values + position.values
    columns = [selected(column) for column in query.columns]
    keys = [quoted(term.column.name) for term in query.order]
    directions = [f"{quoted(t.column.name)} {'DESC' if t.descending else 'ASC'} NULLS LAST" for t in query.order]
    sorting = f"ORDER BY {', '.join([*directions, FILE, ROW])} " if directions else ""
    return Statement(
        f"SELECT {', '.join([*columns, *keys, FILE, ROW])} FROM ({inner}) WHERE {text} {sorting}LIMIT {int(limit)}",
        values,
    )


def selected(column: Column) -> str:
    """Returns the SQL that selects a column; a masked column is null."""
    name = quoted(column.name)
    return f"CAST(NULL AS {column.sql_type}) AS {name}" if column.masked else name


def grouped(query: RowQuery, access: Access, inner: str, limit: int) -> Statement:
    """Returns the SQL of aggregates by groups, ordered by the groups."""
    condition = where(query.filters, access)
    groups = [quoted(column.name) for column in query.groups]
    aggregates = [f"{_call(aggregate)} AS {quoted(aggregate.name)}" for aggregate in query.aggregates]
    tail = f" GROUP BY {', '.join(groups)} ORDER BY {', '.join(f'{g} NULLS LAST' for g in groups)}" if groups else ""
    text = f"SELECT {', '.join([*groups, *aggregates])} FROM ({inner}) WHERE {condition.text}{tail}"
    return Statement(f"{text} LIMIT {int(limit)}", list(condition.values))


def _call(aggregate: Aggregate) -> str:
    if aggregate.column is None:
        return "count(*)"
    name = quoted(aggregate.column.name)
    if aggregate.function == "count_distinct":
        return f"count(DISTINCT {name})"
    whole = aggregate.column.type in ("byte", "short", "integer", "long")
    if aggregate.function == "sum" and whole:
        return f"CAST(sum({name}) AS BIGINT)"
    return f"{aggregate.function}({name})"


def needed(query: RowQuery, access: Access) -> list[str]:
    """Returns the columns that must be read: selected and not masked, filtered, ordered, grouped or aggregated."""
    names = [column.name for column in query.columns if not column.masked]
    names += [condition.column.name for condition in query.filters]
    names += [term.column.name for term in query.order]
    names += [column.name for column in query.groups]
    names += [aggregate.column.name for aggregate in query.aggregates if aggregate.column]
    return [*names, access.store_column] if access.stores is not None else names
