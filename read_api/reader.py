"""Reads pages and aggregates of a version: selects the data files, runs SQL, and knows where the next page begins."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from headgate.contracts.environment import table_path
from headgate.http.problems import Problem
from read_api import sql
from read_api.catalog import Access
from read_api.columns import Column, to_plain
from read_api.engine import Engine, FileGone
from read_api.files import DataFiles
from read_api.parameters import Filter, RowQuery
from read_api.snapshots import DataFile, Snapshot, gone
from read_api.sql import LocalFile, Statement

_KEPT_FOOTERS = 100_000
# The first files of a page are read until they hold this many times the rows of the page.
_AHEAD = 4


@dataclass(frozen=True)
class Page:
    """Rows as an Arrow table or as tuples, and the position after the last row (None if nothing follows)."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]] | None
    table: pa.Table | None
    after: list[Any] | None


class Reader:
    """Reads versions of tables with the engine."""

    def __init__(self, engine: Engine, files: DataFiles, max_scan_bytes: int) -> None:
        self._engine, self._files, self._max_scan_bytes = engine, files, max_scan_bytes
        self._columns: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._lock = threading.Lock()

    def page(
        self, snapshot: Snapshot, query: RowQuery, access: Access, after: Sequence[Any] | None, limit: int, arrow: bool
    ) -> Page:
        """Returns at most `limit` rows after a position. Raises Problem 410 if files of the version were vacuumed."""
        files = _Files(self._matching(snapshot, query, access), snapshot, query, after, limit + 1)
        while True:
            rows, table = self._run_page(snapshot, query, access, after, limit, files.chosen, arrow)
            count = len(rows) if rows is not None else len(table) if table is not None else 0
            keys = _keys(rows, table, query, min(count, limit + 1) - 1)
            if not files.widen(count, keys):
                break
        return _page(query, rows, table, limit)

    def _run_page(
        self,
        snapshot: Snapshot,
        query: RowQuery,
        access: Access,
        after: Sequence[Any] | None,
        limit: int,
        chosen: Sequence[DataFile],
        arrow: bool,
    ) -> tuple[list[tuple[Any, ...]] | None, pa.Table | None]:
        if not chosen:
            return ([], None) if not arrow else (None, self._empty(query))
        inner = self._source(snapshot, query, access, chosen)
        position = sql.after(query.order, after) if after is not None else None
        statement = sql.page(query, access, inner, position, limit + 1)
        run = self._engine.arrow if arrow else self._engine.rows
        result: Any = self._read(snapshot, lambda: run(statement.text, statement.values))
        return (None, result) if arrow else (result, None)

    def _empty(self, query: RowQuery) -> pa.Table:
        """An Arrow table without rows, with the types that the engine would return."""
        columns = [f"CAST(NULL AS {column.sql_type}) AS {sql.quoted(column.name)}" for column in query.columns]
        extra = [*(f"NULL AS {sql.quoted(t.column.name)}" for t in query.order), "0", "0"]
        return self._engine.arrow(f"SELECT {', '.join([*columns, *extra])} WHERE FALSE", [])

    def aggregates(self, snapshot: Snapshot, query: RowQuery, access: Access, limit: int, arrow: bool) -> Page:
        """Returns the groups, at most `limit`. Raises Problem 422 if there are more."""
        chosen = self._matching(snapshot, query, access)
        inner = self._source(snapshot, query, access, chosen) if chosen else _nothing(snapshot, query, access)
        statement = sql.grouped(query, access, inner, limit + 1)
        rows = table = None
        if arrow:
            table = self._read(snapshot, lambda: self._engine.arrow(statement.text, statement.values))
        else:
            rows = self._read(snapshot, lambda: self._engine.rows(statement.text, statement.values))
        if len(table if table is not None else rows or []) > limit:
            raise Problem(422, "too-many-groups", f"the result has more than {limit} groups; add filters")
        names = (*(c.name for c in query.groups), *(a.name for a in query.aggregates))
        return Page(names, rows, table, None)

    def file_rows(self, file: DataFile, statement: Callable[[LocalFile], Statement]) -> list[tuple[Any, ...]]:
        """Returns rows of one data file, by the SQL that `statement` makes. Raises FileGone."""
        local = self._local([file])[0]
        text = statement(local)
        return self._engine.rows(text.text, text.values)

    def _matching(self, snapshot: Snapshot, query: RowQuery, access: Access) -> list[DataFile]:
        filters = query.filters
        if access.stores is not None:
            if not access.stores:
                return []
            column = Column(access.store_column, snapshot.types[access.store_column])
            filters = (*filters, Filter(column, "in", access.stores))
        return snapshot.matching(filters)

    def _source(self, snapshot: Snapshot, query: RowQuery, access: Access, chosen: Sequence[DataFile]) -> str:
        size = sum(file.size for file in chosen)
        if size > self._max_scan_bytes:
            raise Problem(
                422,
                "too-large",
                f"the query would read {size / 2**20:.0f} MiB of data files; the limit is "
                f"{self._max_scan_bytes / 2**20:.0f} MiB; filter by a partition column",
                partition_columns=[name for name in snapshot.partition_columns if name in access.columns],
            )
        folder = table_path(snapshot.table)
        placed = [replace(file, path=f"{folder}/{file.path}") for file in chosen]
        locals_ = self._read(snapshot, lambda: self._local(placed))
        return sql.source(locals_, sql.needed(query, access), snapshot.types)

    def _read(self, snapshot: Snapshot, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except (FileGone, FileNotFoundError) as error:
            raise gone(snapshot.table, snapshot.version) from error

    def _local(self, files: Sequence[DataFile]) -> list[LocalFile]:
        paths = self._files.local([file.path for file in files])
        return [LocalFile(file, path, self._columns_of(path)) for file, path in zip(files, paths, strict=True)]

    def _columns_of(self, path: str) -> frozenset[str]:
        """The columns that a file really has, by its footer; footers never change."""
        columns = self._columns.get(path)
        if columns is None:
            columns = frozenset(pq.read_schema(path).names)
            with self._lock:
                self._columns[path] = columns
                while len(self._columns) > _KEPT_FOOTERS:
                    self._columns.popitem(last=False)
        return columns


class _Files:
    """The files of a page, taken in the order of the query and only as far as the page needs them."""

    def __init__(
        self, files: Sequence[DataFile], snapshot: Snapshot, query: RowQuery, after: Sequence[Any] | None, wanted: int
    ) -> None:
        self._wanted = wanted
        first = query.order[0] if query.order else None
        self._descending = first is not None and first.descending
        if first is None:
            start = 0 if after is None else int(after[-2])
            self._ranked = [(file.number, file) for file in files if file.number >= start]
        else:
            self._ranked = _ranked(files, snapshot, first.column.name, self._descending, after[0] if after else None)
        self._count = self._first()

    def _first(self) -> int:
        rows = 0
        for count, (_, file) in enumerate(self._ranked, 1):
            rows += file.rows or 0
            if rows >= _AHEAD * self._wanted:
                return count
        return len(self._ranked)

    @property
    def chosen(self) -> list[DataFile]:
        """The files to read now, by number."""
        return sorted((file for _, file in self._ranked[: self._count]), key=lambda file: file.number)

    def widen(self, count: int, last: Any) -> bool:
        """Adds files that may hold rows of the page, and returns whether the page must be read again.

        `count` rows came, and `last` is the order's first value (or the file number) of the last row.
        """
        if self._count == len(self._ranked):
            return False
        if count < self._wanted:
            self._count = min(len(self._ranked), max(1, 4 * self._count))
            return True
        end = self._count
        while end < len(self._ranked) and self._reaches(self._ranked[end][0], last):
            end += 1
        widened, self._count = end > self._count, end
        return widened

    def _reaches(self, bound: Any, last: Any) -> bool:
        """Whether a file may hold a row before or at `last`; a bound of None means that nothing is known."""
        if bound is None or last is None:
            return True
        return bool(bound >= last if self._descending else bound <= last)


def _ranked(
    files: Sequence[DataFile], snapshot: Snapshot, column: str, descending: bool, after: Any
) -> list[tuple[Any, DataFile]]:
    """The files with the bound at which their rows begin in the order, by that bound; unknown bounds come first."""
    ranked = []
    for file, (low, high, nullable) in zip(files, snapshot.bounds(column, files), strict=True):
        begin, end = (high, low) if descending else (low, high)
        passed = after is not None and end is not None and (end > after if descending else end < after)
        if passed and not nullable:
            continue
        ranked.append((begin, file))
    known = [item for item in ranked if item[0] is not None]
    known.sort(key=lambda item: item[0], reverse=descending)
    return [item for item in ranked if item[0] is None] + known


def _keys(rows: Any, table: Any, query: RowQuery, index: int) -> Any:
    """The first order value (or the file number) of the row at `index`."""
    if index < 0:
        return None
    at = len(query.columns)
    return rows[index][at] if rows is not None else table.column(at)[index].as_py()


def _page(query: RowQuery, rows: Any, table: Any, limit: int) -> Page:
    """Cuts the extra row, which says whether a page follows, and the columns of the position."""
    width, names = len(query.columns), tuple(column.name for column in query.columns)
    count = len(rows) if rows is not None else len(table)
    after = None
    if count > limit:
        last = rows[limit - 1] if rows is not None else [c[limit - 1].as_py() for c in table.columns]
        after = [to_plain(value) for value in last[width:]]
    if rows is not None:
        return Page(names, [row[:width] for row in rows[:limit]], None, after)
    return Page(names, None, table.slice(0, limit).select(range(width)), after)


def _nothing(snapshot: Snapshot, query: RowQuery, access: Access) -> str:
    """A source without rows, where no file can match."""
    names = sorted(set(sql.needed(query, access))) or [next(iter(snapshot.types))]
    columns = [f"CAST(NULL AS {sql.sql_type(snapshot.types[name])}) AS {sql.quoted(name)}" for name in names]
    return f"SELECT {', '.join(columns)} WHERE FALSE"
