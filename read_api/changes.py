"""The change feed: which rows each commit inserted, updated and deleted, commit by commit, from the Delta log.

A commit that replaces files without change data also removes and adds rows that stay. Where its files are small, such
rows are left out: those that it removes and adds with the same values, as often as it does both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from headgate.contracts.environment import table_path
from headgate.http.problems import Problem
from headgate.ledger.ledger import Commit, Ledger
from read_api import sql
from read_api.catalog import Access
from read_api.columns import quoted
from read_api.engine import FileGone
from read_api.parameters import RowQuery
from read_api.reader import Page, Reader
from read_api.snapshots import DataFile, Snapshot
from read_api.sql import LocalFile, Statement

#: Columns that describe the change of a row, named as in Delta's change data feed.
TYPE, VERSION, TIME = "_change_type", "_commit_version", "_commit_timestamp"
#: The maximum of commits that a page reads.
_MOST_COMMITS = 1000
#: Rows that stay are left out where a commit's files have at most so many bytes: each page reads them all.
_MOST_COMPARED = 16 * 2**20
_COPY = "_copy"


@dataclass(frozen=True)
class _ChangeFile:
    """A file of changes in a commit; `kind` is empty if the rows have their own kind of change.

    `alike` are the files of that kind, this one too, and `opposite` those of the other kind, where they are compared.
    """

    file: DataFile
    kind: str
    alike: Sequence[DataFile] = ()
    opposite: Sequence[DataFile] = ()

    @property
    def files(self) -> list[DataFile]:
        """All files that its rows are read from."""
        return [*self.alike, *self.opposite] if self.opposite else [self.file]


@dataclass(frozen=True)
class _Position:
    """The last row that was read: commit, file in the commit, row in the file (-1: before the first)."""

    version: int
    file: int = 0
    row: int = -1


class Changes:
    """Reads the change feed of tables."""

    def __init__(self, reader: Reader, ledger: Ledger) -> None:
        self._reader, self._ledger = reader, ledger

    def page(
        self, snapshot: Snapshot, query: RowQuery, access: Access, since: int, after: Sequence[Any] | None, limit: int
    ) -> Page:
        """Returns at most `limit` changes after version `since`, up to the snapshot's version, oldest first.

        A page may be empty although more follow, where many commits changed nothing. Raises Problem 410 if the log or
        the files of a commit are gone.
        """
        position = _Position(*(int(value) for value in after)) if after else _Position(since + 1)
        rows: list[tuple[Any, ...]] = []
        last = min(snapshot.version, position.version + _MOST_COMMITS - 1)
        for version in range(position.version, last + 1):
            commit = self._commit(snapshot, version)
            start = position if version == position.version else _Position(version)
            for number, change in enumerate(_files(commit, snapshot)):
                if number < start.file:
                    continue
                row = start.row if number == start.file else -1
                rows += self._rows(change, query, access, snapshot, commit, row, limit - len(rows), number)
                if len(rows) == limit:
                    return _page(query, rows, list(rows[-1][-3:]))
        return _page(query, rows, [last + 1, 0, -1] if last < snapshot.version else None)

    def _commit(self, snapshot: Snapshot, version: int) -> Commit:
        commit = self._ledger.commit(snapshot.table, version)
        if commit is None:
            raise _gone(snapshot.table, version)
        return commit

    def _rows(
        self,
        change: _ChangeFile,
        query: RowQuery,
        access: Access,
        snapshot: Snapshot,
        commit: Commit,
        after: int,
        limit: int,
        number: int,
    ) -> list[tuple[Any, ...]]:
        def statement(local: Sequence[LocalFile]) -> Statement:
            return _statement(change, local, query, access, snapshot, after, limit)

        try:
            rows = self._reader.file_rows(change.files, statement)
        except (FileGone, FileNotFoundError) as error:
            raise _gone(snapshot.table, commit.version) from error
        moment = datetime.fromtimestamp(commit.timestamp / 1000, UTC)
        return [(*row[:-1], commit.version, moment, commit.version, number, row[-1]) for row in rows]


def _gone(table: str, version: int) -> Problem:
    detail = f"the changes of version {version} of {table} are gone; read the whole table and continue from its version"
    return Problem(410, "gone", detail, version=version)


def _page(query: RowQuery, rows: Sequence[tuple[Any, ...]], after: list[Any] | None) -> Page:
    names = (*(column.name for column in query.columns), TYPE, VERSION, TIME)
    return Page(names, [row[:-3] for row in rows], None, after)


def _files(commit: Commit, snapshot: Snapshot) -> Iterator[_ChangeFile]:
    """The files that hold the commit's changes: its change data if it has some, else whole added and removed files."""
    if any("cdc" in action for action in commit.actions):
        yield from (_ChangeFile(file, "") for file in _named(commit, "cdc", snapshot))
        return
    removed, added = _named(commit, "remove", snapshot), _named(commit, "add", snapshot)
    compared = all(isinstance(kind, str) for kind in snapshot.types.values())
    if compared and sum(file.size for file in (*removed, *added)) <= _MOST_COMPARED:
        yield from (_ChangeFile(file, "delete", removed, added) for file in removed)
        yield from (_ChangeFile(file, "insert", added, removed) for file in added)
    else:
        yield from (_ChangeFile(file, "delete") for file in removed)
        yield from (_ChangeFile(file, "insert") for file in added)


