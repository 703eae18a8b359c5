"""Plans the work of each table. Reads only Delta logs and listings of landing: no JVM, no write."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from headgate.contracts.contract import Contract
from headgate.contracts.environment import Environment, table_path
from headgate.contracts.evolution import Change, changes, shape_of
from headgate.errors import TableError, UsageError
from headgate.lake.landing import Landed, head_of, list_landed
from headgate.ledger.ledger import Commit, Head, Ledger
from headgate.ledger.position import Position, SourcePosition
from headgate.planning.graph import Graph, Node
from headgate.table import Changes, Read, Snapshot, Write

log = logging.getLogger(__name__)

#: The assumed size of an object whose size is not known yet, because a late marker names it.
UNKNOWN_SIZE = 2**20


class Kind(StrEnum):
    """What a table's work is."""

    CURRENT = "current"  # nothing to do
    FIRST = "first build"
    INCREMENT = "increment"
    REBUILD = "rebuild"
    REFUSED = "refused"  # its contract changed in a way that old rows do not follow
    BACKFILL = "backfill"  # requested by a person, never planned
    REPLAY = "replay"  # requested by a person, never planned
    AFTER = "after"  # a source has work; planned when that is done
    NO_SOURCE = "no source"  # no source is built yet


@dataclass(frozen=True)
class Source:
    """A source as a run reads it: pinned at `version`, changed since `since` (None: read all of it).

    A table that is not built yet counts as empty; its version is -1.
    """

    id: str
    version: int
    since: int | None = None
    moved: bool = False  # whether its rows may have changed since; never of a frozen snapshot

    @property
    def exists(self) -> bool:
        return self.version >= 0


@dataclass(frozen=True)
class Work:
    """One table's work. `landed` are the uploads that a bronze table is to take in."""

    table: str
    kind: Kind
    reason: str
    head: Head
    sources: Mapping[str, Source] = field(default_factory=dict)
    landed: tuple[Landed, ...] = ()
    listed_at: datetime | None = None

    @property
    def is_work(self) -> bool:
        """Whether a run has to deal with it: also where it can only report that the contract's change is refused."""
        return self.kind in (Kind.FIRST, Kind.INCREMENT, Kind.REBUILD, Kind.REFUSED)

    @property
    def whole(self) -> bool:
        """Whether the table is built from all of its sources, in one overwriting commit."""
        return self.kind in (Kind.FIRST, Kind.REBUILD)

    @property
    def position(self) -> Position:
        """The position that the commit of this work carries."""
        sources = {name: SourcePosition(source.id, source.version) for name, source in self.sources.items()}
        return Position(sources, self.listed_at)


