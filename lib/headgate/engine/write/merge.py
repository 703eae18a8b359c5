"""`Merge`: the newest version of a key wins, and all that a run says about a record is in one commit.

The table's `_state` tells its rows apart: `live`, `deleted` (tombstones, so that a late older row cannot
bring a key back), `rejected` (the quarantine) and `receipt` (one an upload). A row's order is the tuple
(sequence, received, upload, record); the greater tuple replaces, whatever its content.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine.read.changes import read_at
from headgate.engine.write.batch import (
    Batch,
    Feed,
    Sound,
    all_states,
    check_metrics,
    commit_rows,
    judge,
    outcome_of,
    read_feed,
    text_key,
    winners,
)
from headgate.engine.write.outcome import Job, Outcome
from headgate.ledger.ledger import Commit
from headgate.ledger.metadata import facts_of
from headgate.ledger.record_table import KEY, KEYED, MERGE_KEY, ORDER, STATE, State, Verdict
from headgate.table import Merge

#: A literal condition on the target, its columns under a prefix.
Within = Callable[[str], Column]


def build_merge(job: Job) -> Outcome:
    """Merges what is new. Raises BatchRefused, with the target untouched, where the gate refuses it."""
    batch, within = judged(job, read_feed(job))
    commit = _commit(job, batch, within)
    check_metrics(job, batch.counts, commit)
    return outcome_of(batch.counts, commit)


def judged(job: Job, feed: Feed) -> tuple[Batch, Within]:
    """The feed's records beside what the target holds, and a condition that every target row of their keys meets."""
    bounds: list[Within] = []

    def verdicts(rows: DataFrame, _: Sound) -> DataFrame:
        bounds.append(_within_keys(rows))
        return _verdicts(job, rows, bounds[0])

    batch = judge(job, feed, partial(placed, writes=job.writes_as(Merge)), verdicts, one_row_a_record=True)
    return batch, bounds[0]


def placed(rows: DataFrame, writes: Any) -> DataFrame:
    """The function's rows with their key, order and state."""
    business = [name for name in rows.columns if name != "_source"]
    sequence = F.col(writes.sequence_by) if writes.sequence_by else F.col("_source.received")
    order = {"upload": "_source.upload", "received": "_source.received", "record": "_source.record"}
    deleted = F.coalesce(F.expr(writes.delete_when), F.lit(False)) if writes.delete_when else F.lit(False)
    return rows.select(
        *business,
        text_key(MERGE_KEY, writes.keys).alias(KEY),
        F.struct(*(F.col(path).alias(name) for name, path in order.items()), sequence.alias("sequence")).alias(
            "_source"
        ),
        F.when(deleted, State.DELETED.value).otherwise(State.LIVE.value).alias(STATE),
    )


def _verdicts(job: Job, rows: DataFrame, within: Within) -> DataFrame:
    """What becomes of each row: the newest of its key in the batch against what the target holds."""
    order = F.struct(*(F.col(f"_source.{name}") for name in ORDER))
    newest_first = Window.partitionBy("_key").orderBy(F.col("_order").desc())
    narrow = rows.select("_key", order.alias("_order"), STATE)
    ranked = narrow.withColumn("_rank", F.row_number().over(newest_first))
    if job.work.whole:
        against = ranked.withColumn("_held", F.lit(None).cast(narrow.schema["_order"].dataType))
    else:
        against = ranked.join(_held(job, within, order), "_key", "left")
    verdict = (
        F.when((F.col("_rank") > 1) | (F.col("_held") > F.col("_order")), Verdict.SUPERSEDED.value)
        .when(F.col(STATE) == State.DELETED.value, Verdict.DELETED.value)
        .when(F.col("_held").isNull(), Verdict.INSERTED.value)
        .otherwise(Verdict.UPDATED.value)
    )
    held = F.col("_held").isNotNull()
    return against.select(
        "_order.upload", "_order.record", F.lit(True).alias("first"), verdict.alias("verdict"), held.alias("held")
    )


def _held(job: Job, within: Within, order: Column) -> DataFrame:
    """The target's keys and orders, of the files that can hold a key of the batch."""
    target = read_at(job.session, job.work.head.uri, job.work.head.version)
    return target.filter(within("")).select("_key", order.alias("_held"))


def _within_keys(rows: DataFrame) -> Within:
    """A literal condition on the target: rows by key, between the batch's least and greatest key.

    A MERGE does not prune files by its source's values; by literals it does.
    """
    least, greatest = rows.agg(F.min("_key"), F.max("_key")).collect()[0]

    def within(prefix: str) -> Column:
        state, key = F.col(f"{prefix}{STATE}"), F.col(f"{prefix}{KEY}")
        return state.isin(*KEYED) & key.between(F.lit(least), F.lit(greatest))

    return within


def _commit(job: Job, batch: Batch, within: Within) -> Commit:
    """The target's one commit: rows, tombstones, rejected records, receipts, position."""
    rows = all_states(job, winners(batch), batch)
    if job.work.whole or batch.counts.held == 0:
        return commit_rows(job, rows, batch, job.writes_as(Merge).partition_by)
    return _merge(job, rows, within, facts_of(batch.counts))


def _merge(job: Job, rows: DataFrame, within: Within, facts: dict[str, Any]) -> Commit:
    """One equi-join by key: matched rows are updated, new ones, rejected records and receipts inserted."""
    same = within("target.") & (F.col("target._key") == F.col("batch._key"))

    def build(target: DeltaTable) -> DeltaMergeBuilder:
        merge = target.alias("target").merge(rows.alias("batch"), same)
        return merge.withSchemaEvolution().whenMatchedUpdateAll().whenNotMatchedInsertAll()

    return job.committer.merge(build, **facts)
