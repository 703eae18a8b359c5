"""`Append`: each record's rows, as many as its function gives, exactly once.

A row's `_key` is upload, record and ordinal among the rows of its record, which their content decides: it is the
same however often the record is derived. `_state` is `live`, `rejected` (the quarantine) or `receipt`.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine.read.output_schema import content_hash
from headgate.engine.write.batch import (
    Sound,
    all_states,
    check_metrics,
    commit_rows,
    judge,
    outcome_of,
    read_feed,
    text_key,
)
from headgate.engine.write.outcome import Job, Outcome
from headgate.ledger.record_table import KEY, RECORD_KEY, STATE, State
from headgate.table import Append


def build_append(job: Job) -> Outcome:
    """Appends what is new. Raises BatchRefused, with the target untouched, where the gate refuses it."""
    batch = judge(job, read_feed(job), placed, all_inserted, one_row_a_record=False)
    rows = all_states(job, batch.rows, batch)
    commit = commit_rows(job, rows, batch, job.writes_as(Append).partition_by)
    check_metrics(job, batch.counts, commit)
    return outcome_of(batch.counts, commit)


def placed(rows: DataFrame) -> DataFrame:
    """The function's rows with their key and state. `_source.sequence` is the ordinal in the record, from 0."""
    business = [name for name in rows.columns if name != "_source"]
    by_content = Window.partitionBy("_source.upload", "_source.record").orderBy("_content")
    content = content_hash(rows.select(*business))
    numbered = rows.withColumn("_content", content).withColumn("_ordinal", F.row_number().over(by_content) - 1)
    ordinal = F.col("_ordinal").cast("bigint")
    source = F.struct("_source.upload", "_source.received", "_source.record", ordinal.alias("sequence"))
    return numbered.select(
        *business,
        text_key(RECORD_KEY, ("_source.upload", "_source.record", "_ordinal")).alias(KEY),
        source.alias("_source"),
        F.lit(State.LIVE.value).alias(STATE),
    )


def all_inserted(rows: DataFrame, _: Sound) -> DataFrame:
    """Every row is new: what was there before is never looked at."""
    first = F.col("_source.sequence") == 0
    return rows.select(
        "_source.upload",
        "_source.record",
        first.alias("first"),
        F.lit("inserted").alias("verdict"),
        F.lit(False).alias("held"),
    )