def _named(commit: Commit, action_name: str, snapshot: Snapshot) -> list[DataFile]:
    """The files of the commit's actions of a kind that change data, numbered."""
    files = (action[action_name] for action in commit.actions if action_name in action)
    changing = (file for file in files if action_name == "cdc" or file.get("dataChange", True))
    return [_data_file(file, number, snapshot) for number, file in enumerate(changing)]


def _data_file(action: Mapping[str, Any], number: int, snapshot: Snapshot) -> DataFile:
    path = f"{table_path(snapshot.table)}/{unquote(action['path'])}"
    values = action.get("partitionValues") or {}
    # An empty text in the log means that the partition has no value.
    return DataFile(
        number, path, int(action.get("size") or 0), None, {name: value or None for name, value in values.items()}
    )


def _statement(
    change: _ChangeFile,
    local: Sequence[LocalFile],
    query: RowQuery,
    access: Access,
    snapshot: Snapshot,
    after: int,
    limit: int,
) -> Statement:
    """The SQL for the changes of one file after a row: the columns, the kind of change, the row's number."""
    types = {**snapshot.types, TYPE: "string"}
    names = sql.needed(query, access)
    if change.opposite:
        inner = _that_do_not_stay(change, local, snapshot)
    else:
        inner = sql.source(local, {}, names if change.kind else [*names, TYPE], types)
    condition = sql.where(query.filters, access)
    kind = f"'{change.kind}'" if change.kind else TYPE
    selected = ", ".join([*(sql.selected(column) for column in query.columns), f"{kind} AS {TYPE}", sql.ROW])
    return Statement(
        f"SELECT {selected} FROM ({inner}) WHERE {condition.text} AND {sql.ROW} > {int(after)} "
        f"ORDER BY {sql.ROW} LIMIT {int(limit)}",
        list(condition.values),
    )


def _that_do_not_stay(change: _ChangeFile, local: Sequence[LocalFile], snapshot: Snapshot) -> str:
    """A subquery of the file's rows without those that the opposite files have too, as many as these have."""
    count, types = len(change.alike), snapshot.types
    names = [quoted(name) for name in types]
    copy = f"row_number() OVER (PARTITION BY {', '.join(names)} ORDER BY {sql.FILE}, {sql.ROW}) AS {_COPY}"
    own, other = (sql.source(part, {}, types, types) for part in (local[:count], local[count:]))
    same = " AND ".join(f"own.{name} IS NOT DISTINCT FROM other.{name}" for name in [*names, _COPY])
    return (
        f"SELECT * FROM (SELECT *, {copy} FROM ({own})) AS own WHERE {sql.FILE} = {change.file.number} "
        f"AND NOT EXISTS (SELECT 1 FROM (SELECT *, {copy} FROM ({other})) AS other WHERE {same})"
    )
