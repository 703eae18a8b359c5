"""The records that a table reads by `Changes`: bronze rows as typed records, or the rows of an `Append` table."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate.engine.read.changes import live
from headgate.engine.read.typed_records import SOURCE_FIELDS, typed, typed_schema
from headgate.engine.write.outcome import Job
from headgate.ledger.record_table import IS_LIVE, REJECTED, REJECTED_RECORD_TYPE
from headgate.table import SOURCE, Changes


@dataclass(frozen=True)
class Records:
    """Records to take in, staged.

    parameter: the parameter of the table's function that receives the accepted ones.
    rows: one row per record: the columns of its contract, `_source`, and `_rejected` (null where accepted). Of an
    `Append` table one row per row of it, none of them rejected.
    bronze: the bronze rows that they were read from, receipts included; None where an `Append` table is read.
    """

    parameter: str
    rows: DataFrame
    bronze: DataFrame | None

    @property
    def accepted(self) -> DataFrame:
        """The records that their contract accepts, as the function receives them."""
        return self.rows.filter(f"{REJECTED} IS NULL").drop(REJECTED)


def read_records(job: Job) -> Records:
    """Returns the records that the work of `job` takes in."""
    _, read = changes_of(job)
    return records_of(job, job.reader.changes(read.table, job.work.sources[read.table]))


def records_of(job: Job, rows: DataFrame) -> Records:
    """Returns the records in `rows` of the table that is read by `Changes`, whatever their state."""
    parameter, read = changes_of(job)
    if read.table.startswith("bronze."):
        records = typed(rows.filter(IS_LIVE), job.graph.contract_of(read.table))
        return Records(parameter, job.stages.stage(records), rows)
    none = F.lit(None).cast(REJECTED_RECORD_TYPE).alias(REJECTED)
    return Records(parameter, job.stages.stage(_rows_with_source(rows).select("*", none)), None)


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
