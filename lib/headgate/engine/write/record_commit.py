"""Commits a settled batch: live rows, tombstones, rejected records and receipts as rows with the same schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate.engine.write.batch import Batch
from headgate.engine.write.keys import text_key
from headgate.engine.write.outcome import Job, Outcome
from headgate.errors import WrongCommit
from headgate.ledger.ledger import Commit
from headgate.ledger.record_table import (
    KEY,
    RECEIPT,
    RECEIPT_TYPE,
    RECORD_KEY,
    REJECTED,
    REJECTED_TYPE,
    STATE,
    UPLOAD_KEY,
    RecordCounts,
    State,
)
from headgate.ledger.run_id import began
from headgate.suites.quality import NOT_JUDGED, Judgement
from headgate.table import SOURCE


def all_states(job: Job, winners: DataFrame, batch: Batch) -> DataFrame:
    """Returns the rows to write: `winners`, and the batch's rejected records and receipts in the same schema."""
    source = winners.schema[SOURCE].dataType.simpleString()  # as text: every part of it may be null
    none, run = F.lit(None), job.committer.run
    first = F.lit(run).alias("run"), F.lit(began(run)).alias("first_seen")
    rejected = batch.rejected.select(
        text_key(RECORD_KEY, ("_source.upload", "_source.record")).alias(KEY),
        F.struct("_source.*", "sequence").cast(source).alias(SOURCE),
        F.lit(State.REJECTED.value).alias(STATE),
        F.struct("_rejected.*", "key", *first).cast(REJECTED_TYPE).alias(REJECTED),
    )
    receipts = batch.receipts.select(
        F.concat(F.lit(UPLOAD_KEY), "upload").alias(KEY),
        F.struct("upload", "received", none.alias("record"), none.alias("sequence")).cast(source).alias(SOURCE),
        F.lit(State.RECEIPT.value).alias(STATE),
        RECEIPT,
    )
    rows = winners.withColumn(REJECTED, none.cast(REJECTED_TYPE)).withColumn(RECEIPT, none.cast(RECEIPT_TYPE))
    return rows.unionByName(rejected, allowMissingColumns=True).unionByName(receipts, allowMissingColumns=True)


def commit_rows(job: Job, rows: DataFrame, batch: Batch, quality: Judgement, partition_by: Sequence[str]) -> Commit:
    """Appends `rows`, or replaces the whole table by them where it is built whole. The gate has passed them.

    A commit without rows moves the position, without a Spark job.
    """
    facts = batch_facts(batch.counts, quality)
    if not job.work.whole and not _to_write(batch.counts):
        return job.committer.advance(rows.schema, **facts)
    columns = [STATE, *partition_by]
    spread = rows.hint("rebalance", *columns)
    if not job.work.whole:
        with job.committer.writing(spread) as files:
            pass
        return job.committer.append(files, **facts)
    # The state is among the columns by which the table is partitioned, and has no statistics.
    with job.committer.writing_whole(spread, columns, looked_up_by=(KEY, f"{SOURCE}.upload")) as files:
        pass
    return job.committer.overwrite(files, files.partition_by, files.properties, **facts)


def batch_facts(counts: RecordCounts, quality: Judgement) -> dict[str, Any]:
    """Returns the fields of the commit's metadata that describe the batch."""
    return {**counts.facts, **quality.facts}


def outcome_of(
    counts: RecordCounts, commit: Commit, quality: Judgement = NOT_JUDGED, written: int | None = None
) -> Outcome:
    """Returns the outcome of a batch's commit, with the counts that the commit carries.

    `written` is the number of rows, by default that of the verdicts.
    """
    rows = counts.written if written is None else written
    return Outcome(commit.version, counts.records, rows, counts.quarantined, commit.counts, quality.results)


def check_metrics(job: Job, counts: RecordCounts, commit: Commit) -> None:
    """Raises WrongCommit where Delta wrote another number of rows than the verdicts say."""
    if commit.operation == "MERGE":
        new = _to_write(counts) - counts.replacing
        expected = {"numTargetRowsInserted": new, "numTargetRowsUpdated": counts.replacing}
    else:
        expected = {"numOutputRows": _to_write(counts)}
    require_metrics(job, commit, expected)


def require_metrics(job: Job, commit: Commit, expected: Mapping[str, int]) -> None:
    """Raises WrongCommit where the commit's own counts of rows, by the names of Delta's metrics, are not `expected`."""
    counted = {name: int(commit.metrics.get(name, -1)) for name in expected}
    if counted != expected:
        head, name = job.work.head, job.node.name
        undo = f"headgate rollback {name} --to {head.version}" if head.exists else f"headgate run --rebuild -s {name}"
        raise WrongCommit(
            f"version {commit.version} is committed, but has other numbers of rows than the batch that the gate "
            f"passed: {counted}, not {expected}",
            where=job.node.name,
            fix=f"report this with the counts, a fault of Headgate; take the version back: {undo}",
        )


def _to_write(counts: RecordCounts) -> int:
    """The rows of all states: live rows and tombstones, rejected records, receipts."""
    return counts.written + counts.quarantined + counts.uploads
