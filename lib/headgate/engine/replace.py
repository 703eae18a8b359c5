"""`Replace`: the output owns each slice. What is computed for a slice replaces what was there.

By partition where the slice is the output's partition; otherwise by keyed difference, one MERGE that
deletes what is missing, inserts what is new, and leaves equal rows alone.
"""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine import gate
from headgate.engine.outcome import Job, Outcome
from headgate.engine.reads import (
    Slices,
    in_slices,
    outside_slices,
    read_affected,
    read_at,
)
from headgate.engine.schema import indexed_columns, require_same_or_added
from headgate.ledger import Commit
from headgate.table import Affected, Merge, Replace


def build_replace(job: Job) -> Outcome:
    """Recomputes the affected slices. Raises BatchRefused, with the target untouched, where the gate refuses them."""
    parameter, read = next((name, read) for name, read in job.node.reads.items() if isinstance(read, Affected))
    slices = _read(job, read)
    shape = job.function.check(job.session, {parameter: slices.rows})
    require_same_or_added(shape, job.work, job.node, job.committer.ledger)
    if slices.values is None:
        return _build_whole(job, job.function(**{parameter: slices.rows}))
    if slices.none:
        return _advance(job, shape)
    rows = job.stages.stage(job.function(**{parameter: slices.rows}))
    gate.require_inside(_outside(rows, slices), slices.by, job.node)
    rows_in = slices.rows.count() if slices.rows_in is None else slices.rows_in
    if _writes(job).by_partition and slices.exact:
        return _replace_partitions(job, rows, slices, rows_in)
    return _replace_by_difference(job, rows, slices, rows_in)


def _outside(rows: DataFrame, slices: Slices) -> DataFrame:
    """The rows that belong to none of the slices."""
    if slices.exact or slices.values is None:
        return rows.filter(f"NOT coalesce({slices.within('')}, false)")
    return outside_slices(rows, slices.values)


def _read(job: Job, read: Affected) -> Slices:
    source = job.graph.node(read.table)
    keys = source.writes.keys if isinstance(source.writes, Merge) else ()
    partitions = source.writes.partition_by if source.writes else ()
    return read_affected(
        job.session, job.environment.table_uri(read.table), job.work.sources[read.table], read.by,
        keys=keys, partitions=partitions, stages=job.stages,
    )  # fmt: skip


def _build_whole(job: Job, rows: DataFrame) -> Outcome:
    """Every slice, in one overwriting commit."""
    partition_by = list(_writes(job).partition_by)
    spread = rows.hint("rebalance", *partition_by)
    indexed = ",".join(indexed_columns(rows, partition_by))
    commit = job.committer.overwrite(
        spread, partition_by, {"delta.dataSkippingStatsColumns": indexed} if indexed else {}, changes_rows=True
    )
    return _outcome(job, commit, _rows_in_sources(job))


def _replace_partitions(job: Job, rows: DataFrame, slices: Slices, rows_in: int) -> Outcome:
    spread = rows.hint("rebalance", *_writes(job).partition_by)
    return _outcome(job, job.committer.replace_where(spread, slices.within(""), changes_rows=True), rows_in)


def _replace_by_difference(job: Job, rows: DataFrame, slices: Slices, rows_in: int) -> Outcome:
    """Deletes the rows of the slices that are no more, inserts those that are new, in one commit."""
    target = read_at(job.session, job.work.head.uri, job.work.head.version).filter(slices.within(""))
    held = target if slices.exact or slices.values is None else in_slices(target, slices.values)
    changes = job.stages.stage(_difference(rows, held))
    counts = changes.agg(F.sum("_gone").alias("gone"), F.sum("_copies").alias("copies")).collect()[0]
    if not counts["gone"] and not counts["copies"]:
        return _advance(job, rows)
    new = changes.filter("_copies > 0").withColumn("_copy", F.explode(F.sequence(F.lit(1), F.col("_copies"))))
    inserts = new.select(*rows.columns)
    if counts["gone"]:
        gone = changes.filter("_gone > 0").select(*rows.columns, "_hash")
        return _outcome(job, _merge_difference(job, gone, inserts, slices), rows_in)
    spread = inserts.hint("rebalance", *_writes(job).partition_by)
    return _outcome(job, job.committer.append(spread, changes_rows=True), rows_in)


def _difference(rows: DataFrame, held: DataFrame) -> DataFrame:
    """One row for each content that differs: `_gone` copies to delete, `_copies` to insert, and its hash.

    Copies of one content cannot be told apart, so where their number changes all go and all come.
    """
    names = rows.columns
    new = rows.select(*names, F.lit(1).alias("_new"), F.lit(0).alias("_old"))
    old = held.select(*names, F.lit(0).alias("_new"), F.lit(1).alias("_old"))
    counted = new.union(old).withColumn("_hash", content_hash(names)).groupBy("_hash").agg(
        F.sum("_old").alias("_gone"), F.sum("_new").alias("_copies"), *(F.first(name).alias(name) for name in names)
    )  # fmt: skip
    return counted.filter("_gone <> _copies")


def content_hash(names: list[str], prefix: str = "") -> Column:
    """A hash of a row's content that tells a null from a value, and one column from the next."""
    content = F.struct(*(F.col(f"{prefix}{name}").alias(name) for name in names))
    exact = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}
    return F.md5(F.to_json(content, exact))


def _merge_difference(job: Job, gone: DataFrame, inserts: DataFrame, slices: Slices) -> Commit:
    """One MERGE: a row of `gone` deletes every copy of its content, a row of `inserts` matches nothing."""
    names = inserts.columns
    changes = gone.unionByName(inserts.withColumn("_hash", F.lit(None).cast("string"))).alias("changes")
    condition = F.expr(slices.within("target.")) & (content_hash(names, "target.") == F.col("changes._hash"))
    for name in _writes(job).by:
        condition = condition & F.col(f"target.{name}").eqNullSafe(F.col(f"changes.{name}"))
    columns: dict[str, str | Column] = {f"`{name}`": F.col(f"changes.{name}") for name in names}
    with job.committer.merging(changes_rows=True) as session:
        target = DeltaTable.forPath(session, job.work.head.uri).alias("target")
        merge = target.merge(changes, condition).withSchemaEvolution().whenMatchedDelete()
        merge.whenNotMatchedInsert(condition="changes._hash IS NULL", values=columns).execute()
    return job.committer.committed()


def _advance(job: Job, shape: DataFrame) -> Outcome:
    """A commit without rows: what was read has moved, and nothing of it matters here."""
    nothing = job.session.createDataFrame([], shape.schema)
    return Outcome(job.committer.append(nothing, changes_rows=False).version, 0, 0)


def _outcome(job: Job, commit: Commit, rows_in: int) -> Outcome:
    told = {name: int(value) for name, value in commit.metrics.items() if str(value).isdigit()}
    merged = commit.operation == "MERGE"
    inserted = told.get("numTargetRowsInserted" if merged else "numOutputRows", 0)
    deleted = told.get("numTargetRowsDeleted" if merged else "numDeletedRows", 0)
    return Outcome(commit.version, rows_in, inserted, counts={"inserted": inserted, "deleted": deleted})


def _rows_in_sources(job: Job) -> int:
    """The live rows that a whole build reads, told by the source's own statistics."""
    ledger = job.committer.ledger
    return sum(ledger.live_rows(name, source.version) for name, source in job.work.sources.items())


def _writes(job: Job) -> Replace:
    if not isinstance(job.node.writes, Replace):
        raise TypeError(f"{job.node.name} is not written by Replace")
    return job.node.writes
