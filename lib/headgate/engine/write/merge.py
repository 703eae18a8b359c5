"""`Merge`: the newest version of a key wins, and everything that a run says about a record is in one commit.

`build_merge` gets the records that the table reads, and works from top to bottom:

    apply_function -> place -> apply_rules -> decide -> settle -> judge_quality -> commit

The table's `_state` separates its rows: `live`, `deleted` (tombstones, so that a late older row cannot restore a key
back), `rejected` (the quarantine) and `receipt` (one per upload). A row's order is the tuple (sequence, received,
upload, record); the greater tuple replaces, whatever its content.
"""

from __future__ import annotations

from dataclasses import dataclass

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine.read.records import Records
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
    """A settled batch of a `Merge` table, its range of keys, and the suite's results."""

    batch: Batch
    keys: KeyRange
    quality: Judgement


def build_merge(job: RecordJob, records: Records) -> Outcome:
    """Merges new records. Raises BatchRefused, with the target untouched, where the gate refuses them.

    Raises WrongCommit, after the commit, where Delta wrote other numbers of rows than the verdicts say.
    """
    merge = settle_merge(job, records)
    commit = _commit(job, merge)
    check_metrics(job, merge.batch.counts, commit)
    return outcome_of(merge.batch.counts, commit, merge.quality)


def settle_merge(job: RecordJob, records: Records) -> MergeBatch:
    """Returns the settled batch of `records`: the steps between reading and the commit."""
    placed = place(apply_function(job, records), job.writes_as(Merge))
    checked = apply_rules(job, placed, from_bronze=records.bronze is not None, one_row_per_record=True)
    keys = key_range(checked.rows)
    verdicts = decide(checked.rows, None if job.work.whole else _orders_in_target(job, keys))
    batch = settle(job, records, checked, verdicts)
    return MergeBatch(batch, keys, judge_quality(job, checked, batch))


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

    target: `_key` and its order in the target as `_target_order`; None where the table is built whole.
    A row with the order of the target's row is the same record again, so it is written again, as UPDATED.
    """
    newest_first = Window.partitionBy(KEY).orderBy(F.col("_order").desc())
    narrow = rows.select(KEY, order().alias("_order"), STATE)
    ranked = narrow.withColumn("_rank", F.row_number().over(newest_first))
    if target is None:
        against = ranked.withColumn("_target_order", F.lit(None).cast(narrow.schema["_order"].dataType))
    else:
        against = ranked.join(target, KEY, "left")
    # A key that the target lacks has no order there: the comparison is null, which does not supersede a row.
    verdict = (
        F.when((F.col("_rank") > 1) | (F.col("_target_order") > F.col("_order")), Verdict.SUPERSEDED.value)
        .when(F.col(STATE) == State.DELETED.value, Verdict.DELETED.value)
        .when(F.col("_target_order").isNull(), Verdict.INSERTED.value)
        .otherwise(Verdict.UPDATED.value)
    )
    in_target = F.col("_target_order").isNotNull()
    return against.select(
        "_order.upload",
        "_order.record",
        F.lit(True).alias("first"),
        verdict.alias("verdict"),
        in_target.alias("in_target"),
    )


def order() -> Column:
    """Returns the order of a row: two rows of a key compare by it."""
    return F.struct(*(F.col(f"{SOURCE}.{name}") for name in ORDER))


def _orders_in_target(job: RecordJob, keys: KeyRange) -> DataFrame:
    """The target's keys and orders, from the files that can have a key of the batch."""
    target = job.reader.at(job.node.name, job.work.head.version)
    return target.filter(keys.condition()).select(KEY, order().alias("_target_order"))


def _commit(job: RecordJob, merge: MergeBatch) -> Commit:
    """One commit: rows, tombstones, rejected records, receipts, position.

    It appends where no row replaces one: the target has none of the keys. It cannot gain one meanwhile, because the
    commit fails (LostRace) if another commit came after the version that the verdicts are for. The keys of rejected
    records and receipts name their uploads, which are new.
    """
    batch = merge.batch
    rows = all_states(job, batch.winners, batch)
    if job.work.whole or batch.counts.replacing == 0:
        return commit_rows(job, rows, batch, merge.quality, job.writes_as(Merge).partition_by)
    same = merge.keys.condition("target.") & (F.col(f"target.{KEY}") == F.col(f"batch.{KEY}"))

    def build(target: DeltaTable) -> DeltaMergeBuilder:
        builder = target.alias("target").merge(rows.alias("batch"), same)
        return builder.withSchemaEvolution().whenMatchedUpdateAll().whenNotMatchedInsertAll()

    return job.committer.merge(build, rows, **batch_facts(batch.counts, merge.quality))
