"""Run reports: the results of each run as a JSON object in the lake, for people and for `status`.

No decision depends on them: a table's state is in its own log.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from headgate.errors import StorageError

#: The number of newest runs to search for the last result of a table.
RUNS = 20

_ROOT = "runs"


@dataclass(frozen=True)
class RunReport:
    """One run. `tables` are the engine's reports, as plain values; times are in UTC."""

    run: str
    started: datetime
    ended: datetime
    tables: Sequence[Mapping[str, Any]]

    @property
    def path(self) -> str:
        """Its path in the lake: under the day on which it ended."""
        return f"{_ROOT}/dt={self.ended:%Y-%m-%d}/{self.run}.json"


def write(store: ObjectStore, report: RunReport) -> None:
    """Puts the report into the lake. Raises StorageError."""
    _put(store, report.path, json.dumps(asdict(report), default=_plain).encode())


def log_path(run: str) -> str:
    """Returns the path of a run's log in the lake: under the day on which the run began."""
    return f"{_ROOT}/dt={run[:4]}-{run[4:6]}-{run[6:8]}/{run}.log"


def write_log(store: ObjectStore, run: str, text: bytes) -> None:
    """Puts a run's log into the lake. Raises StorageError."""
    _put(store, log_path(run), text)


def newest(store: ObjectStore, limit: int) -> list[RunReport]:
    """The newest runs' reports, the newest first. One that cannot be read is passed over."""
    reports = (_read(store, path) for path in paths(store))
    return list(islice((report for report in reports if report), limit))


def paths(store: ObjectStore) -> Iterator[str]:
    """The reports' paths, newest first, with a listing per day, only as far as the caller iterates."""
    for day in sorted(obstore.list_with_delimiter(store, f"{_ROOT}/")["common_prefixes"], reverse=True):
        objects = obstore.list(store, f"{day.rstrip('/')}/").collect()
        yield from sorted((item["path"] for item in objects if item["path"].endswith(".json")), reverse=True)


def last_outcomes(reports: Iterable[RunReport]) -> dict[str, Mapping[str, Any]]:
    """Table -> its result in its last run, with the `run`. `reports` begin with the newest."""
    outcomes: dict[str, Mapping[str, Any]] = {}
    for report in reports:
        for table in report.tables:
            outcomes.setdefault(table["table"], {**table, "run": report.run, "ended": report.ended})
    return outcomes


def failed(reports: Iterable[RunReport], tables: Container[str]) -> dict[str, Mapping[str, Any]]:
    """The tables of `tables` that failed in their last run, as `last_outcomes`."""
    outcomes = last_outcomes(reports)
    return {name: table for name, table in outcomes.items() if name in tables and table["status"] == "failed"}


def _read(store: ObjectStore, path: str) -> RunReport | None:
    try:
        value = json.loads(bytes(obstore.get(store, path).bytes()))
        times = {name: datetime.fromisoformat(value[name]) for name in ("started", "ended")}
        return RunReport(value["run"], tables=value["tables"], **times)
    except (NotFoundError, FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _put(store: ObjectStore, path: str, content: bytes) -> None:
    try:
        obstore.put(store, path, content)
    except (OSError, BaseError) as error:
        raise StorageError(f"cannot be written: {str(error).splitlines()[0]}", where=path) from error


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
