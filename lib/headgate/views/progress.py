"""What became of an upload, from the tables' logs and receipts alone: no project is loaded, and no JVM starts.

The tables of a dataset are those whose commits name its bronze table as a source, so this works wherever the lake can
be read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import obstore
from obstore.exceptions import NotFoundError

from headgate.contracts.environment import Environment
from headgate.lake.upload_identity import Upload
from headgate.ledger.ledger import Commit, Ledger
from headgate.ledger.position import Position
from headgate.views import rows

FIRST_REASONS = 5
_REMEMBERED_SECONDS = 30.0
_MOST_COMMITS = 200  # to search for the commit that read an upload


class Progress:
    """Follows uploads through the tables of an environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._sources: dict[str, frozenset[str]] = {}
        self._read_at: float | None = None

    def of(self, upload: Upload) -> dict[str, Any]:
        """The upload's `state` and its parts: bronze, silver (a list of tables), quarantined, gold (a list of tables).

        `state` is landed (not yet in bronze), ingested (in bronze), done (in each silver table, nothing rejected) or
        quarantined (some records were rejected). Raises StorageError and deltalake's errors where the lake fails.
        """
        ledger = Ledger(self._environment)
        bronze = rows.bronze_receipt(ledger, upload)
        if bronze is None:
            return {"state": "landed", "bronze": None, "silver": [], "quarantined": None, "gold": []}
        source = f"bronze.{upload.dataset}"
        version = _taken_in(ledger, source, _has_listed(bronze["received"]))
        silver = [self._silver(ledger, table, upload) for table in self._readers(source)]
        rejected = sum(table["rejected"] for table in silver)
        return {
            "state": _state(silver, rejected),
            "bronze": {"records": bronze["receipt"]["records"], "version": version},
            "silver": silver,
            "quarantined": self._quarantined(ledger, silver, upload, rejected),
            "gold": self._gold(ledger, source, version),
        }

    def _silver(self, ledger: Ledger, table: str, upload: Upload) -> dict[str, Any]:
        counts = rows.receipt(ledger, table, upload.id)
        if counts is None:
            return {"table": table, "built": False, "rejected": 0}
        numbers = {name: value for name, value in counts.items() if isinstance(value, int)}
        rejected = numbers.get("rejected", 0) + numbers.get("unparsable", 0)
        return {"table": table, "built": True, **numbers, "rejected": rejected}

    def _quarantined(
        self, ledger: Ledger, silver: list[dict[str, Any]], upload: Upload, rejected: int
    ) -> dict[str, Any] | None:
        """How many records were rejected, and the first reasons with the record's position in the upload."""
        if not rejected:
            return None
        reasons = [
            {"table": table["table"], "record": row["record"], "reasons": row["reasons"]}
            for table in silver
            if table["rejected"]
            for row in rows.rejections(ledger, table["table"], upload.id, FIRST_REASONS)
        ]
        return {"records": rejected, "first": reasons[:FIRST_REASONS]}

    def _gold(self, ledger: Ledger, bronze: str, version: int | None) -> list[dict[str, Any]]:
        """The gold tables that have taken the upload in, with the partitions that the commit wrote."""
        reached: dict[str, dict[str, Any]] = {}
        waiting = [(bronze, version)] if version is not None else []
        while waiting:
            source, least = waiting.pop()
            for table in self._readers(source):
                commit = _first_commit(ledger, table, _has_read(source, least))
                if commit is not None and table not in reached:
                    waiting.append((table, commit.version))
                    reached[table] = {
                        "table": table,
                        "version": commit.version,
                        "committed": commit.time,
                        "partitions": _partitions(commit),
                    }
        return [reached[table] for table in sorted(reached) if table.startswith("gold.")]

    def _readers(self, source: str) -> list[str]:
        """The tables whose newest position names `source`; cached for half a minute."""
        with self._lock:
            if self._read_at is None or time.monotonic() - self._read_at > _REMEMBERED_SECONDS:
                self._sources, self._read_at = dict(self._positions()), time.monotonic()
            return sorted(table for table, sources in self._sources.items() if source in sources)

    def _positions(self) -> Iterator[tuple[str, frozenset[str]]]:
        ledger, store = Ledger(self._environment), self._environment.object_store()
        for layer in ("silver", "gold"):
            try:
                folders = obstore.list_with_delimiter(store, f"{layer}/")["common_prefixes"]
            except (NotFoundError, FileNotFoundError):
                continue
            for folder in folders:
                table = f"{layer}.{folder.rstrip('/').rpartition('/')[2]}"
                if position := ledger.head(table).position:
                    yield table, frozenset(position.sources)


def _state(silver: list[dict[str, Any]], rejected: int) -> str:
    if rejected:
        return "quarantined"
    return "done" if silver and all(table["built"] for table in silver) else "ingested"


def _first_commit(ledger: Ledger, table: str, holds: Callable[[Position], bool]) -> Commit | None:
    """The oldest commit of `table` whose position fulfils `holds`, among the newest ones; positions only grow."""
    result: Commit | None = None
    for commit in ledger.history(table, _MOST_COMMITS):
        position = commit.metadata.position if commit.metadata else None
        if position is None:
            continue
        if not holds(position):
            break
        result = commit
    return result


def _taken_in(ledger: Ledger, table: str, holds: Callable[[Position], bool]) -> int | None:
    commit = _first_commit(ledger, table, holds)
    return commit.version if commit else None


def _has_listed(received: datetime) -> Callable[[Position], bool]:
    """Whether a bronze commit listed landing after the upload came: then it holds it."""
    return lambda position: position.listed_at is not None and position.listed_at >= received


def _has_read(source: str, version: int) -> Callable[[Position], bool]:
    """Whether a commit has read `source` up to `version`."""

    def has_read(position: Position) -> bool:
        at = position.get(source)
        return at is not None and at.version >= version

    return has_read


def _partitions(commit: Commit) -> list[dict[str, Any]]:
    """The partitions in which a commit wrote or removed files, without those of Headgate's own columns."""
    values = (
        (action.get("add") or action.get("remove") or {}).get("partitionValues") or {} for action in commit.actions
    )
    shown = ({name: value for name, value in each.items() if not name.startswith("_")} for each in values)
    unique = {repr(sorted(each.items())): each for each in shown if each}
    return [unique[text] for text in sorted(unique)]
