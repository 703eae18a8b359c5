"""Reads a Delta table's log as the ledger: its head, its position, and its commits.

Every commit of Headgate carries the table's position in its metadata (`headgate.ledger.metadata`); there is no other
state store. Only the files of the log are read, without a JVM.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore

from headgate.contracts.environment import Environment, table_path
from headgate.ledger.metadata import USER_METADATA, CommitMetadata
from headgate.ledger.position import Position
from headgate.ledger.record_table import IS_RECEIPT, RECEIPT, is_live

if TYPE_CHECKING:
    from headgate.lake.query import Query

#: Operations that leave every row as it was.
HOUSEKEEPING = frozenset(
    {
        "OPTIMIZE",
        "VACUUM START",
        "VACUUM END",
        "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES",
        "CHANGE COLUMN",
        "ADD CONSTRAINT",
        "DROP CONSTRAINT",
        "UPGRADE PROTOCOL",
        "REORG",
        "CLUSTER BY",
        "COMPUTE STATS",
    }
)
_ROW_METRICS = (
    "numOutputRows",
    "numTargetRowsInserted",
    "numTargetRowsUpdated",
    "numTargetRowsDeleted",
    "numDeletedRows",
    "numUpdatedRows",
    "numRemovedFiles",
)


@dataclass(frozen=True)
class Commit:
    """One version of a table. `metadata` is Headgate's; None for a commit that another writer made."""

    version: int
    timestamp: int  # milliseconds since 1970
    operation: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    metadata: CommitMetadata | None
    actions: tuple[Mapping[str, Any], ...] = field(repr=False, default=())

    @property
    def run(self) -> str | None:
        """The run that made the commit; None for a commit that another writer made."""
        return self.metadata.run if self.metadata else None

    @property
    def counts(self) -> Mapping[str, int]:
        """The rows and records that Headgate counted, by name; empty where another writer made the commit."""
        return self.metadata.counts if self.metadata else {}

    @property
    def planned(self) -> int:
        """The version that the commit was planned against."""
        planned = self.metadata.planned if self.metadata else None
        return self.version - 1 if planned is None else planned

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)

    @property
    def changes_rows(self) -> bool:
        """Whether the live rows of the table may differ from the version before. Only the log is read."""
        if self.metadata is not None:
            return self.metadata.changes_rows
        if self.operation in HOUSEKEEPING:
            return False
        if self.operation == "RESTORE":
            return True
        counts = [int(self.metrics[name]) for name in _ROW_METRICS if name in self.metrics]
        return not counts or any(counts)

    @property
    def takes_rows_away(self) -> bool:
        """Whether the commit removed rows from an insert-only table: a rollback, an overwrite or a delete.

        Compaction does not count, and neither do rejected records that a replay released.
        """
        removed = (action["remove"] for action in self.actions if "remove" in action)
        return any(is_live(file.get("partitionValues", {})) for file in removed if file.get("dataChange", True))

    @property
    def partition_by(self) -> tuple[str, ...] | None:
        """The partition columns, where the commit set them."""
        for action in self.actions:
            if "metaData" in action:
                return tuple(action["metaData"].get("partitionColumns", ()))
        return None

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """Column name -> type, where the commit set the schema."""
        for action in self.actions:
            if "metaData" in action:
                return schema_of(action["metaData"]["schemaString"])
        return None


@dataclass(frozen=True)
class Head:
    """A version of a table, by default the newest. `commit` is the commit with its position.

    position: None if no commit has a position, with the reason in `lost`. txn: the transaction version; -1 for none.
    """

    table: str
    uri: str
    version: int
    id: str
    txn: int
    commit: Commit | None = None
    lost: str = ""

    @property
    def exists(self) -> bool:
        return self.version >= 0

    @property
    def metadata(self) -> CommitMetadata | None:
        """The metadata of `commit`."""
        return self.commit.metadata if self.commit else None

    @property
    def position(self) -> Position | None:
        return self.metadata.position if self.metadata else None


