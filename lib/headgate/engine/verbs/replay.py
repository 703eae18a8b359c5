"""Replay: rejected records are processed again, after a contract, a suite or a function was corrected.

They keep their own order, so a newer row of the same key stays. In one commit the records that pass are merged and
leave the quarantine, those that fail stay in it with their new reasons, and the receipts of their uploads are
corrected. The table's position stays as it is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.read.records import Records, records_of, source_rows, split_unreadable
from headgate.engine.read.unreadable import IS_RECORD
from headgate.engine.write.append import settle_append
from headgate.engine.write.difference import write_difference
from headgate.engine.write.merge import settle_merge
from headgate.engine.write.outcome import Outcome, RecordJob
from headgate.engine.write.receipts import is_unparsable
from headgate.engine.write.record_commit import all_states
from headgate.errors import UsageError
from headgate.lake.upload_identity import parse_upload_id
from headgate.ledger import metadata
from headgate.ledger.record_table import (
    COUNTS,
    IS_RECEIPT,
    IS_REJECTED,
    KEY,
    QUARANTINED,
    RECEIPT,
    RECEIPT_TYPE,
    UNPARSABLE,
    UNREADABLE,
    RecordCounts,
)
from headgate.table import Append
from headgate.views import quarantine

log = logging.getLogger(__name__)

#: How many uploads the commit's metadata names: a log's line stays short.
_NAMED = 100


@dataclass(frozen=True)
class Replayed:
    """The counts of a replay; `outcome` is None where nothing was written.

    reasons: `column`, `rule` and `records` of each reason for which records stay; a record with several counts in each.
    """

    counts: RecordCounts
    reasons: list[dict[str, Any]]
    outcome: Outcome | None = None

    @property
    def records(self) -> int:
        return self.counts.records

    @property
    def stay(self) -> int:
        return self.counts.quarantined

    @property
    def released(self) -> int:
        return self.records - self.stay


@dataclass(frozen=True)
class _Chosen:
    """The chosen records in the table: their `rejected` rows, and how many each upload has.

    counted: upload, records, and the same by how its receipt counts them.
    """

    target: DataFrame
    rejected: DataFrame
    counted: DataFrame
    uploads: list[str]


def replay(job: RecordJob, where: str = "", *, dry_run: bool = False) -> Replayed:
    """Replays the rejected records that meet `where`, SQL on the columns of the quarantine's view.

    Raises BatchRefused, with the target untouched, where the gate refuses the batch; UsageError for a wrong condition.
    """
    chosen = _choose(job, where)
    if not chosen.uploads:
        return Replayed(RecordCounts(), [])
    records = _records(job, chosen)
    if isinstance(job.node.writes, Append):
        batch, _ = settle_append(job, records)
        rows, existing = batch.rows, chosen.target.limit(0)
    else:
        merge = settle_merge(job, records)
        batch, rows = merge.batch, merge.batch.winners
        existing = chosen.target.filter(merge.keys.condition()).join(rows.select(KEY), KEY, "left_semi")
    replayed = Replayed(batch.counts, _reasons(batch.rejected))
    log.info("%s: %d of %d records pass", job.node.name, replayed.released, replayed.records)
    if dry_run:
        return replayed
    uploads = chosen.counted.select(F.col("upload").alias("_upload"))
    receipts = chosen.target.filter(IS_RECEIPT)
    receipts = receipts.join(uploads, F.col("_source.upload") == F.col("_upload"), "left_semi")
    facts = metadata.Replay(where, replayed.released, _released(batch.receipts))
    batch = replace(batch, receipts=_corrected(batch.receipts, receipts, chosen.counted))
    existing = existing.unionByName(chosen.rejected).unionByName(receipts)
    outcome = write_difference(job, batch, all_states(job, rows, batch), existing, replay=facts)
    return replace(replayed, outcome=outcome)


def _choose(job: RecordJob, where: str) -> _Chosen:
    if not job.node.has_quarantine:
        raise UsageError(f"{job.node.name} has no quarantine", fix=f"replay {job.node.sources[0]}, which it reads")
    head = job.work.head
    target = job.reader.at(job.node.name, head.version)
    rejected = target.filter(IS_REJECTED)
    if where.strip():
        matching = quarantine.rejected(job.committer.ledger, job.node, where=where, version=head.version)
        pairs = zip(*(matching[name].to_pylist() for name in ("upload", "record")), strict=True)
        wanted = job.session.createDataFrame(list(pairs), "_upload string, _record bigint")
        same = (F.col("_source.upload") == F.col("_upload")) & (F.col("_source.record") == F.col("_record"))
        rejected = rejected.join(wanted, same, "left_semi")
    rejected = job.stages.stage(rejected)
    unparsable = is_unparsable()
    counts = {"records": F.count("*"), UNPARSABLE: F.count_if(unparsable), "rejected": F.count_if(~unparsable)}
    counted = rejected.groupBy("_source.upload").agg(*(count.alias(name) for name, count in counts.items()))
    counted = job.stages.stage(counted)
    return _Chosen(target, rejected, counted, [row["upload"] for row in counted.select("upload").collect()])


def _records(job: RecordJob, chosen: _Chosen) -> Records:
    """The chosen records as bronze has them, as if their uploads had no other record.

    Of an upload that was rejected as a whole these are all records into which it is split by the contract as it is now.
    """
    days = {upload.hour.date() for upload in map(parse_upload_id, chosen.uploads) if upload}
    of_days = source_rows(job).filter(F.col("dt").isin(*days))
    bronze = of_days.join(F.broadcast(chosen.counted.select("upload")), "upload", "left_semi").select(of_days.columns)
    bronze = split_unreadable(job, bronze)
    whole = F.col("_rejected.reasons")[0]["rule"] == UNREADABLE
    records = chosen.rejected.filter(~whole).select("_source.upload", "_source.record")
    wholly = chosen.rejected.filter(whole).select("_source.upload")
    chosen_records = bronze.filter(IS_RECORD).join(records, ["upload", "record"], "left_semi").select(bronze.columns)
    of_wholly = bronze.filter(IS_RECORD).join(wholly, "upload", "left_semi").select(bronze.columns)
    mine = chosen_records.unionByName(of_wholly)
    # A chosen record that bronze does not give any more is missing in `mine`, and then the counts do not balance.
    count = records.select("upload").unionByName(of_wholly.select("upload")).groupBy("upload").count()
    count = count.select("upload", F.col("count").alias("_records"))
    receipts = bronze.filter(IS_RECEIPT).join(count, "upload")
    receipts = receipts.withColumn("receipt", F.col("receipt").withField("records", F.col("_records")))
    return records_of(job, mine.unionByName(receipts.select(bronze.columns)))


def _corrected(now: DataFrame, existing: DataFrame, counted: DataFrame) -> DataFrame:
    """The receipts of the uploads, with the selected records counted by their new verdicts."""
    was = counted.select("upload", F.struct("records", *QUARANTINED).alias("_was"))
    then = existing.select(F.col("_source.upload").alias("upload"), F.col("_receipt").alias("_then"))
    joined = now.select("upload", "received", "_receipt").join(then, "upload").join(was, "upload")

    def count(name: str) -> Column:
        total = F.col(f"_then.{name}") + F.col(f"_receipt.{name}")
        return (total - F.col(f"_was.{name}") if name in ("records", *QUARANTINED) else total).alias(name)

    receipt = F.struct("_then.store", "_then.object", *map(count, COUNTS)).cast(RECEIPT_TYPE)
    return joined.select("upload", "received", receipt.alias(RECEIPT))


def _released(receipts: DataFrame) -> dict[str, int]:
    """Upload -> how many of its records leave the quarantine, of the first uploads by name."""
    stay = F.col("_receipt.unparsable") + F.col("_receipt.rejected")
    released = receipts.select("upload", (F.col("_receipt.records") - stay).alias("records")).filter("records > 0")
    return {row["upload"]: row["records"] for row in released.orderBy("upload").limit(_NAMED).collect()}


def _reasons(rejected: DataFrame) -> list[dict[str, Any]]:
    """The reasons of rejected records and how many records have each, in the form of `quarantine.totals`."""

    def plain(reason: Column) -> Column:
        column = F.regexp_replace(reason["column"], r"\[\d+\]", "[]")
        return F.struct(column.alias("column"), reason["rule"].alias("rule"))

    reason = F.explode(F.array_distinct(F.transform("_rejected.reasons", plain)))
    by_reason = rejected.select(reason.alias("_reason")).groupBy("_reason.column", "_reason.rule")
    counted = by_reason.agg(F.count("*").alias("records")).orderBy(F.col("records").desc(), "column", "rule")
    return [row.asDict() for row in counted.collect()]
