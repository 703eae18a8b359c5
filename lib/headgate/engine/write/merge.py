"""`Merge`: the newest version of a key wins, and everything that a run says about a record is in one commit.

`build_merge` reads from top to bottom:

    read_records -> apply_function -> place -> apply_rules -> decide -> settle -> judge_quality -> commit

The table's `_state` separates its rows: `live`, `deleted` (tombstones, so that a late older row cannot restore a key
back), `rejected` (the quarantine) and `receipt` (one per upload). A row's order is the tuple (sequence, received,
upload, record); the greater tuple replaces, whatever its content.
"""

from __future__ import annotations

from dataclasses import dataclass

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine.read.records import Records, read_records
from headgate.engine.write.batch import Batch, apply_function, apply_rules, judge_quality, settle
from headgate.engine.write.keys import KeyRange, key_range, text_key
from headgate.engine.write.outcome import Outcome, RecordJob
from headgate.engine.write.record_commit import all_states, batch_facts, check_metrics, commit_rows, outcome_of
from headgate.ledger.ledger import Commit
from headgate.ledger.record_table import KEY, MERGE_KEY, ORDER, STATE, State, Verdict
from headgate.suites.quality import Judgement
from headgate.table import SOURCE, Merge


@dataclass(frozen=True)
class MergeBatch:
    """A judged batch of a `Merge` table, its keys, and the suite's results."""

    batch: Batch
    keys: KeyRange
    quality: Judgement


def build_merge(job: RecordJob) -> Outcome:
    """Merges new records. Raises BatchRefused, with the target untouched, where the gate refuses them."""
    records = read_records(job)
    judged = judge_merge(job, records)
    commit = _commit(job, judged)
    check_metrics(job, judged.batch.counts, commit)
    return outcome_of(judged.batch.counts, commit, judged.quality)


def judge_merge(job: RecordJob, records: Records) -> MergeBatch:
    """Returns the settled batch of `records`: the steps between reading and the commit."""
    placed = place(apply_function(job, records), job.writes_as(Merge))
    judged = apply_rules(job, placed, from_bronze=records.bronze is not None, one_row_per_record=True)
    keys = key_range(judged.rows)
    verdicts = decide(judged.rows, None if job.work.whole else _orders_in_target(job, keys))
    batch = settle(job, records, judged, verdicts)
    return MergeBatch(batch, keys, judge_quality(job, judged, batch))


def place(rows: DataFrame, writes: Merge) -> DataFrame:
    """Returns the function's rows with their key, order and state."""
    business = [name for name in rows.columns if name != SOURCE]
    sequence = F.col(writes.sequence_by) if writes.sequence_by else F.col("_source.received")
    source = F.struct("_source.upload", "_source.received", "_source.record", sequence.alias("sequence"))
    deleted = F.coalesce(F.expr(writes.delete_when), F.lit(False)) if writes.delete_when else F.lit(False)
    return rows.select(
        *business,
        text_key(MERGE_KEY, writes.keys).alias(KEY),
        source.alias(SOURCE),
        F.when(deleted, State.DELETED.value).otherwise(State.LIVE.value).alias(STATE),
    )


def decide(rows: DataFrame, target: DataFrame | None) -> DataFrame:
    """Returns the verdict of each row: the newest of its key in the batch, compared with the target's row.

    target: `_key` and its order in the target as `_held`; None where the table is built whole.
    """
    newest_first = Window.partitionBy(KEY).orderBy(F.col("_order").desc())
    narrow = rows.select(KEY, order().alias("_order"), STATE)
    ranked = narrow.withColumn("_rank", F.row_number().over(newest_first))
    if target is None:
        against = ranked.withColumn("_held", F.lit(None).cast(narrow.schema["_order"].dataType))
    else:
        against = ranked.join(target, KEY, "left")
    verdict = (
        F.when((F.col("_rank") > 1) | (F.col("_held") > F.col("_order")), Verdict.SUPERSEDED.value)
        .when(F.col(STATE) == State.DELETED.value, Verdict.DELETED.value)
        .when(F.col("_held").isNull(), Verdict.INSERTED.value)
        .otherwise(Verdict.UPDATED.value)
    )
    existing = F.col("_held").isNotNull()
    return against.select(
        "_order.upload", "_order.record", F.lit(True).alias("first"), verdict.alias("verdict"), existing.alias("held")
    )


def order() -> Column:
    """Returns the order of a row: two rows of a key compare by it."""
    return F.struct(*(F.col(f"{SOURCE}.{name}") for name in ORDER))


def _orders_in_target(job: RecordJob, keys: KeyRange) -> DataFrame:
    """The target's keys and orders, from the files that can have a key of the batch."""
    target = job.reader.at(job.node.name, job.work.head.version)
    return target.filter(keys.condition()).select(KEY, order().alias("_held"))


def _commit(job: RecordJob, judged: MergeBatch) -> Commit:
    """One commit: rows, tombstones, rejected records, receipts, position."""
    batch = judged.batch
    rows = all_states(job, batch.winners, batch)
    if job.work.whole or batch.counts.held == 0:
        return commit_rows(job, rows, batch, judged.quality, job.writes_as(Merge).partition_by)
    same = judged.keys.condition("target.") & (F.col(f"target.{KEY}") == F.col(f"batch.{KEY}"))

    def build(target: DeltaTable) -> DeltaMergeBuilder:
        merge = target.alias("target").merge(rows.alias("batch"), same)
        return merge.withSchemaEvolution().whenMatchedUpdateAll().whenNotMatchedInsertAll()

    return job.committer.merge(build, rows, **batch_facts(batch.counts, judged.quality))
