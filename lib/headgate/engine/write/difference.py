"""Makes some rows of a `Merge` or `Append` table equal to others: only rows that differ are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.read.output_schema import content_hash, with_columns_of
from headgate.engine.write.batch import Batch
from headgate.engine.write.outcome import Outcome, RecordJob
from headgate.engine.write.record_commit import outcome_of, require_metrics
from headgate.ledger.ledger import Commit
from headgate.ledger.record_table import COUNTS, FIRST_SEEN, KEY, KEYED, RECEIPT, REJECTED, STATE, VERDICTS
from headgate.table import Append


def write_difference(
    job: RecordJob, batch: Batch, wanted: DataFrame, existing: DataFrame, **facts: Any
) -> Outcome | None:
    """Replaces the rows `existing` by the rows `wanted` in one MERGE by key; returns None if no row differs.

    facts: further fields of the commit's metadata.
    """
    # A receipt's verdicts belong to the run that wrote it; of an `Append` table they are the number of its rows.
    counts = COUNTS if isinstance(job.node.writes, Append) else [name for name in COUNTS if name not in VERDICTS]
    changes = job.stages.stage(_difference(wanted, with_columns_of(existing, wanted), counts))
    totals = changes.agg(
        F.count("*").alias("all"),
        F.count_if(F.col("_old_state").isin(*KEYED) | F.col(STATE).isin(*KEYED)).alias("rows"),
        F.count_if("_gone").alias("gone"),
        F.count_if(F.col("_old_state").isNull()).alias("new"),
    ).collect()[0]
    if not totals["all"]:
        return None
    counted = replace(batch.counts, changed=totals["rows"])
    commit = _merge(job, changes, wanted.columns, {**counted.facts, **facts})
    updated = totals["all"] - totals["new"] - totals["gone"]
    names = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
    require_metrics(job, commit, dict(zip(names, (totals["new"], updated, totals["gone"]), strict=True)))
    return outcome_of(batch.counts, commit, written=totals["rows"])


def _merge(job: RecordJob, changes: DataFrame, names: list[str], facts: dict[str, Any]) -> Commit:
    columns: dict[str, str | Column] = {f"`{name}`": F.col(f"changes.{name}") for name in names}
    same = _within(changes) & (F.col(f"target.{KEY}") == F.col(f"changes.{KEY}"))

    def build(target: DeltaTable) -> DeltaMergeBuilder:
        merge = target.alias("target").merge(changes.alias("changes"), same).withSchemaEvolution()
        merge = merge.whenMatchedDelete("changes._gone").whenMatchedUpdate(set=columns)
        return merge.whenNotMatchedInsert(condition="NOT changes._gone", values=columns)

    return job.committer.merge(build, changes, **facts)


def _within(changes: DataFrame) -> Column:
    """Keys between the least and the greatest of each kind, as literals: by them a MERGE skips files."""
    kinds = changes.groupBy(F.substring(KEY, 1, 2)).agg(F.min(KEY), F.max(KEY)).collect()
    return reduce(or_, (F.col(f"target.{KEY}").between(F.lit(least), F.lit(most)) for _, least, most in kinds))


def _difference(wanted: DataFrame, existing: DataFrame, counts: Iterable[str]) -> DataFrame:
    """One row per key whose content differs: the wanted row, or a row that is `_gone`."""
    old = _with_content(existing, "_old", counts)
    old = old.select(F.col(KEY).alias("_old_key"), F.col(STATE).alias("_old_state"), "_old", _first_seen())
    joined = _with_content(wanted, "_new", counts).join(old, F.col(KEY) == F.col("_old_key"), "full_outer")
    changed = joined.filter(~F.col("_new").eqNullSafe(F.col("_old")))
    gone = F.col(KEY).isNull()
    key = F.coalesce(KEY, "_old_key")
    rows = changed.withColumns({"_gone": gone, KEY: key, REJECTED: _rejected_since_first()})
    return rows.drop("_old_key", "_old", "_new", "_first")


def _first_seen() -> Column:
    """The first run that rejected a record, and when it began."""
    return F.struct(*(F.col(f"{REJECTED}.{part}") for part in FIRST_SEEN)).alias("_first")


def _rejected_since_first() -> Column:
    """`_rejected`, with the first run that rejected the record where it was rejected before."""
    again = F.col(REJECTED)
    for part in FIRST_SEEN:
        again = again.withField(part, F.col(f"_first.{part}"))
    return F.when(F.col("_first.run").isNotNull(), again).otherwise(F.col(REJECTED))


def _with_content(rows: DataFrame, name: str, counts: Iterable[str]) -> DataFrame:
    """`rows` with a hash of their content; of a receipt only these counts are content."""
    receipt = F.struct(*(F.col(f"{RECEIPT}.{part}").alias(part) for part in ("store", "object", *counts)))
    rejected = F.col(REJECTED).dropFields(*FIRST_SEEN)
    plain = rows.withColumns({"_content_receipt": receipt, "_content_rejected": rejected})
    hashed = plain.withColumn(name, content_hash(plain.drop(RECEIPT, REJECTED)))
    return hashed.drop("_content_receipt", "_content_rejected")