def identity_of(works: Iterable[Work]) -> str:
    """A name for the planned work: equal plans on equal tables give equal names, as 64 hex digits."""
    facts = [
        [
            work.table,
            work.kind,
            work.head.version,
            {name: s.version for name, s in work.sources.items()},
            sorted(landed.upload for landed in work.landed),
        ]
        for work in works
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class Planner:
    """Plans tables separately, so that a run can plan each after its sources."""

    def __init__(
        self, environment: Environment, graph: Graph, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._environment = environment
        self._graph = graph
        self._clock = clock
        self._ledger = Ledger(environment)

    @property
    def ledger(self) -> Ledger:
        return self._ledger

    def now(self) -> datetime:
        """Returns the time of this plan by its clock, in UTC."""
        return self._clock()

    def plan(self, names: Iterable[str]) -> list[Work]:
        """Returns the work of each table, in the order of `names`; a table whose sources have work waits for them."""
        moving: set[str] = set()
        works = []
        for name in names:
            work = self._plan_after(name, moving)
            if work.is_work or work.kind is Kind.AFTER:
                moving.add(name)
            works.append(work)
        log.debug("planned %d tables, %d with work", len(works), sum(work.is_work for work in works))
        return works

    def _plan_after(self, name: str, moving: set[str]) -> Work:
        waits_for = [source for source in self._graph.node(name).sources if source in moving]
        if waits_for:
            return Work(name, Kind.AFTER, ", ".join(waits_for), self._ledger.head(name))
        return self.plan_table(name)

    def plan_table(self, name: str) -> Work:
        """Returns the table's work against the newest versions of its sources."""
        node = self._graph.node(name)
        head = self._ledger.head(name)
        if head.exists and head.txn < 0 and head.position is None:
            raise TableError(
                "a Delta table of another writer has this path",
                where=f"{name} at {head.uri}",
                fix="move it away, or name the table differently",
            )
        return self._plan_bronze(node, head) if node.layer == "bronze" else self._plan_built(node, head)

    def bytes_of(self, works: Iterable[Work]) -> int:
        """Returns about how many bytes the works will read: landed objects, and whole sources for whole builds."""
        landed = sum(item.size or UNKNOWN_SIZE for work in works for item in work.landed)
        read = ((name, source) for work in works if work.whole for name, source in work.sources.items())
        whole = {(name, source.version) for name, source in read if source.exists}
        return landed + sum(self._ledger.size(name, version) for name, version in whole)

    def rebuilt(self, work: Work, reason: str) -> Work:
        """Returns `work` as a rebuild from all rows of the sources."""
        node = self._graph.node(work.table)
        heads = {name: self._ledger.head(name) for name in node.sources}
        if _nothing_to_read(node, heads):
            return work
        return Work(work.table, Kind.REBUILD, reason, work.head, _whole(heads))

    def backfilled(self, name: str, kind: Kind = Kind.BACKFILL) -> Work:
        """Returns work that computes rows again, from the versions of the sources at the table's position.

        Raises UsageError where the table has no position, or where its contract changed so that old rows do not
        follow it: the commit would say that they do.
        """
        node, head = self._graph.node(name), self._ledger.head(name)
        if node.layer == "bronze":
            raise UsageError(f"{name} has the raw records, which do not change", fix="backfill the table that reads it")
        heads = {source: self._ledger.head(source) for source in node.sources}
        why = self._why_rebuild(node, head, heads) if head.exists else "it is not built yet"
        if why or head.position is None:
            raise UsageError(f"no {kind} of {name}: {why}", fix=f"headgate run -s {name}")
        refused = [change.message for change in contract_changes(self._graph, node, head) if change.refused]
        if refused:
            raise UsageError(
                f"no {kind} of {name}: its contract changed: {'; '.join(refused)}",
                fix=f"headgate run --rebuild -s {name}",
            )
        sources = {}
        for source, at in head.position.sources.items():
            sources[source] = Source(at.id, at.version, since=at.version)
        return Work(name, kind, "requested", head, sources)

    def _plan_bronze(self, node: Node, head: Head) -> Work:
        listed_at = self._clock()
        since = None
        if head.position is not None and head.position.listed_at is not None:
            since = head.position.listed_at - self._environment.lookback
        dataset = node.name.partition(".")[2]
        listed = {landed.upload: landed for landed in list_landed(self._environment.object_store(), dataset, since)}
        new = self._not_in_bronze(head, listed)
        if not new:
            return Work(node.name, Kind.CURRENT, "no new uploads", head)
        kind = Kind.INCREMENT if head.exists else Kind.FIRST
        ordered = tuple(sorted(new, key=lambda landed: landed.path))
        return Work(
            node.name, kind, f"{len(new)} new upload{'s' * (len(new) != 1)}", head, landed=ordered, listed_at=listed_at
        )

    def _not_in_bronze(self, head: Head, listed: Mapping[str, Landed]) -> list[Landed]:
        if not head.exists or not listed:
            return list(listed.values())
        known = self._ledger.uploads(head.table, {landed.day for landed in listed.values()})
        return [listed[upload] for upload in listed.keys() - known]

    def _plan_built(self, node: Node, head: Head) -> Work:
        heads = {name: self._ledger.head(name) for name in node.sources}
        if missing := _nothing_to_read(node, heads):
            return Work(node.name, Kind.NO_SOURCE, f"{missing} is not built yet", head)
        if not head.exists:
            return Work(node.name, Kind.FIRST, "", head, _whole(heads))
        why = self._why_rebuild(node, head, heads)
        if why:
            return Work(node.name, Kind.REBUILD, why, head, _whole(heads))
        refused = [change.message for change in contract_changes(self._graph, node, head) if change.refused]
        if refused:
            return Work(node.name, Kind.REFUSED, "; ".join(refused), head, _whole(heads))
        return self._plan_increment(node, head, heads)

    def _plan_increment(self, node: Node, head: Head, heads: Mapping[str, Head]) -> Work:
        position = head.position or Position()
        sources = {}
        for name, source in heads.items():
            since = position[name].version
            commits = [] if _is_frozen(node, name) else list(self._ledger.commits(name, since, source.version))
            why = self._why_unreadable(node, name, since, commits)
            if why:
                return self.rebuilt(Work(node.name, Kind.REBUILD, why, head), why)
            moved = any(commit.changes_rows for commit in commits if commit)
            sources[name] = Source(source.id, source.version, since, moved)
        moves = [f"{name} {source.since} -> {source.version}" for name, source in sources.items() if source.moved]
        return Work(node.name, Kind.INCREMENT if moves else Kind.CURRENT, ", ".join(moves), head, sources)

    def _why_rebuild(self, node: Node, head: Head, sources: Mapping[str, Head]) -> str:
        """Returns why an incremental build is not possible; empty where it is."""
        if head.position is None:
            return f"position lost: {head.lost}"
        declared = head.metadata.declared if head.metadata else None
        if declared != declaration(node):
            return "its declaration changed: " + _difference(declared, declaration(node))
        for name, source in sources.items():
            at = head.position[name]
            if at.exists and at.id != source.id:
                return f"{name} is another table than before"
            if at.version > source.version:
                return f"{name} went back behind version {at.version}"
        return ""

    def _why_unreadable(self, node: Node, source: str, since: int, commits: list[Commit | None]) -> str:
        """Returns why the changes of `source` since the position cannot be read; empty where they can."""
        if any(commit is None for commit in commits):
            return f"the log of {source} after version {since} was cleaned up"
        known = [commit for commit in commits if commit]
        insert_only = any(isinstance(read, Changes) and read.table == source for read in node.reads.values())
        if insert_only and any(commit.takes_rows_away for commit in known):
            return f"rows went away from {source}"
        if not self._only_adds_columns(source, since, known):
            return f"the schema of {source} changed"
        if not self._same_partitions(source, since, known):
            return f"the partitions of {source} changed"
        if any(commit.operation == "VACUUM END" for commit in known) and not self._files_remain(source, known):
            return f"change data of {source} after version {since} was vacuumed"
        return ""

    def _only_adds_columns(self, source: str, since: int, commits: list[Commit]) -> bool:
        """The change feed refuses a range in which the schema changed other than by added columns."""
        changed = [commit.schema for commit in commits if commit.schema is not None]
        if not changed:
            return True
        if since >= 0 and self._ledger.open(source, since) is None:
            return False  # the schema before is not known: the log was cleaned up
        schema = self._ledger.schema(source, since) if since >= 0 else {}
        for after in changed:
            if any(after.get(name) != kind for name, kind in schema.items()):
                return False
            schema = dict(after)
        return True

    def _same_partitions(self, source: str, since: int, commits: list[Commit]) -> bool:
        """Whether every version has the same partition columns: the change feed reads old files by the newest ones."""
        changed = {commit.partition_by for commit in commits} - {None}
        if since >= 0 and changed and (before := self._ledger.open(source, since)) is not None:
            changed.add(tuple(before.metadata().partition_columns))
        return len(changed) <= 1

    def _files_remain(self, source: str, commits: list[Commit]) -> bool:
        """Whether every file that the change feed would read is still there."""
        store, folder = self._environment.object_store(), table_path(source)
        paths = {path for commit in commits for path in _feed_files(commit)}
        return all(head_of(store, f"{folder}/{path}") for path in paths)


def contract_of_records(graph: Graph, node: Node) -> Contract | None:
    """The contract of the records that a table reads from bronze; None where it reads none."""
    return graph.contract_of(node.bronze) if node.bronze else None


def contract_changes(graph: Graph, node: Node, head: Head) -> list[Change]:
    """How the contract of the records that a table reads has changed since the table's last commit."""
    before = head.metadata.contract if head.metadata else None
    contract = contract_of_records(graph, node)
    return changes(before, shape_of(contract)) if before and contract else []


def _reads_of(node: Node, source: str) -> list[Read]:
    return [read for read in node.reads.values() if read.table == source]


def _is_frozen(node: Node, source: str) -> bool:
    return all(isinstance(read, Snapshot) and read.frozen for read in _reads_of(node, source))


def _nothing_to_read(node: Node, heads: Mapping[str, Head]) -> str:
    """The source without which there is nothing to build; empty where there is something.

    A table is built as soon as any of its driving sources is built; the other sources count as empty.
    """
    driving = [read.table for read in node.reads.values() if not isinstance(read, Snapshot)]
    needed = driving or list(node.sources)
    return "" if any(heads[name].exists for name in needed) else needed[0]


def _whole(heads: Mapping[str, Head]) -> dict[str, Source]:
    return {name: Source(head.id, head.version) for name, head in heads.items()}


def declaration(node: Node) -> str:
    """What must rebuild a table when it changes, as canonical text: how it reads and how it is written."""
    reads = sorted((_declared(read) for read in node.reads.values()), key=str)
    return json.dumps({"reads": reads, "writes": _declared(node.writes) if node.writes else None}, sort_keys=True)


def _declared(part: Read | Write) -> dict[str, Any]:
    return {"kind": type(part).__name__, **asdict(part)}


def _difference(before: str | None, after: str) -> str:
    old, new = (json.loads(text) if text else {} for text in (before, after))
    changed = [key for key in new.get("writes") or {} if (old.get("writes") or {}).get(key) != new["writes"][key]]
    return ", ".join(changed) or "reads"


def _feed_files(commit: Commit) -> list[str]:
    """The files that the change feed reads for a commit: its change data, or the files it added and removed."""
    changes = [unquote(a["cdc"]["path"]) for a in commit.actions if "cdc" in a]
    if changes:
        return changes
    files = [action.get("add") or action.get("remove") for action in commit.actions]
    return [unquote(file["path"]) for file in files if file and file.get("dataChange", True)]
