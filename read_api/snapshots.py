"""Versions of tables: their schema and data files, kept in memory, and the files that a query needs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from headgate.errors import UsageError
from headgate.http.problems import Problem
from headgate.ledger import travel
from headgate.ledger.ledger import Ledger, schema_of
from read_api.parameters import Filter

_KEPT_VERSIONS = 64
#: Statistics leave NaN out, and NaN is greater than every number: they say nothing about an order.
FLOATING = ("float", "double")
# Spark truncates timestamps in statistics to milliseconds, so a maximum may be almost one millisecond too small.
_TIMESTAMP_SLACK = timedelta(milliseconds=1)


@dataclass(frozen=True)
class DataFile:
    """A data file of a version. `number` is its rank by path, the first part of the order of rows."""

    number: int
    path: str
    size: int
    rows: int | None
    partition: Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """A version of a table: `types` gives the Delta type of each column, `actions` the files with statistics."""

    table: str
    id: str
    version: int
    types: Mapping[str, Any]
    partition_columns: tuple[str, ...]
    files: tuple[DataFile, ...] = field(repr=False)
    actions: pa.Table = field(repr=False)
    #: The statistics of the columns that were used, as Python values: comparing few of them costs less than in Arrow.
    _read: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def rows(self) -> int | None:
        """The number of rows by the files' statistics, None if a file has none."""
        counts = [file.rows for file in self.files]
        return None if None in counts else sum(count or 0 for count in counts)

    def matching(self, filters: Iterable[Filter]) -> list[DataFile]:
        """Returns the files that may hold rows for which all filters hold, by number."""
        files: Sequence[DataFile] = self.files
        for condition in filters:
            try:
                files = [file for file in files if self._may_match(file.number, condition)]
            except TypeError:  # statistics that cannot be compared with the value: read the files
                continue
        return list(files)

    def _may_match(self, number: int, condition: Filter) -> bool:
        name, operator, values = condition.column.name, condition.operator, condition.values
        low, high, nulls, rows = (column[number] for column in self._statistics(name))
        if operator == "is_null":
            return nulls != 0 if values[0] else nulls is None or rows is None or nulls < rows
        if operator == "ne":
            return True
        if low is None or high is None:
            # A partition without a value holds nulls only, which no comparison matches.
            return name not in self.partition_columns
        if operator == "eq":
            return bool(low <= values[0] <= high)
        if operator == "in":
            return any(low <= value <= high for value in values)
        return bool(high >= values[0]) if operator in ("gt", "ge") else bool(low <= values[0])

    def bounds(self, column: str, files: Sequence[DataFile]) -> list[tuple[Any, Any, bool]]:
        """Returns minimum, maximum and "may hold nulls" of a column for each file; None where it is not known."""
        lows, highs, nulls, _ = self._statistics(column)
        return [(lows[f.number], highs[f.number], nulls[f.number] != 0) for f in files]

    def _statistics(
        self, column: str
    ) -> tuple[Sequence[Any], Sequence[Any], Sequence[int | None], Sequence[int | None]]:
        """Minimum, maximum, nulls and rows of a column in each file; None where it is not known."""
        if column not in self._read:
            lows, highs, nulls = (self._values(f"{kind}.{column}") for kind in ("min", "max", "null_count"))
            rows = [file.rows for file in self.files]
            if column in self.partition_columns:
                lows = highs = self._values(f"partition.{column}")
                nulls = [count if value is None else 0 for value, count in zip(lows, rows, strict=True)]
            elif self.types[column] in FLOATING:
                lows = highs = [None] * len(rows)
            self._read[column] = lows, [_slack(value) for value in highs], nulls, rows
        return self._read[column]

    def _values(self, name: str) -> list[Any]:
        return self.actions[name].to_pylist() if name in self.actions.column_names else [None] * len(self.files)


def _slack(value: Any) -> Any:
    return value + _TIMESTAMP_SLACK if isinstance(value, datetime) else value


