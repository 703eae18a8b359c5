"""The steps of a batch of records: function -> row rules -> verdicts -> settled batch.

`merge.py` and `append.py` put the steps in their order; each takes values and returns values. Everything that a run
says about a record is in one commit: its rows, the record itself where it is rejected (the quarantine), and one
receipt per upload. A table that reads an `Append` table has no rejected records and no receipts: its records were
checked there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate.engine.gate import gate
from headgate.engine.read.records import Records
from headgate.engine.steps import FUNCTION, GATE, step
from headgate.engine.write import receipts
from headgate.engine.write.outcome import RecordJob
from headgate.ledger.record_table import IS_LIVE, KEY, NOT_WRITTEN, RecordCounts
from headgate.suites.quality import Judgement
from headgate.table import SOURCE

_BROADCAST_ROWS = 100_000


@dataclass(frozen=True)
class CheckedRows:
    """The rows of a function after the row rules, each with `_key`, `_source` and `_state`.

    marked: every row, with the bits of the job's marks. rows: the rows of records that no rule rejects.
    refused: one row per record that a rule rejects: `_source`, `_key`, and its reasons as `_reasons`.
    """

    marked: DataFrame
    rows: DataFrame
    refused: DataFrame


@dataclass(frozen=True)
class Batch:
    """A settled batch: every record is accounted for. Verdicts and receipts are staged, rows as `apply_rules` says.

    rows: rows of accepted records: business columns, `_key`, `_source`, `_state`.
    verdicts: a row per row of `rows`: upload, record, first (of its record), verdict, in_target (it has the key).
    rejected: one row per rejected record: `_source`, `_rejected`, and `key` and `sequence` where they are known.
    receipts: one row per upload: upload, received, `_receipt`.
    """

    rows: DataFrame
    verdicts: DataFrame
    rejected: DataFrame
    receipts: DataFrame
    counts: RecordCounts

    @property
    def winners(self) -> DataFrame:
        """The rows to write: all but the superseded and the unchanged."""
        if self.counts.not_written == 0:
            return self.rows
        lost = self.verdicts.filter(F.col("verdict").isin(*NOT_WRITTEN))
        lost = lost.select(F.struct("upload", "record").alias("_lost"))
        if self.counts.not_written <= _BROADCAST_ROWS:
            lost = F.broadcast(lost)  # Spark does not know that they are few, and would shuffle every row
        record = F.struct(f"{SOURCE}.upload", f"{SOURCE}.record")
        return self.rows.join(lost, record == F.col("_lost"), "left_anti")


def apply_function(job: RecordJob, records: Records) -> DataFrame:
    """Returns the rows of the table's function for the accepted records. Raises TableError as the function does."""
    step(FUNCTION)
    return job.checked_function(**{records.parameter: records.accepted}, **job.inputs)


def apply_rules(job: RecordJob, placed: DataFrame, *, from_bronze: bool, one_row_per_record: bool) -> CheckedRows:
    """Judges rows, which have `_key`, `_source` and `_state`, by the row rules of the table and its suite.

    They are staged, unless each row only selects columns of a record and no suite counts them. Raises BatchRefused if
    a record has several rows and the table accepts one.
    """
    marked = job.marks.on(placed)
    if job.suite or not job.checked_function.is_row_by_row:
        marked = job.stages.stage(marked)
    # Rows of an `Append` table can share a record; rows from bronze only if the function repeats a record.
    if one_row_per_record and (not from_bronze or job.checked_function.may_multiply):
        gate.require_one_row_a_record(marked, job.node)
    return _divided(job, marked, one_row_per_record=one_row_per_record)


def _divided(job: RecordJob, marked: DataFrame, *, one_row_per_record: bool) -> CheckedRows:
    """Divides marked rows by whether their record is rejected: a record is rejected as a unit, with all its reasons."""
    marks = job.marks
    sound, failing = marks.off(marked.filter(~marks.rejects)), marked.filter(marks.rejects)
    refused = failing.select(SOURCE, KEY, marks.reasons.alias("_reasons"))
    if one_row_per_record or not marks.rejecting:
        return CheckedRows(marked, sound, refused)
    record = F.struct(f"{SOURCE}.upload", f"{SOURCE}.received", f"{SOURCE}.record")
    reasons = F.array_sort(F.array_distinct(F.flatten(F.collect_list("_reasons"))))
    key = F.lit(None).cast("string")  # a row has a key, a record with several rows has none
    refused = refused.groupBy(record.alias(SOURCE)).agg(key.alias(KEY), reasons.alias("_reasons"))
    whole = F.broadcast(refused.select(F.col(SOURCE).alias("_refused")))
    return CheckedRows(marked, sound.join(whole, record == F.col("_refused"), "left_anti"), refused)


def settle(job: RecordJob, records: Records, checked: CheckedRows, verdicts: DataFrame) -> Batch:
    """Accounts for every record: verdicts, rejected records and receipts, and counts that balance.

    Raises BatchRefused where they do not balance, or where a record must be rejected and the table has no quarantine.
    """
    verdicts = job.stages.stage(verdicts)
    by_upload = job.stages.stage(receipts.receipts_of(records, checked.refused, verdicts))
    counts = receipts.totals(by_upload)
    uploads, size, unreadable_records = records.unreadable
    unreadable = {"unreadable": uploads, "unreadable_bytes": size, "unreadable_records": unreadable_records}
    counts = replace(counts, **unreadable)
    gate.require_balance(counts, job.node)
    refused = checked.refused if counts.refused else None
    if records.bronze is None:
        gate.require_all_placed(refused, job.node)
        rejected = receipts.none_rejected(records)
        return Batch(checked.rows, verdicts, rejected, by_upload.limit(0), replace(counts, uploads=0))
    rejected = receipts.rejected_by_contract(job.node, records, job.checked_function.shape)
    if refused is not None:
        rejected = receipts.with_refused(job.node, rejected, refused, records.bronze)
    return Batch(checked.rows, verdicts, rejected, by_upload, counts)


def judge_quality(job: RecordJob, checked: CheckedRows, batch: Batch) -> Judgement:
    """Judges the batch by the table's suite. Raises BatchRefused where a critical expectation fails.

    A batch without rows is not checked by batch expectations: it cannot have too few rows.
    """
    step(GATE)
    brings_rows = batch.counts.inserted + batch.counts.updated > 0
    published = batch.winners.filter(IS_LIVE) if brings_rows else None
    return gate.require_quality(job, job.marks, checked.marked, published)
