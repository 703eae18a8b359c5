"""Backfill: chosen uploads, or chosen slices, are computed again from the versions that the table has read.

In a `Merge` table every key that the uploads' records give, or gave, is decided again from all records of bronze: a
record may now give no row, another key, or be rejected, and then the next version of its key is in another upload. In
an `Append` table the records' own rows are replaced. Only rows that differ are written, in one commit.
"""

from __future__ import annotations

import logging

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine.read.output_schema import content_hash, with_columns_of
from headgate.engine.read.records import Records, changes_of, records_of, source_rows, split_unreadable
from headgate.engine.write.append import settle_append
from headgate.engine.write.batch import apply_function, apply_rules, settle
from headgate.engine.write.difference import write_difference
from headgate.engine.write.merge import order, place
from headgate.engine.write.outcome import Outcome, RecordJob
from headgate.engine.write.record_commit import all_states
from headgate.ledger.record_table import IS_KEYED, KEY, STATE, State, Verdict
from headgate.table import Append, Merge

log = logging.getLogger(__name__)


def backfill_uploads(job: RecordJob, uploads: list[str]) -> Outcome | None:
    """Computes the records of `uploads` again; returns None where nothing differs, and so nothing was committed."""
    log.info("%s: recomputing the records of %d uploads", job.node.name, len(uploads))
    everything = split_unreadable(job, source_rows(job))
    chosen = job.session.createDataFrame([(upload,) for upload in uploads], "_chosen string")
    _, read = changes_of(job)
    column = "upload" if read.table.startswith("bronze.") else "_source.upload"
    records = records_of(job, _of_uploads(everything, column, chosen))
    target = job.reader.at(job.node.name, job.work.head.version)
    existing = _of_uploads(target, "_source.upload", chosen)
    if isinstance(job.node.writes, Append):
        batch, _ = settle_append(job, records)
        return write_difference(job, batch, all_states(job, batch.rows, batch), existing)
    return _backfill_merge(job, records, everything, target, existing)


def _backfill_merge(
    job: RecordJob, records: Records, everything: DataFrame, target: DataFrame, existing: DataFrame
) -> Outcome | None:
    """Decides every key of the records again, against all records of bronze."""
    placed = place(apply_function(job, records), job.writes_as(Merge))
    checked = apply_rules(job, placed, from_bronze=records.bronze is not None, one_row_per_record=True)
    keys = checked.rows.select(KEY).union(existing.filter(IS_KEYED).select(KEY))
    keys = job.stages.stage(keys.distinct())
    winners = job.stages.stage(_winners(job, records_of(job, everything), keys))
    of_keys = job.stages.stage(target.filter(IS_KEYED).join(keys, KEY, "left_semi"))
    batch = settle(job, records, checked, _decide(checked.rows, winners, of_keys))
    others = existing.filter(f"NOT ({IS_KEYED})")  # rejected records and receipts
    return write_difference(job, batch, all_states(job, winners, batch), of_keys.unionByName(others))


def _of_uploads(rows: DataFrame, column: str, chosen: DataFrame) -> DataFrame:
    return rows.join(F.broadcast(chosen), F.col(column) == F.col("_chosen"), "left_semi")


def _winners(job: RecordJob, records: Records, keys: DataFrame) -> DataFrame:
    """The newest row of each key, over all records."""
    rows = job.marks.sound(place(apply_function(job, records), job.writes_as(Merge)))
    newest = Window.partitionBy(KEY).orderBy(order().desc())
    of_keys = rows.join(keys, KEY, "left_semi")
    return of_keys.withColumn("_rank", F.row_number().over(newest)).filter("_rank = 1").drop("_rank")


def _decide(rows: DataFrame, winners: DataFrame, existing: DataFrame) -> DataFrame:
    """Returns the verdicts of the rows of the chosen uploads, as `Batch.verdicts`."""
    content = content_hash(winners)
    won = winners.select(KEY, order().alias("_won"), content.alias("_content"))
    was = with_columns_of(existing, winners).select(KEY, content.alias("_was"))
    narrow = rows.select(KEY, order().alias("_order"), STATE)
    against = narrow.join(won, KEY, "left").join(was, KEY, "left")
    verdict = (
        F.when(~F.col("_won").eqNullSafe(F.col("_order")), Verdict.SUPERSEDED.value)
        .when(F.col("_was") == F.col("_content"), Verdict.UNCHANGED.value)
        .when(F.col(STATE) == State.DELETED.value, Verdict.DELETED.value)
        .when(F.col("_was").isNull(), Verdict.INSERTED.value)
        .otherwise(Verdict.UPDATED.value)
    )
    return against.select(
        "_order.upload",
        "_order.record",
        F.lit(True).alias("first"),
        verdict.alias("verdict"),
        F.col("_was").isNotNull().alias("in_target"),
    )
