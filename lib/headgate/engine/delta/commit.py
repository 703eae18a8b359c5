"""One commit of a table: its metadata, its compare-and-swap, and the check that it was this run's.

`txnVersion` is the table's transaction version plus one: a counter, which a RESTORE does not take
back. Two writers who planned against the same head carry the same number, and one of them loses:
by an exception where they overlap, in silence where they do not, so the log is read afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, Schema, Transaction
from deltalake.transaction import AddAction, create_table_with_add_actions
from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from headgate import faults
from headgate.contracts.contract import Contract
from headgate.contracts.evolution import shape_of
from headgate.engine.delta.files import NewFile
from headgate.engine.delta.table_write import write_files
from headgate.errors import LostRace
from headgate.ledger.ledger import Commit, Head, Ledger
from headgate.ledger.metadata import USER_METADATA, CommitMetadata
from headgate.planning.graph import Node
from headgate.planning.plan import Work, declaration
from headgate.planning.state import codes_after, suites_after

_MERGE_CONFS = "spark.databricks.delta"
_METADATA = f"spark.databricks.delta.commitInfo.{USER_METADATA}"
_GAIN_COLUMNS = {"mergeSchema": "true"}  # what else may not change is checked before (`schema`)

# Set when a table is made. Only Headgate's own maintenance cleans a log: it knows what dependents still need.
TABLE_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    "delta.enableExpiredLogCleanup": "false",
}


#: Looks at rows that are written and not committed. What it raises keeps them from being committed.
Judge = Callable[[DataFrame], None]


@dataclass(frozen=True)
class Committer:
    """Commits one table's work. `session` is the table's own: MERGE takes its transaction from the session."""

    session: SparkSession
    ledger: Ledger
    node: Node
    work: Work
    run: str
    contract: Contract | None = None  # of the records that the table reads from bronze
    told: dict[str, Any] = field(default_factory=dict)  # what else the commit of this work carries

    @property
    def uri(self) -> str:
        return self.work.head.uri

    def append(self, rows: DataFrame, **facts: Any) -> Commit:
        """Adds rows; an empty frame only moves the position."""
        return self._write(rows, "append", _GAIN_COLUMNS, facts)

    def overwrite(
        self,
        rows: DataFrame,
        partition_by: Sequence[str],
        properties: Mapping[str, str],
        judge: Judge | None = None,
        **facts: Any,
    ) -> Commit:
        """Makes the table, or replaces all of it, schema and partitions included."""
        made = {**TABLE_PROPERTIES, **properties}
        return self._write(rows, "overwrite", {"overwriteSchema": "true"}, facts, partition_by, made, judge)

    def add_files(
        self,
        files: Sequence[NewFile],
        schema: pa.Schema,
        partition_by: list[str],
        properties: Mapping[str, str],
        **facts: Any,
    ) -> Commit:
        """Adds files that are written already; makes the table where there is none. No JVM takes part.

        A commit that came in between passes, unless it has our transaction version: as with Spark's writers.
        """
        faults.point(f"before_commit:{self.node.name}")
        with self._race_told():
            self._add(files, Schema.from_arrow(schema), partition_by, {**TABLE_PROPERTIES, **properties}, facts)
        faults.point(f"after_commit:{self.node.name}")
        return self.committed()

    def _add(
        self,
        files: Sequence[NewFile],
        schema: Schema,
        partition_by: list[str],
        properties: Mapping[str, str],
        facts: Mapping[str, Any],
    ) -> None:
        told = CommitProperties(
            custom_metadata={USER_METADATA: self.metadata(facts), "operationMetrics": _metrics(files)},
            app_transactions=[Transaction(self.node.name, self._txn)],
            # Who makes a table second would make it again, as version 1: deltalake checks nothing there.
            max_commit_retries=None if self.work.head.exists else 0,
        )
        actions = [AddAction(f.path, f.size, f.partition, f.modified, True, f.statistics) for f in files]
        if self.work.head.exists:
            table = self.ledger.open(self.node.name, self.work.head.version)
            table.create_write_transaction(actions, "append", schema, partition_by, commit_properties=told)
        else:
            create_table_with_add_actions(
                self.uri,
                schema,
                actions,
                "error",
                partition_by,
                configuration=properties,
                commit_properties=told,
                storage_options=self.ledger.storage_options,
            )

    def replace_where(self, rows: DataFrame, predicate: str, judge: Judge, **facts: Any) -> Commit:
        """Replaces the rows that meet `predicate`, nulls and emptied partitions included.

        `judge` has to refuse rows that do not meet it: Delta's own check is off (`session`).
        """
        return self._write(rows, "overwrite", {"replaceWhere": predicate, **_GAIN_COLUMNS}, facts, judge=judge)

    @contextmanager
    def merging(self, **facts: Any) -> Iterator[SparkSession]:
        """A session in which one MERGE is this work's commit; checked when the block ends."""
        confs = {
            f"{_MERGE_CONFS}.write.txnAppId": self.node.name,
            f"{_MERGE_CONFS}.write.txnVersion": str(self._txn),
            f"{_MERGE_CONFS}.write.txnVersion.autoReset.enabled": "false",
            _METADATA: self.metadata(facts),
        }
        faults.point(f"before_commit:{self.node.name}")
        with self._race_told(), _set(self.session, confs):
            yield self.session
        faults.point(f"after_commit:{self.node.name}")

    def metadata(self, facts: Mapping[str, Any]) -> str:
        """Returns the commit's metadata as JSON; `facts` are further fields of `CommitMetadata`, such as `counts`."""
        metadata = CommitMetadata(
            table=self.node.name,
            run=self.run,
            position=self.work.position,
            planned=self.work.head.version,
            declared=declaration(self.node),
            code=self.node.code_hash,
            codes=tuple(codes_after(self.work, self.node.code_hash)),
            contract=shape_of(self.contract) if self.contract else None,
            suite=self.node.suite_hash,
            suites=tuple(suites_after(self.work, self.node.suite_hash)),
        )
        return replace(metadata, **self.told, **facts).to_json()

    def committed(self) -> Commit:
        """This run's commit. Raises LostRace where another run's carries our transaction version."""
        newest = self.ledger.head(self.node.name).version
        for version in range(newest, self.work.head.version, -1):
            commit = self.ledger.commit(self.node.name, version)
            if commit and any(_is_txn(action, self.node.name, self._txn) for action in commit.actions):
                return self._own_or_lost(commit)
        raise LostRace("the commit is not in the log", where=self.node.name, fix="run again")

    def _own_or_lost(self, commit: Commit) -> Commit:
        winner = commit.run or "another writer"
        if winner != self.run:
            raise LostRace(f"run {winner} committed version {commit.version} first", where=self.node.name)
        return commit

    @property
    def _txn(self) -> int:
        return self.work.head.txn + 1

    def _write(
        self,
        rows: DataFrame,
        mode: str,
        options: Mapping[str, str],
        facts: Mapping[str, Any],
        partition_by: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
        judge: Judge | None = None,
    ) -> Commit:
        """Writes the rows, has them judged as they are written, and commits them. What is refused is removed."""
        ours = {"txnAppId": self.node.name, "txnVersion": str(self._txn)}
        with self._race_told():
            written = write_files(rows, self.uri, mode, {**options, **ours}, properties or {}, partition_by)
        if written is None:
            return self.committed()
        if judge:
            try:
                judge(written.rows)
            except BaseException:
                with suppress(Exception):  # files that nobody reads: `maintain` removes what is left of them
                    written.discard()
                raise
        faults.point(f"before_commit:{self.node.name}")
        with self._race_told():
            written.commit(self.metadata(facts))
        faults.point(f"after_commit:{self.node.name}")
        return self.committed()

    @contextmanager
    def _race_told(self) -> Iterator[None]:
        """Delta's exception for a lost race, as the error that names the winner.

        Where the winner is this run the race was with itself: its commit's answer was lost, and it tried again.
        """
        try:
            yield
        except Exception as error:
            if not is_race(error):
                raise
            self.committed()


