"""The records that a table reads by `Changes`: bronze rows as typed records, or the rows of an `Append` table."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate.engine.read.changes import live
from headgate.engine.read.typed_records import SOURCE_FIELDS, typed, typed_schema
from headgate.engine.read.unreadable import IS_RECORD, split_again
from headgate.engine.write.outcome import Job
from headgate.ledger.record_table import IS_LIVE, IS_UNREADABLE, REJECTED, REJECTED_RECORD_TYPE, has_unreadable
from headgate.table import SOURCE, Changes


@dataclass(frozen=True)
class Records:
    """Records to take in, staged.

    parameter: the parameter of the table's function that receives the accepted ones.
    rows: one row per record: the columns of its contract, `_source`, and `_rejected` (null where accepted). Of an
    `Append` table one row per row of it, none of them rejected.
    bronze: the bronze rows that they were read from, receipts included; None where an `Append` table is read.
    unreadable: uploads that were rejected as a whole: their number, bytes, and records where these can be counted.
    """

    parameter: str
    rows: DataFrame
    bronze: DataFrame | None
    unreadable: tuple[int, int, int] = (0, 0, 0)

    @property
    def accepted(self) -> DataFrame:
        """The records that their contract accepts, as the function receives them."""
        return self.rows.filter(f"{REJECTED} IS NULL").drop(REJECTED)


def read_records(job: Job) -> Records:
    """Returns the records that the work of `job` takes in."""
    _, read = changes_of(job)
    return records_of(job, split_unreadable(job, job.reader.changes(read.table, job.work.sources[read.table])))


def records_of(job: Job, rows: DataFrame) -> Records:
    """Returns the records in `rows` of the table that is read by `Changes`. Of bronze: of `split_unreadable`."""
    parameter, read = changes_of(job)
    if read.table.startswith("bronze."):
        records = typed(rows.filter(IS_RECORD), job.graph.contract_of(read.table))
        unreadable = _unreadable(rows) if _has_unreadable(job, read.table) else (0, 0, 0)
        return Records(parameter, job.stages.stage(records), rows, unreadable)
    none = F.lit(None).cast(REJECTED_RECORD_TYPE).alias(REJECTED)
    return Records(parameter, job.stages.stage(_rows_with_source(rows).select("*", none)), None)


def split_unreadable(job: Job, rows: DataFrame) -> DataFrame:
    """Returns rows of the table that is read by `Changes`; of bronze with its unreadable uploads split again."""
    _, read = changes_of(job)
    if not read.table.startswith("bronze.") or not _has_unreadable(job, read.table):
        return rows
    return split_again(rows, job.graph.contract_of(read.table), job.stages)


def _has_unreadable(job: Job, bronze: str) -> bool:
    return has_unreadable(job.committer.ledger.open(bronze, job.work.sources[bronze].version))


def _unreadable(bronze: DataFrame) -> tuple[int, int, int]:
    sums = [F.count("*"), F.sum("receipt.bytes"), F.sum("receipt.records")]
    uploads, size, records = bronze.filter(IS_UNREADABLE).agg(*sums).collect()[0]
    return uploads, size or 0, records or 0


def source_rows(job: Job) -> DataFrame:
    """Returns all rows, of every state, of the table that is read by `Changes`, at the version of this work."""
    _, read = changes_of(job)
    return job.reader.at(read.table, job.work.sources[read.table].version)


def changes_of(job: Job) -> tuple[str, Changes]:
    """Returns the function's parameter for new records, and the read that declares it."""
    return next((name, read) for name, read in job.node.reads.items() if isinstance(read, Changes))


def empty_records(job: Job) -> DataFrame:
    """Returns an empty frame with the columns of the records that the function receives."""
    _, read = changes_of(job)
    if read.table.startswith("bronze."):
        return job.session.createDataFrame([], typed_schema(job.graph.contract_of(read.table)))
    return job.session.createDataFrame([], _rows_with_source(source_rows(job)).schema)


def _rows_with_source(rows: DataFrame) -> DataFrame:
    """The live rows of an `Append` table, with the upload and record that each came from."""
    source = F.struct(*(F.col(f"{SOURCE}.{name}").alias(name) for name in SOURCE_FIELDS))
    return rows.filter(IS_LIVE).select(*live(rows).columns, source.alias(SOURCE))
