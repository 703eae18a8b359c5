"""What a `Merge` or `Append` table is to hold of some records, against what it holds: only what differs is written."""

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
from headgate.engine.write.batch import Batch, outcome_of, require_metrics
from headgate.engine.write.outcome import Job, Outcome
from headgate.ledger.ledger import Commit
from headgate.ledger.metadata import facts_of
from headgate.ledger.record_table import COUNTS, FIRST_SEEN, KEYED, STATE, VERDICTS
from headgate.table import Append


def write_difference(job: Job, batch: Batch, wanted: DataFrame, held: DataFrame, **facts: Any) -> Outcome | None:
    """One MERGE by key that makes `held` what is `wanted`; `facts` go into its metadata. None where nothing differs."""
    # Whether Merge updated a row or left it is of the run that wrote the receipt; how many rows a record gave is not.
    counts = COUNTS if isinstance(job.node.writes, Append) else [name for name in COUNTS if name not in VERDICTS]
    changes = job.stages.stage(_difference(wanted, with_columns_of(held, wanted), counts))
    by_key = F.col("_old_state").isin(*KEYED) | F.col(STATE).isin(*KEYED)
    new = F.col("_old_state").isNull()
    told = changes.agg(
        F.count("*").alias("all"),
        F.count_if(by_key).alias("rows"),
        F.count_if("_gone").alias("gone"),
        F.count_if(new).alias("new"),
    ).collect()[0]
    if not told["all"]:
        return None
    facts = {**facts_of(replace(batch.counts, changed=told["rows"])), **facts}
    commit = _merge(job, changes, wanted.columns, facts)
    updated = told["all"] - told["new"] - told["gone"]
    names = ("numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted")
    require_metrics(job, commit, dict(zip(names, (told["new"], updated, told["gone"]), strict=True)))
    return outcome_of(batch.counts, commit, written=told["rows"])


def _merge(job: Job, changes: DataFrame, names: list[str], facts: dict[str, Any]) -> Commit:
    columns: dict[str, str | Column] = {f"`{name}`": F.col(f"changes.{name}") for name in names}
    same = _within(changes) & (F.col("target._key") == F.col("changes._key"))

    def build(target: DeltaTable) -> DeltaMergeBuilder:
        put = target.alias("target").merge(changes.alias("changes"), same).withSchemaEvolution()
        put = put.whenMatchedDelete("changes._gone").whenMatchedUpdate(set=columns)
        return put.whenNotMatchedInsert(condition="NOT changes._gone", values=columns)

    return job.committer.merge(build, **facts)


def _within(changes: DataFrame) -> Column:
    """Keys between the least and the greatest of each kind, as literals: by them a MERGE skips files."""
    kinds = changes.groupBy(F.substring("_key", 1, 2)).agg(F.min("_key"), F.max("_key")).collect()
    return reduce(or_, (F.col("target._key").between(F.lit(least), F.lit(most)) for _, least, most in kinds))


def _difference(wanted: DataFrame, held: DataFrame, counts: Iterable[str]) -> DataFrame:
    """One row a key whose content differs: what it is to be, or `_gone`."""
    old = _with_content(held, "_old", counts)
    old = old.select(F.col("_key").alias("_old_key"), F.col(STATE).alias("_old_state"), "_old", _first())
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
