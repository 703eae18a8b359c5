"""`Append`: each record's rows, as many as its function returns, exactly once.

A row's `_key` is upload, record and ordinal among the rows of its record, which their content decides: it is the
same however often the record is derived. `_state` is `live`, `rejected` (the quarantine) or `receipt`.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine.read.output_schema import content_hash
from headgate.engine.read.records import Records
from headgate.engine.write.batch import Batch, apply_function, apply_rules, judge_quality, settle
from headgate.engine.write.keys import text_key
from headgate.engine.write.outcome import Outcome, RecordJob
from headgate.engine.write.record_commit import all_states, check_metrics, commit_rows, outcome_of
from headgate.ledger.record_table import KEY, RECORD_KEY, STATE, State, Verdict
from headgate.suites.quality import Judgement
from headgate.table import SOURCE, Append


def build_append(job: RecordJob, records: Records) -> Outcome:
    """Appends the rows of new records. Raises BatchRefused, with the target untouched, where the gate refuses them.

    Raises WrongCommit, after the commit, where Delta wrote another number of rows than the verdicts say.
    """
    batch, quality = settle_append(job, records)
    rows = all_states(job, batch.rows, batch)
    commit = commit_rows(job, rows, batch, quality, job.writes_as(Append).partition_by)
    check_metrics(job, batch.counts, commit)
    return outcome_of(batch.counts, commit, quality)


def settle_append(job: RecordJob, records: Records) -> tuple[Batch, Judgement]:
    """Returns the settled batch of `records`, and the suite's results."""
    placed = place(apply_function(job, records))
    checked = apply_rules(job, placed, from_bronze=records.bronze is not None, one_row_per_record=False)
    batch = settle(job, records, checked, all_inserted(checked.rows))
    return batch, judge_quality(job, checked, batch)


def place(rows: DataFrame) -> DataFrame:
    """Returns the function's rows with key and state. `_source.sequence` is the ordinal in the record, from 0."""
    business = [name for name in rows.columns if name != SOURCE]
    by_content = Window.partitionBy("_source.upload", "_source.record").orderBy("_content")
    content = content_hash(rows.select(*business))
    numbered = rows.withColumn("_content", content).withColumn("_ordinal", F.row_number().over(by_content) - 1)
    ordinal = F.col("_ordinal").cast("bigint")
    source = F.struct("_source.upload", "_source.received", "_source.record", ordinal.alias("sequence"))
    return numbered.select(
        *business,
        text_key(RECORD_KEY, ("_source.upload", "_source.record", "_ordinal")).alias(KEY),
        source.alias(SOURCE),
        F.lit(State.LIVE.value).alias(STATE),
    )


def all_inserted(rows: DataFrame) -> DataFrame:
    """Returns the verdicts of rows that are all new: the target is not read."""
    first = F.col("_source.sequence") == 0
    return rows.select(
        "_source.upload",
        "_source.record",
        first.alias("first"),
        F.lit(Verdict.INSERTED.value).alias("verdict"),
        F.lit(False).alias("in_target"),
    )
