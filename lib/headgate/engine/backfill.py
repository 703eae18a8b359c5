"""Backfill: chosen uploads, or chosen slices, are computed again from what the table has read up to.

Of a `Merge` table every key that the uploads' records give, or gave, is decided again from all records of bronze,
because a record may now give no row, another key, or be rejected: then the next best version of its key is in some
other upload. Of an `Append` table the records' own rows are replaced. Only what differs is written, in one commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine import append, merge
from headgate.engine.batch import COUNTS, FIRST_SEEN, VERDICTS, Batch, all_states, changes_of, feed_of, judge
from headgate.engine.inputs import snapshots
from headgate.engine.outcome import Job, Outcome
from headgate.engine.reads import read_at
from headgate.engine.schema import content_hash, with_columns_of
from headgate.table import Append, Merge

_BY_KEY = ("live", "deleted")


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
        return _write(job, batch, all_states(job, batch.rows, batch), held_of_uploads)
    whole = feed_of(job, parameter, read, everything)
    decided: list[tuple[DataFrame, DataFrame]] = []

    def verdicts(rows: DataFrame) -> DataFrame:
        held_keys = held_of_uploads.filter(F.col("_state").isin(*_BY_KEY)).select("_key")
        keys = job.stages.stage(rows.select("_key").union(held_keys).distinct())
        winners = job.stages.stage(_winners(job, whole.records().filter("_rejected IS NULL"), parameter, keys))
        held = job.stages.stage(target.filter(F.col("_state").isin(*_BY_KEY)).join(keys, "_key", "left_semi"))
        decided.append((winners, held))
        return _verdicts(rows, winners, held)

    batch = judge(job, mine, partial(merge.placed, writes=job.writes_as(Merge)), verdicts, one_row_a_record=True)
    winners, held = decided[0]
    said = held_of_uploads.filter(~F.col("_state").isin(*_BY_KEY))
    return _write(job, batch, all_states(job, winners, batch), held.unionByName(said))


def _of(rows: DataFrame, column: str, chosen: DataFrame) -> DataFrame:
    return rows.join(F.broadcast(chosen), F.col(column) == F.col("_chosen"), "left_semi")


def _winners(job: Job, records: DataFrame, parameter: str, keys: DataFrame) -> DataFrame:
    """The newest row of each key, of all records."""
    rows = job.function(**{parameter: records.drop("_rejected")}, **snapshots(job))
    placed = merge.placed(rows, writes=job.writes_as(Merge)).filter("size(_reasons) = 0").drop("_reasons")
    newest = Window.partitionBy("_key").orderBy(_order().desc())
    mine = placed.join(keys, "_key", "left_semi")
    return mine.withColumn("_rank", F.row_number().over(newest)).filter("_rank = 1").drop("_rank")


def _order() -> Column:
    return F.struct(*(F.col(f"_source.{name}") for name in merge.ORDER))


def _verdicts(rows: DataFrame, winners: DataFrame, held: DataFrame) -> DataFrame:
    """What becomes of each row of the chosen uploads, beside all others of its key."""
    content = content_hash(winners)
    won = winners.select("_key", _order().alias("_won"), content.alias("_content"))
    was = with_columns_of(held, winners).select("_key", content.alias("_was"))
    narrow = rows.select("_key", _order().alias("_order"), "_state")
    against = narrow.join(won, "_key", "left").join(was, "_key", "left")
    verdict = (
        F.when(~F.col("_won").eqNullSafe(F.col("_order")), "superseded")
        .when(F.col("_was") == F.col("_content"), "unchanged")
        .when(F.col("_state") == "deleted", "deleted")
        .when(F.col("_was").isNull(), "inserted")
        .otherwise("updated")
    )
    return against.select(
        "_order.upload", "_order.record", F.lit(True).alias("first"), verdict.alias("verdict"),
        F.col("_was").isNotNull().alias("held"),
    )  # fmt: skip


def _write(job: Job, batch: Batch, wanted: DataFrame, held: DataFrame) -> Outcome | None:
    """One MERGE by key that makes `held` what is `wanted`."""
    # Whether Merge updated a row or left it is of the run that wrote the receipt; how many rows a record gave is not.
    counts = COUNTS if isinstance(job.node.writes, Append) else [name for name in COUNTS if name not in VERDICTS]
    changes = job.stages.stage(_difference(wanted, with_columns_of(held, wanted), counts))
    by_key = F.col("_old_state").isin(*_BY_KEY) | F.col("_state").isin(*_BY_KEY)
    told = changes.agg(F.count("*").alias("all"), F.count_if(by_key).alias("rows")).collect()[0]
    if not told["all"]:
        return None
    columns: dict[str, str | Column] = {f"`{name}`": F.col(f"changes.{name}") for name in wanted.columns}
    facts = {"counts": {**batch.counts, "changed": told["rows"]}, "changes_rows": told["rows"] > 0}
    with job.committer.merging(**facts) as session:
        target = DeltaTable.forPath(session, job.work.head.uri).alias("target")
        put = target.merge(changes.alias("changes"), "target._key = changes._key").withSchemaEvolution()
        put = put.whenMatchedDelete("changes._gone").whenMatchedUpdate(set=columns)
        put.whenNotMatchedInsert(condition="NOT changes._gone", values=columns).execute()
    commit = job.committer.committed()
    return Outcome(commit.version, batch.counts["records"], told["rows"], batch.counts["quarantined"], batch.counts)


def _difference(wanted: DataFrame, held: DataFrame, counts: Iterable[str]) -> DataFrame:
    """One row a key whose content differs: what it is to be, or `_gone`."""
    old = _with_content(held, "_old", counts)
    old = old.select(F.col("_key").alias("_old_key"), F.col("_state").alias("_old_state"), "_old", _first())
    joined = _with_content(wanted, "_new", counts).join(old, F.col("_key") == F.col("_old_key"), "full_outer")
    changed = joined.filter(~F.col("_new").eqNullSafe(F.col("_old")))
    gone = F.col("_key").isNull()
    key = F.coalesce("_key", "_old_key")
    told = changed.withColumns({"_gone": gone, "_key": key, "_rejected": _as_first_seen()})
    return told.drop("_old_key", "_old", "_new", "_first")


def _first() -> Column:
    """Which run was the first to reject a record, and when that began."""
    return F.struct(*(F.col(f"_rejected.{part}") for part in FIRST_SEEN)).alias("_first")


def _as_first_seen() -> Column:
    """A record that was rejected before stays of the run that was the first to do so."""
    again = F.col("_rejected")
    for part in FIRST_SEEN:
        again = again.withField(part, F.col(f"_first.{part}"))
    return F.when(F.col("_first.run").isNotNull(), again).otherwise(F.col("_rejected"))


def _with_content(rows: DataFrame, name: str, counts: Iterable[str]) -> DataFrame:
    """`rows` with a hash of their content; of a receipt with these of its counts."""
    parts = ("store", "object", *counts)
    said = F.struct(*(F.col(f"_receipt.{part}").alias(part) for part in parts))
    judged = F.col("_rejected").dropFields(*FIRST_SEEN)
    plain = rows.withColumns({"_said": said, "_judged": judged})
    return plain.withColumn(name, content_hash(plain.drop("_receipt", "_rejected"))).drop("_said", "_judged")