def read_snapshot(table: str, delta: Any) -> Snapshot:
    """Returns the snapshot of a loaded `deltalake` table."""
    actions = pa.table(delta.get_add_actions(flatten=True)).sort_by("path")
    partitions = tuple(delta.metadata().partition_columns)
    columns = {name: actions[f"partition.{name}"].to_pylist() for name in partitions}
    rows = zip(
        actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), actions["num_records"].to_pylist(), strict=True
    )
    files = tuple(
        DataFile(number, unquote(path), size, count, {name: values[number] for name, values in columns.items()})
        for number, (path, size, count) in enumerate(rows)
    )
    types = schema_of(delta.schema().to_json())
    return Snapshot(table, str(delta.metadata().id), int(delta.version()), types, partitions, files, actions)


class Snapshots:
    """The newest and some older versions of the tables that were read. Safe for threads."""

    def __init__(self, ledger: Ledger, refresh_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._refresh_seconds, self._clock = ledger, refresh_seconds, clock
        self._newest: dict[str, tuple[Any, Snapshot, float]] = {}
        self._versions: OrderedDict[tuple[str, str, int], Snapshot] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def newest(self, table: str) -> Snapshot:
        """Returns the newest version, at most `refresh_seconds` old. Raises Problem 404 if the table is not built."""
        entry = self._newest.get(table)
        if entry is not None and self._clock() - entry[2] < self._refresh_seconds:
            return entry[1]
        lock = self._lock_of(table)
        # While another thread looks for a new version, the known version is used.
        if not lock.acquire(blocking=entry is None):
            assert entry is not None  # noqa: S101 - for mypy
            return entry[1]
        try:
            return self._refresh(table)
        finally:
            lock.release()

    def _lock_of(self, table: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(table, threading.Lock())

    def _refresh(self, table: str) -> Snapshot:
        now = self._clock()
        entry = self._newest.get(table)
        if entry is not None and now - entry[2] < self._refresh_seconds:
            return entry[1]
        delta = self._ledger.open(table)
        if delta is None:
            self._newest.pop(table, None)
            raise Problem(404, "not-built", f"{table} has no data yet")
        snapshot = entry[1] if entry else None
        if snapshot is None or (snapshot.id, snapshot.version) != (str(delta.metadata().id), int(delta.version())):
            snapshot = read_snapshot(table, delta)
        self._newest[table] = (delta, snapshot, now)
        self._keep(snapshot)
        return snapshot

    def at(self, table: str, version: int) -> Snapshot:
        """Returns a version. Raises Problem 404 if there is no such version, 410 if its log is gone."""
        newest = self.newest(table)
        if version > newest.version:
            raise Problem(404, "unknown-version", f"{table} has the versions 0 to {newest.version}")
        known = self._versions.get((table, newest.id, version))
        if known is not None:
            return known
        try:
            delta = self._ledger.open(table, version)
        except Exception as error:  # deltalake's error for a version without a log is not specific
            raise gone(table, version) from error
        if delta is None:
            raise gone(table, version)
        snapshot = read_snapshot(table, delta)
        self._keep(snapshot)
        return snapshot

    def as_of(self, table: str, moment: datetime) -> Snapshot:
        """Returns the newest version at a time. Raises Problem 404 if there was none, 410 if it is gone."""
        self.newest(table)
        now = datetime.now(UTC)
        if moment > now:
            raise Problem(400, "invalid-parameter", "as_of must not be in the future")
        try:
            return self.at(table, travel.version_at(self._ledger, table, moment, now))
        except UsageError as error:
            status = 410 if "cleaned up" in error.message or "gone" in error.message else 404
            raise Problem(status, "gone" if status == 410 else "unknown-version", error.message) from error

    def _keep(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._versions[(snapshot.table, snapshot.id, snapshot.version)] = snapshot
            while len(self._versions) > _KEPT_VERSIONS:
                self._versions.popitem(last=False)


def gone(table: str, version: int) -> Problem:
    """Returns the answer for a version that can no longer be read."""
    detail = f"version {version} of {table} can no longer be read: it was vacuumed; start again without it"
    return Problem(410, "gone", detail, version=version)