class Ledger:
    """Reads the logs of an environment's tables."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._store: ObjectStore = environment.object_store()
        self.storage_options = environment.storage_options()

    def head(self, table: str, version: int | None = None) -> Head:
        """Returns a version of the table, by default the newest, with its position."""
        delta = self.open(table, version)
        uri = self.environment.table_uri(table)
        if delta is None:
            return Head(table, uri, version=-1, id="", txn=-1)
        version, txn = int(delta.version()), delta.transaction_version(table)
        owner, lost = self.position_at(table, version)
        return Head(
            table,
            uri,
            version,
            str(delta.metadata().id),
            -1 if txn is None else txn,
            commit=owner,
            lost=lost,
        )

    def open(self, table: str, version: int | None = None) -> Any:
        """The `deltalake` table, or None where there is none yet."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.environment.table_uri(table), version=version, storage_options=self.storage_options)
        except TableNotFoundError:
            return None

    def commit(self, table: str, version: int) -> Commit | None:
        """One commit, or None where its file was cleaned up."""
        path = f"{table_path(table)}/_delta_log/{version:020d}.json"
        try:
            content = bytes(obstore.get(self._store, path).bytes())
        except (NotFoundError, FileNotFoundError):
            return None
        return parse_commit(version, content, where=f"{table}, version {version}")

    def commits(self, table: str, after: int, upto: int) -> Iterator[Commit | None]:
        """The commits of (after, upto], oldest first; None for each that was cleaned up."""
        for version in range(after + 1, upto + 1):
            yield self.commit(table, version)

    def history(self, table: str, limit: int | None = None) -> Iterator[Commit]:
        """The commits, newest first, as far back as the log goes."""
        delta = self.open(table)
        if delta is None:
            return
        newest = delta.version()
        oldest = 0 if limit is None else max(0, newest - limit + 1)
        for version in range(newest, oldest - 1, -1):
            commit = self.commit(table, version)
            if commit is None:
                return
            yield commit

    def version_of(self, table: str, run: str) -> int | None:
        """The version that a run committed, or None where the log has no such commit."""
        return next((commit.version for commit in self.history(table) if commit.run == run), None)

    def schema(self, table: str, version: int) -> dict[str, Any]:
        """Column name -> type, at a version."""
        return schema_of(self.open(table, version).schema().to_json())

    def size(self, table: str, version: int) -> int:
        """The bytes of a version's files."""
        import pyarrow.compute as pc

        return pc.sum(self.files(table, version)["size_bytes"]).as_py() or 0

    def files(self, table: str, version: int) -> Any:
        """Returns an Arrow table with a row per data file: size_bytes, num_records, `partition.<column>`."""
        import pyarrow as pa

        return pa.table(self.open(table, version).get_add_actions(flatten=True))

    def uploads(self, table: str, days: Iterable[str]) -> set[str]:
        """Returns the ids of the uploads that a bronze table has under `days` (`yyyy-mm-dd`)."""
        dates = ", ".join(f"DATE '{day}'" for day in sorted(days))
        query = f"SELECT upload FROM t WHERE {IS_RECEIPT} AND dt IN ({dates})"
        return set(_query(self.open(table)).table(query)["upload"].to_pylist())

    def receipts(self, table: str, version: int) -> list[dict[str, Any]]:
        """Returns the uploads in a version of a bronze table: upload, store, dt, records."""
        columns = "upload, store, dt, receipt['records'] AS records"
        query = f"SELECT {columns} FROM t WHERE {IS_RECEIPT} ORDER BY upload"
        return list(_query(self.open(table, version)).rows(query))

    def received(self, table: str) -> dict[str, int]:
        """The `records` by all receipts of a table that rejects records, and how many of them are `rejected`."""
        rejected = f"sum({RECEIPT}['rejected'] + {RECEIPT}['unparsable']) AS rejected"
        query = f"SELECT sum({RECEIPT}['records']) AS records, {rejected} FROM t WHERE {IS_RECEIPT}"
        return {name: count or 0 for name, count in _query(self.open(table)).row(query).items()}

    def live_rows(self, table: str, version: int) -> int:
        """How many live rows a version holds, by the statistics of its files."""
        files = self.files(table, version).to_pylist()
        return sum(file["num_records"] or 0 for file in files if is_live(file, "partition."))

    def position_at(self, table: str, version: int) -> tuple[Commit | None, str]:
        """The commit whose position holds at `version`; or None, and why it is lost."""
        while version >= 0:
            commit = self.commit(table, version)
            if commit is None:
                return None, f"the log before version {version + 1} was cleaned up"
            if commit.metadata is not None and not _is_stale_copy(commit):
                void = self._restored_under(table, commit)
                return (None, void) if void else (commit, "")
            version = self._version_before(table, commit)
        return None, "no commit has a position"

    def _version_before(self, table: str, commit: Commit) -> int:
        """The version whose content a commit made by others went on from."""
        if commit.operation != "RESTORE":
            return commit.version - 1
        restored = commit.parameters.get("version")
        if restored not in (None, "", "null"):
            return int(restored)
        return self._version_at(table, commit)

    def _version_at(self, table: str, restore: Commit) -> int:
        """The version that a RESTORE to a timestamp went back to. A time without a zone is in UTC."""
        delta = self.open(table)
        delta.load_as_version(datetime.fromisoformat(str(restore.parameters["timestamp"])))
        return int(delta.version())

    def _restored_under(self, table: str, commit: Commit) -> str:
        """Says so where a RESTORE lies between the version a commit was planned against and the commit.

        The compare-and-swap cannot see it, because a RESTORE does not move `txn`.
        """
        for between in self.commits(table, commit.planned, commit.version - 1):
            if between is None or between.operation == "RESTORE":
                return f"version {commit.version} was planned before a RESTORE and committed after it"
        return ""


def _query(delta: Any) -> Query:
    """A table as `t` in SQL."""
    # Not to_pyarrow_table: that imports pandas, which takes longer than the rest of a plan.
    from headgate.lake.query import Query

    return Query(t=delta)


def _is_stale_copy(commit: Commit) -> bool:
    """A maintenance commit only copies a position: the copy counts where nothing came between."""
    copied_from = commit.metadata.copied_from if commit.metadata else None
    return copied_from is not None and copied_from != commit.version - 1


def parse_commit(version: int, content: bytes, where: str = "") -> Commit:
    """Returns the commit of a log file. Raises as `CommitMetadata.from_json`, with `where` in the message."""
    actions = tuple(json.loads(line) for line in content.splitlines() if line.strip())
    info: Mapping[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    return Commit(
        version=version,
        timestamp=int(info.get("timestamp", 0)),
        operation=str(info.get("operation", "")),
        parameters=info.get("operationParameters", {}),
        metrics=info.get("operationMetrics", {}),
        metadata=CommitMetadata.from_json(info.get(USER_METADATA), where),
        actions=actions,
    )


def schema_of(schema_string: str) -> dict[str, Any]:
    """Returns column name -> type from a schema's JSON, without nullability."""
    return {f["name"]: _without_nullability(f["type"]) for f in json.loads(schema_string)["fields"]}


def _without_nullability(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_without_nullability(part) for part in kind]
    if not isinstance(kind, dict):
        return kind
    ignored = ("nullable", "containsNull", "valueContainsNull", "metadata")
    return {key: _without_nullability(value) for key, value in kind.items() if key not in ignored}
