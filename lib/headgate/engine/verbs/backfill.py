"""Backfill: chosen uploads, or chosen slices, are computed again from what the table has read up to.

Of a `Merge` table every key that the uploads' records give, or gave, is decided again from all records of bronze,
because a record may now give no row, another key, or be rejected: then the next best version of its key is in some
other upload. Of an `Append` table the records' own rows are replaced. Only what differs is written, in one commit.
"""

from __future__ import annotations

from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine.read.changes import read_at
from headgate.engine.read.output_schema import content_hash, with_columns_of
from headgate.engine.read.snapshots import snapshots
from headgate.engine.write import append, merge
from headgate.engine.write.batch import Sound, all_states, changes_of, feed_of, judge
from headgate.engine.write.difference import write_difference
from headgate.engine.write.outcome import Job, Outcome
from headgate.ledger.record_table import KEYED, ORDER, STATE, State, Verdict
from headgate.table import Append, Merge


def backfill_uploads(job: Job, uploads: list[str]) -> Outcome | None:
    """Computes the records of `uploads` again. None where nothing differs, and so nothing was committed."""
    parameter, read = changes_of(job)
    source = job.work.sources[read.table]
    everything = read_at(job.session, job.environment.table_uri(read.table), source.version)
    column = "upload" if read.table.startswith("bronze.") else "_source.upload"
    chosen = job.session.createDataFrame([(upload,) for upload in uploads], "_chosen string")
    mine = feed_of(job, parameter, read, _of(everything, column, chosen))
    target = read_at(job.session, job.work.head.uri, job.work.head.version)
    held_of_uploads = _of(target, "_source.upload", chosen)
    if isinstance(job.node.writes, Append):
        batch = judge(job, mine, append.placed, append.all_inserted, one_row_a_record=False)
        return write_difference(job, batch, all_states(job, batch.rows, batch), held_of_uploads)
    whole = feed_of(job, parameter, read, everything)
    decided: list[tuple[DataFrame, DataFrame]] = []

    def verdicts(rows: DataFrame, sound: Sound) -> DataFrame:
        held_keys = held_of_uploads.filter(F.col(STATE).isin(*KEYED)).select("_key")
        keys = job.stages.stage(rows.select("_key").union(held_keys).distinct())
        winners = job.stages.stage(_winners(job, whole.records().filter("_rejected IS NULL"), parameter, sound, keys))
        held = job.stages.stage(target.filter(F.col(STATE).isin(*KEYED)).join(keys, "_key", "left_semi"))
        decided.append((winners, held))
        return _verdicts(rows, winners, held)

    batch = judge(job, mine, partial(merge.placed, writes=job.writes_as(Merge)), verdicts, one_row_a_record=True)
    winners, held = decided[0]
    said = held_of_uploads.filter(~F.col(STATE).isin(*KEYED))
    return write_difference(job, batch, all_states(job, winners, batch), held.unionByName(said))


def _of(rows: DataFrame, column: str, chosen: DataFrame) -> DataFrame:
    return rows.join(F.broadcast(chosen), F.col(column) == F.col("_chosen"), "left_semi")


def _winners(job: Job, records: DataFrame, parameter: str, sound: Sound, keys: DataFrame) -> DataFrame:
    """The newest row of each key, of all records."""
    rows = job.function(**{parameter: records.drop("_rejected")}, **snapshots(job))
    newest = Window.partitionBy("_key").orderBy(_order().desc())
    mine = sound(rows).join(keys, "_key", "left_semi")
    return mine.withColumn("_rank", F.row_number().over(newest)).filter("_rank = 1").drop("_rank")


def _order() -> Column:
    return F.struct(*(F.col(f"_source.{name}") for name in ORDER))


def _verdicts(rows: DataFrame, winners: DataFrame, held: DataFrame) -> DataFrame:
    """What becomes of each row of the chosen uploads, beside all others of its key."""
    content = content_hash(winners)
    won = winners.select("_key", _order().alias("_won"), content.alias("_content"))
    was = with_columns_of(held, winners).select("_key", content.alias("_was"))
    narrow = rows.select("_key", _order().alias("_order"), STATE)
    against = narrow.join(won, "_key", "left").join(was, "_key", "left")
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
        F.col("_was").isNotNull().alias("held"),
    )