@contextmanager
def carrying(session: SparkSession, metadata: CommitMetadata | None) -> Iterator[None]:
    """A block whose commits carry `metadata`: for OPTIMIZE, VACUUM and RESTORE, which take it from the session."""
    with _set(session, {_METADATA: metadata.to_json()} if metadata else {}):
        yield


def taken_over(metadata: CommitMetadata, head: Head, **differs: Any) -> CommitMetadata:
    """Returns the metadata of a commit that copies a position at `head`; see `CommitMetadata.taken_over`."""
    return metadata.taken_over(new_run_id(), head.version, **differs)


@contextmanager
def _set(session: SparkSession, confs: Mapping[str, str]) -> Iterator[None]:
    for key, value in confs.items():
        session.conf.set(key, value)
    try:
        yield
    finally:
        for key in confs:
            session.conf.unset(key)


def new_run_id() -> str:
    """A run's name. Not the process's id: two containers often have the same, and a race is told by this alone."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def began(run: str) -> datetime:
    """When the run of a name that `new_run_id` gave began, to the second."""
    return datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def _is_txn(action: Mapping[str, Any], app: str, version: int) -> bool:
    txn = action.get("txn") or {}
    return txn.get("appId") == app and int(txn.get("version", -1)) == version


def _metrics(files: Sequence[NewFile]) -> dict[str, str]:
    """What Spark tells in a write's `operationMetrics`."""
    rows, size = sum(file.rows for file in files), sum(file.size for file in files)
    return {"numFiles": str(len(files)), "numOutputRows": str(rows), "numOutputBytes": str(size)}


def is_race(error: Exception) -> bool:
    text = str(error.java_exception.toString()) if isinstance(error, Py4JJavaError) else str(error)
    return any(
        name in text or name in type(error).__name__
        for name in (
            "ConcurrentTransaction",
            "ConcurrentWrite",
            "ConcurrentAppend",
            "ConcurrentDelete",
            "MetadataChanged",
            "ProtocolChanged",
            "DELTA_CONCURRENT",
            "CommitFailedError",
            "table already exists at that location",
        )
    )
