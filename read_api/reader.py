"""Reads pages and aggregates of a version: selects the data files, runs SQL, and knows where the next page begins."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from headgate.contracts.environment import table_path
from headgate.http.problems import Problem
from read_api import sql
from read_api.catalog import Access
from read_api.columns import Column, to_plain
from read_api.engine import Engine, FileGone
from read_api.files import DataFiles
from read_api.native import NativeCopies
from read_api.parameters import Filter, RowQuery
from read_api.selection import Batches, OrderedFiles
from read_api.snapshots import DataFile, Snapshot, gone
from read_api.sql import LocalFile, Statement

_KEPT_FOOTERS = 100_000
#: Rows as a list of tuples, or as an Arrow table.
Rows: TypeAlias = Any


@dataclass(frozen=True)
class Page:
    """Rows as an Arrow table or as tuples, and the position after the last row (None if nothing follows)."""

    names: tuple[str, ...]
    rows: list[tuple[Any, ...]] | None
    table: pa.Table | None
    after: list[Any] | None


class Reader:
    """Reads versions of tables with the engine."""

    def __init__(self, engine: Engine, files: DataFiles, copies: NativeCopies, max_scan_bytes: int) -> None:
        self._engine, self._files, self._copies, self._max_scan_bytes = engine, files, copies, max_scan_bytes
        self._columns: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._lock = threading.Lock()

    def page(
        self, snapshot: Snapshot, query: RowQuery, access: Access, after: Sequence[Any] | None, limit: int, arrow: bool
    ) -> Page:
        """Returns at most `limit` rows after a position. Raises Problem 410 if files of the version were vacuumed."""
        files = self._matching(snapshot, query, access)
        position = sql.after(query.order, after) if after is not None else None

        def read(chosen: Sequence[DataFile], count: int) -> Rows:
            return self._run(
                snapshot, query, access, chosen, lambda inner: sql.page(query, access, inner, position, count), arrow
            )

        # One row more than the page says whether another page follows.
        if query.order:
            return _page(query, _ordered(OrderedFiles(files, snapshot, query, after, limit + 1), query, read), limit)
        batches = Batches(files, after, limit + 1)
        parts = []
        for chosen, missing in batches:
            parts.append(read(chosen, missing))
            batches.took(len(parts[-1]))
        return _page(query, _joined(parts) if parts else read([], 0), limit)

    def aggregates(self, snapshot: Snapshot, query: RowQuery, access: Access, limit: int, arrow: bool) -> Page:
        """Returns the groups, at most `limit`. Raises Problem 422 if there are more."""
        chosen = self._matching(snapshot, query, access)
        result = self._run(
            snapshot, query, access, chosen, lambda inner: sql.grouped(query, access, inner, limit + 1), arrow
        )
        if len(result) > limit:
            raise Problem(422, "too-many-groups", f"the result has more than {limit} groups; add filters")
        names = (*(c.name for c in query.groups), *(a.name for a in query.aggregates))
        return Page(names, None, result, None) if isinstance(result, pa.Table) else Page(names, result, None, None)

    def file_rows(
        self, files: Sequence[DataFile], statement: Callable[[Sequence[LocalFile]], Statement]
    ) -> list[tuple[Any, ...]]:
        """Returns rows of data files, by the SQL that `statement` makes. Raises FileGone."""
        text = statement(self._local(files))
        return self._engine.rows(text.text, text.values)

    def _matching(self, snapshot: Snapshot, query: RowQuery, access: Access) -> list[DataFile]:
        filters = query.filters
        if access.stores is not None:
            if not access.stores:
                return []
            column = Column(access.store_column, snapshot.types[access.store_column])
            filters = (*filters, Filter(column, "in", access.stores))
        return snapshot.matching(filters)

    def _run(
        self,
        snapshot: Snapshot,
        query: RowQuery,
        access: Access,
        chosen: Sequence[DataFile],
        statement: Callable[[str], Statement],
        arrow: bool,
    ) -> Rows:
        """Runs the SQL that `statement` makes of the source of rows. Raises Problem 410 and 422."""
        run: Callable[[str, list[Any]], Rows] = self._engine.arrow if arrow else self._engine.rows
        if not chosen:
            empty = statement(_nothing(snapshot, query, access))
            return run(empty.text, empty.values)
        self._check_size(snapshot, access, chosen)
        try:
            local = self._local(chosen, table_path(snapshot.table))
            with self._copies.using(local) as copies:
                text = statement(sql.source(local, copies, sql.needed(query, access), snapshot.types))
                return run(text.text, text.values)
        except (FileGone, FileNotFoundError) as error:
            raise gone(snapshot.table, snapshot.version) from error

    def _check_size(self, snapshot: Snapshot, access: Access, chosen: Sequence[DataFile]) -> None:
        size = sum(file.size for file in chosen)
        if size > self._max_scan_bytes:
            raise Problem(
                422,
                "too-large",
                f"the query would read {size / 2**20:.0f} MiB of data files; the limit is "
                f"{self._max_scan_bytes / 2**20:.0f} MiB; filter by a partition column",
                partition_columns=[name for name in snapshot.partition_columns if name in access.columns],
            )

    def _local(self, files: Sequence[DataFile], folder: str = "") -> list[LocalFile]:
        paths = self._files.local([f"{folder}/{file.path}" if folder else file.path for file in files])
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


def _ordered(files: OrderedFiles, query: RowQuery, read: Callable[[Sequence[DataFile], int], Rows]) -> Rows:
    """Reads a page with an order: first the files that should hold it, then all that may hold rows before its last."""
    while True:
        result = read(files.chosen, files.wanted)
        at, last = len(query.columns), min(len(result), files.wanted) - 1
        if last < 0:
            key = None
        else:
            key = result.column(at)[last].as_py() if isinstance(result, pa.Table) else result[last][at]
        if not files.widen(len(result), key):
            return result


def _joined(parts: Sequence[Any]) -> Rows:
    if len(parts) == 1 or isinstance(parts[0], pa.Table):
        return parts[0] if len(parts) == 1 else pa.concat_tables(parts)
    return list(chain.from_iterable(parts))


def _page(query: RowQuery, result: Rows, limit: int) -> Page:
    """Cuts the extra row, which says whether a page follows, and the columns of the position."""
    width, names = len(query.columns), tuple(column.name for column in query.columns)
    after = None
    if len(result) > limit:
        is_table = isinstance(result, pa.Table)
        last = [c[limit - 1].as_py() for c in result.columns] if is_table else result[limit - 1]
        after = [to_plain(value) for value in last[width:]]
    if isinstance(result, pa.Table):
        return Page(names, None, result.slice(0, limit).select(range(width)), after)
    return Page(names, [row[:width] for row in result[:limit]], None, after)


def _nothing(snapshot: Snapshot, query: RowQuery, access: Access) -> str:
    """A source without rows, where no file can match."""
    columns = [
        f"CAST(NULL AS {sql.sql_type(snapshot.types[name])}) AS {sql.quoted(name)}"
        for name in sorted(set(sql.needed(query, access)))
    ]
    return f"SELECT {', '.join([*columns, f'0 AS {sql.FILE}', f'0 AS {sql.ROW}'])} WHERE FALSE"
