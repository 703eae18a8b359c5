"""How far back a table's files and log are still needed: by the tables that read it, and by promised time travel."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import obstore

from headgate.contracts.environment import Environment, table_path
from headgate.lake.landing import list_below
from headgate.ledger.ledger import Head, Ledger
from headgate.planning.graph import Graph

# Files of the version at the bound are needed too, and hosts' clocks differ.
_SLACK = timedelta(hours=1)
_CHECKPOINT = re.compile(r"/(\d{20})\.checkpoint\.")
_LOG = re.compile(r"/(\d{20})\.(json|crc|checkpoint\.)")

#: A file below this size is small; a partition that has so many of them is compacted.
SMALL_FILE = 32 * 2**20
SMALL_FILES = 8


@dataclass(frozen=True)
class Bound:
    """The oldest version of a table that is needed, when it was committed, and by whom."""

    version: int
    time: datetime
    needed_by: str

    def hours(self, now: datetime) -> int:
        """How long VACUUM keeps removed files, in whole hours: it would round a fraction to the nearest hour."""
        return max(0, math.ceil((now - self.time + _SLACK) / timedelta(hours=1)))


def bound_of(ledger: Ledger, graph: Graph, head: Head, now: datetime, time_travel: timedelta) -> Bound:
    """The oldest version of a table that a dependent's position or promised time travel needs."""
    table = head.table
    times = {commit.version: commit.time for commit in ledger.history(table)}
    promised = max((v for v, at in times.items() if at <= now - time_travel), default=min(times, default=head.version))
    bounds = [Bound(promised, now - time_travel, "time travel")]
    if head.commit is not None:
        # The commit that carries the table's own position is read, and those after the version it was planned against.
        bounds.append(Bound(max(0, min(head.commit.planned, head.commit.version)), now, f"{table} itself"))
    for reader in graph.readers(table):
        position = ledger.head(reader.name).position
        at = position.get(table) if position else None
        if at is not None and at.exists:
            bounds.append(Bound(at.version, times.get(at.version, now - time_travel), reader.name))
    oldest = min(bounds, key=lambda bound: bound.time)
    return Bound(min(bound.version for bound in bounds), oldest.time, oldest.needed_by)


@dataclass(frozen=True)
class Upkeep:
    """What is to be done for a table: its data files, how many partitions are crowded, the logs that can go."""

    table: str
    head: Head
    files: int
    crowded: int
    bound: Bound
    logs: tuple[str, ...]


def upkeep_of(ledger: Ledger, graph: Graph, environment: Environment, table: str, now: datetime) -> Upkeep:
    """Returns the maintenance that a table needs. Only its log is read."""
    head = ledger.head(table)
    bound = bound_of(ledger, graph, head, now, environment.time_travel)
    files = ledger.files(table, head.version).to_pylist()
    small: dict[tuple, int] = {}
    for file in files:
        if file["size_bytes"] < SMALL_FILE:
            partition = tuple(value for key, value in sorted(file.items()) if key.startswith("partition."))
            small[partition] = small.get(partition, 0) + 1
    crowded = sum(count >= SMALL_FILES for count in small.values())
    return Upkeep(table, head, len(files), crowded, bound, tuple(expired_logs(environment, table, bound)))


def expired_logs(environment: Environment, table: str, bound: Bound) -> list[str]:
    """The log files that a checkpoint at or before the bound makes unnecessary, oldest first."""
    paths = [item["path"] for item in list_below(environment.object_store(), f"{table_path(table)}/_delta_log/")]
    checkpoints = [int(match[1]) for path in paths if (match := _CHECKPOINT.search(path))]
    kept_from = max((version for version in checkpoints if version <= bound.version), default=0)
    return sorted(path for path in paths if (match := _LOG.search(path)) and int(match[1]) < kept_from)


def remove_logs(environment: Environment, paths: list[str]) -> None:
    """Removes log files, oldest first: whoever reads meanwhile finds a log without holes."""
    store = environment.object_store()
    for path in paths:
        obstore.delete(store, path)
