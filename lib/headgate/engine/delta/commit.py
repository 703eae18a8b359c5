"""One commit of a table: its metadata, its compare-and-swap, and the check that it was this run's.

`txnVersion` is the table's transaction version plus one: a counter, which a RESTORE does not
reset. Two writers that planned against the same head use the same number, and one of them loses:
by an exception where they overlap, in silence where they do not, so the log is read afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa
from delta.tables import DeltaMergeBuilder, DeltaTable
from deltalake import CommitProperties, Field, Schema, Transaction
from deltalake.transaction import AddAction, create_table_with_add_actions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from headgate import faults
from headgate.contracts.contract import Contract
from headgate.contracts.evolution import shape_of
from headgate.engine.delta.actions import (
    Removal,
    added_columns,
    indexed_columns,
    metrics_of,
    removal_of,
    removal_of_files,
    statistics_property,
    why_not_by_actions,
)
from headgate.engine.delta.carried import METADATA_CONF, session_confs, taken_over
from headgate.engine.delta.files import NewFile
from headgate.engine.delta.partition_text import UnfitPartitionText, require_rows_fit
from headgate.engine.delta.races import is_race
from headgate.engine.delta.written_batch import WrittenBatch, delta_schema, discard, write_batch
from headgate.engine.steps import COMMIT, step
from headgate.errors import LostRace
from headgate.ledger.ledger import Commit, Ledger
from headgate.ledger.metadata import USER_METADATA, CommitMetadata
from headgate.planning.graph import Node
from headgate.planning.plan import Work, declaration
from headgate.planning.state import codes_after, suites_after

_LOGGER = logging.getLogger(__name__)

_MERGE_CONFS = "spark.databricks.delta"

# Set when a table is created. Only Headgate's own maintenance cleans a log: it knows the needs of dependents.
TABLE_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    "delta.enableExpiredLogCleanup": "false",
    # Spark's own interval; deltalake would write a checkpoint after a hundred commits.
    "delta.checkpointInterval": "10",
}


@dataclass(frozen=True)
class Committer:
    """Commits one table's work. `session` is the table's own: MERGE takes its transaction from the session.

    Every method that commits returns the verified commit, and raises LostRace where another run's commit has our
    transaction version. Commits of a batch by `deltalake` raise it too where any other commit came after the version
    that the work was planned against; a MERGE leaves that to Delta's own checks.
    """

    session: SparkSession
    ledger: Ledger
    node: Node
    work: Work
    run: str
    contract: Contract | None = None  # of the records that the table reads from bronze

    @property
    def uri(self) -> str:
        return self.work.head.uri

    @contextmanager
    def writing(
        self, rows: DataFrame, partition_by: Sequence[str] | None = None, properties: Mapping[str, str] | None = None
    ) -> Iterator[WrittenBatch]:
        """Writes rows into files that no commit names, for the block to judge. What the block raises removes them.

        partition_by, properties: of a table that is made or replaced whole; without them those of the table.
        """
        columns = self.partition_by if partition_by is None else partition_by
        indexed = indexed_columns({**(properties or {}), **self._configuration})
        batch = write_batch(rows, self.ledger.environment, self.node.name, columns, indexed)
        try:
            yield batch
        except BaseException:
            with suppress(Exception):  # no version has these files: `maintain` removes them
                discard(self.ledger.environment, batch.folder)
            raise

    @contextmanager
    def writing_whole(
        self,
        rows: DataFrame,
        partition_by: Sequence[str],
        looked_up_by: Sequence[str] = (),
    ) -> Iterator[WrittenBatch]:
        """Writes the rows of a table that is made or replaced whole, as `writing` does.

        A column with a text that no partition can hold is not among the batch's `partition_by`.
        looked_up_by: the columns, or parts of structs, by which increments find rows; they get statistics too.
        """
        columns = list(partition_by)
        while True:
            properties = statistics_property(rows.schema, columns, looked_up_by)
            try:
                with self.writing(rows, columns, properties) as batch:
                    yield replace(batch, partition_by=tuple(columns), properties=properties)
                return
            except UnfitPartitionText as error:
                _LOGGER.warning("%s; it becomes an ordinary column", error.message)
                columns.remove(error.column)

    def append(self, batch: WrittenBatch, **facts: Any) -> Commit:
        """Adds the rows of the batch."""
        return self._publish(batch, Removal(), self.partition_by, {}, facts)

    def advance(self, schema: StructType, **facts: Any) -> Commit:
        """Moves the position without rows and without a Spark job. The table gains the columns that `schema` adds."""
        if not self.work.head.exists:
            raise ValueError(f"{self.node.name} does not exist yet")
        nothing = WrittenBatch(self.session.createDataFrame([], schema), "", delta_schema(schema, self.node.name), ())
        return self._publish(nothing, Removal(), self.partition_by, {}, facts)

    def overwrite(
        self, batch: WrittenBatch, partition_by: Sequence[str], properties: Mapping[str, str], **facts: Any
    ) -> Commit:
        """Makes the table, or replaces all of it: rows, columns and partitions."""
        removal = removal_of(self._table, None) if self._table is not None else Removal(())
        return self._publish(batch, removal, list(partition_by), {**TABLE_PROPERTIES, **properties}, facts)

    def replace(self, batch: WrittenBatch, slices: pa.Table, predicate: str, **facts: Any) -> Commit:
        """Replaces whole partitions by the batch, nulls and emptied partitions included.

        slices: one row for each partition, by the names of the partition columns. predicate: the same as SQL.
        The caller has checked that every row of the batch is in these slices.
        """
        removal = replace(removal_of(self._table, slices), predicate=predicate)
        return self._publish(batch, removal, self.partition_by, {}, facts)

    def removal_for_rewrite(self, files: Collection[str], schema: StructType) -> Removal | None:
        """What `rewrite` removes to replace these files by rows of `schema`; None where a MERGE has to do it."""
        removal = removal_of_files(self._table, files)
        new = delta_schema(schema, self.node.name)
        reason = why_not_by_actions(self._table, new, self.partition_by, removal, whole=False)
        return None if reason else removal

    def rewrite(self, batch: WrittenBatch, removal: Removal, **facts: Any) -> Commit:
        """Replaces files by the batch: their rows that stay, and new ones. `removal` is of `removal_for_rewrite`.

        In the change feed the rows that stay are deleted and inserted again; on net they do not change.
        """
        return self._publish(batch, removal, self.partition_by, {}, facts)

    def add_files(
        self,
        files: Sequence[NewFile],
        schema: pa.Schema,
        partition_by: list[str],
        properties: Mapping[str, str],
        **facts: Any,
    ) -> Commit:
        """Adds files that are written already; makes the table where there is none. No JVM takes part.

        A blind append: a commit that came in between passes, unless it has our transaction version.
        """
        made = {**TABLE_PROPERTIES, **properties}
        with self._committing():
            self._add(files, Schema.from_arrow(schema), Removal(), partition_by, made, facts, None)
        return self.committed()

    def merge(self, build: Callable[[DeltaTable], DeltaMergeBuilder], rows: DataFrame, **facts: Any) -> Commit:
        """Executes the MERGE of `rows` that `build` makes for the table, as this work's one commit.

        Raises UnfitPartitionText, before it, where a partition cannot hold a text of `rows`.
        """
        require_rows_fit(rows, self.partition_by, self.node.name)
        confs = {
            f"{_MERGE_CONFS}.write.txnAppId": self.node.name,
            f"{_MERGE_CONFS}.write.txnVersion": str(self._txn),
            f"{_MERGE_CONFS}.write.txnVersion.autoReset.enabled": "false",
            METADATA_CONF: self.metadata(facts),
        }
        with self._committing(), session_confs(self.session, confs):
            build(DeltaTable.forPath(self.session, self.uri)).execute()
        return self.committed()

    def _publish(
        self,
        batch: WrittenBatch,
        removal: Removal,
        partition_by: list[str],
        properties: Mapping[str, str],
        facts: Mapping[str, Any],
    ) -> Commit:
        """Commits a judged batch; a table that `deltalake` cannot commit to gets it from Delta's own writer."""
        if removal.files is not None:
            facts = {"counts": {"inserted": batch.count, "deleted": removal.rows}, **facts}
        reason = why_not_by_actions(self._table, batch.schema, partition_by, removal, whole=bool(properties))
        with self._committing():
            if reason:
                _LOGGER.info("%s is written by Delta's own writer: %s", self.node.name, reason)
                self._copy(batch, removal, partition_by, properties, facts)
            else:
                schema = Schema.from_json(batch.schema)
                self._add(batch.files, schema, removal, partition_by, properties, facts, 0)
        return self.committed()

    def _add(
        self,
        files: Sequence[NewFile],
        schema: Schema,
        removal: Removal,
        partition_by: list[str],
        properties: Mapping[str, str],
        facts: Mapping[str, Any],
        retries: int | None,
    ) -> None:
        """One commit by `deltalake`, against the version that the work was planned against.

        retries: how many other commits may come first; None for the library's own number. It would see our
        transaction version in those alone, and in no commit before: without retries the version number decides.
        """
        carried = self._properties(files, removal, facts, retries)
        actions = [AddAction(f.path, f.size, f.partition, f.modified, True, f.statistics) for f in files]
        if self._table is None:
            create_table_with_add_actions(
                self.uri,
                schema,
                actions,
                "error",
                partition_by,
                configuration=properties,
                commit_properties=carried,
                storage_options=self.ledger.storage_options,
            )
            return
        if added := added_columns(self._table, schema):
            self._gain(added)
        self._table.create_write_transaction(
            [*removal.actions(), *actions], "append", self._table.schema(), partition_by, commit_properties=carried
        )

    def _properties(
        self, files: Sequence[NewFile], removal: Removal, facts: Mapping[str, Any], retries: int | None
    ) -> CommitProperties:
        return CommitProperties(
            custom_metadata={
                USER_METADATA: self.metadata(facts),
                "operationMetrics": metrics_of(files, removal),
                "isBlindAppend": removal.files is None,
            },
            app_transactions=[Transaction(self.node.name, self._txn)],
            # A concurrent CREATE that loses would append version 1: deltalake checks nothing there.
            max_commit_retries=retries if self.work.head.exists else 0,
        )

    def _gain(self, columns: list[Field]) -> None:
        """Adds columns in a commit of its own, which carries the table's position on."""
        head = self.work.head
        metadata = None
        if head.metadata is not None:
            copied = taken_over(head.metadata, head, copied_from=head.version, changes_rows=False)
            metadata = {USER_METADATA: copied.to_json()}
        carried = CommitProperties(custom_metadata=metadata, max_commit_retries=0)
        self._table.alter.add_columns(columns, commit_properties=carried)

    def _copy(
        self,
        batch: WrittenBatch,
        removal: Removal,
        partition_by: list[str],
        properties: Mapping[str, str],
        facts: Mapping[str, Any],
    ) -> None:
        """The same commit by Delta's DataFrame writer, which writes the rows once more."""
        if removal.files is not None and not (properties or removal.predicate):
            raise ValueError(f"{self.node.name}: without a predicate every file would be replaced")
        options = {
            "txnAppId": self.node.name,
            "txnVersion": str(self._txn),
            USER_METADATA: self.metadata(facts),
            **({"overwriteSchema": "true", **properties} if properties else {"mergeSchema": "true"}),
            **({"replaceWhere": removal.predicate} if removal.predicate else {}),
        }
        mode = "append" if removal.files is None and not properties else "overwrite"
        writer = batch.rows.write.format("delta").mode(mode).options(**options)
        (writer.partitionBy(*partition_by) if properties else writer).save(self.uri)
        if batch.folder:
            with suppress(Exception):  # no version has these files: `maintain` removes them
                discard(self.ledger.environment, batch.folder)

    @cached_property
    def _table(self) -> Any:
        """The table at the version that the work was planned against; None where there is none yet."""
        return self.ledger.open(self.node.name, self.work.head.version) if self.work.head.exists else None

    @property
    def partition_by(self) -> list[str]:
        """The columns by which the table is partitioned at that version."""
        return list(self._table.metadata().partition_columns) if self._table is not None else []

    @property
    def _configuration(self) -> Mapping[str, str]:
        return self._table.metadata().configuration if self._table is not None else {}

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
        return replace(metadata, **facts).to_json()

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
        _LOGGER.info("%s: committed version %d", self.node.name, commit.version)
        return commit

    @property
    def _txn(self) -> int:
        return self.work.head.txn + 1

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """The block is the commit. A run can be killed before and after it, and a lost race names the winner.

        Where the winner is this run the race was with itself: its commit's answer was lost, and it tried again.
        """
        step(COMMIT)
        faults.point(f"before_commit:{self.node.name}")
        try:
            yield
        except Exception as error:
            if not is_race(error):
                raise
            self.committed()
        faults.point(f"after_commit:{self.node.name}")


def _is_txn(action: Mapping[str, Any], app: str, version: int) -> bool:
    txn = action.get("txn") or {}
    return txn.get("appId") == app and int(txn.get("version", -1)) == version
