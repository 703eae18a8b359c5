"""`Replace` and `History`: the output replaces each affected slice completely.

By partition if a slice is one or more whole partitions; otherwise by difference: missing rows are deleted, new rows
inserted, and equal rows are not touched. One MERGE does it, or, in a small table, a commit that replaces the files with
missing rows (`rewrite.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from headgate.engine.delta.actions import are_inside
from headgate.engine.gate import gate
from headgate.engine.gate.athena import require_athena
from headgate.engine.gate.marks import Marks
from headgate.engine.read.changes import (
    AffectedRead,
    Slices,
    in_slices,
    read_affected,
    row_outside,
)
from headgate.engine.read.local_files import FILE
from headgate.engine.read.output_schema import (
    content_hash,
    require_contract,
    require_same_or_added,
    with_columns_of,
)
from headgate.engine.read.snapshots import live_rows
from headgate.engine.runtime.materialize import arrow_of, count_rows, local_rows
from headgate.engine.steps import FUNCTION, step
from headgate.engine.write.history import require_no_ties, versions
from headgate.engine.write.outcome import Job, Outcome
from headgate.engine.write.record_commit import require_metrics
from headgate.engine.write.rewrite import rewrite_of
from headgate.errors import TableError, suggestion
from headgate.ledger.ledger import Commit
from headgate.ledger.metadata import row_facts
from headgate.planning.plan import Kind
from headgate.suites.quality import NOT_JUDGED, Judgement
from headgate.table import Affected, History, Replace, slices_of, unique_keys


def build_replace(job: Job) -> Outcome:
    """Recomputes the affected slices. Raises BatchRefused, with the target untouched, where the gate refuses them."""
    slices = _read(job)
    inputs = {**slices.rows, **job.inputs}
    function = job.function.check(job.session, inputs)
    shape = _output(job, function.shape)
    require_contract(shape, job.contract, job.node)
    require_athena(shape, job)
    require_same_or_added(shape, job.work, job.node, job.committer.ledger)
    if slices.none:
        return _advance(job, shape)
    step(FUNCTION)
    rows = function(**inputs)
    if isinstance(job.node.writes, History):
        rows = job.stages.stage(rows)
        require_no_ties(rows, job.node.writes, job.node)
    rows = _output(job, rows)
    marks = gate.marks_of(job, shape)
    if slices.values is None:
        return _build_whole(job, rows, marks, slices.rows)
    rows_in = count_rows(*slices.rows.values())
    if slices.exact and _is_by_partition(job):
        return _replace_partitions(job, rows, slices, marks, rows_in)
    rows, quality = gate.judge_rows(job, marks, rows)
    return _replace_by_difference(job, rows, slices, quality, rows_in)


def _output(job: Job, rows: DataFrame) -> DataFrame:
    """The table's rows, from those of the function."""
    return versions(rows, job.node.writes) if isinstance(job.node.writes, History) else rows


def _row_outside(rows: DataFrame, slices: Slices) -> Row | None:
    """A row that belongs to none of the slices; None where there is none."""
    if slices.exact or slices.values is None:
        return rows.filter(~F.coalesce(slices.within(""), F.lit(False))).head()
    return row_outside(rows, slices.values)


def _read(job: Job) -> Slices:
    """The affected slices; of a table that reads by `Snapshot` alone all, or none where nothing moved."""
    reads = [_affected_read(job, name, read) for name, read in job.node.reads.items() if isinstance(read, Affected)]
    if not reads:
        return Slices((), {}, none=not job.work.whole)
    by = slices_of(job.writes_as(Replace, History))
    return read_affected(
        job.reader,
        reads,
        by,
        whole=job.work.whole,
        by_partition=_is_by_partition(job),
        stages=job.stages,
        requested=_requested(job, reads, by) if job.condition else None,
    )


def _requested(job: Job, reads: list[AffectedRead], by: tuple[str, ...]) -> DataFrame:
    """The slices that a backfill requests: of the table's rows, and of the rows of its sources."""
    target = job.reader.at(job.node.name, job.work.head.version)
    frames = [target, *(read.everything for read in reads)]
    return reduce(DataFrame.union, (frame.filter(job.condition).select(*by) for frame in frames))


def _affected_read(job: Job, parameter: str, read: Affected) -> AffectedRead:
    writes = job.graph.node(read.table).writes
    rows = live_rows(job, read.table)
    _require_columns(job, read, rows)
    return AffectedRead(
        parameter,
        read.table,
        job.work.sources[read.table],
        rows,
        unique=set(read.by) == set(unique_keys(writes)),
        partitioned=writes is not None and set(read.by) <= set(writes.partition_by),
    )


def _require_columns(job: Job, read: Affected, rows: DataFrame) -> None:
    """Raises TableError where a source lacks a column of `by`: a slice of it is not defined."""
    missing = [name for name in read.by if name not in rows.columns]
    if missing:
        raise TableError(
            f"{read.table} has no column '{missing[0]}', which Affected(by=...) names."
            + suggestion(missing[0], rows.columns),
            where=job.function.where,
            fix=f"choose from its columns, here and in the write: {', '.join(rows.columns)}",
        )


def _is_by_partition(job: Job) -> bool:
    writes = job.writes_as(Replace, History)
    if not (isinstance(writes, Replace) and writes.by_partition):
        return False
    return set(writes.by) <= set(job.committer.partition_by)  # the table may have kept one as an ordinary column


def _build_whole(job: Job, rows: DataFrame, marks: Marks, sources: Mapping[str, DataFrame]) -> Outcome:
    """Every slice, in one overwriting commit. sources: the rows that are read by `Affected`."""
    partition_by = list(job.writes_as(Replace, History).partition_by)
    spread = rows.hint("rebalance", *partition_by)
    with job.committer.writing_whole(spread, partition_by) as batch:
        _require_in_slices_of_sources(job, batch.rows, sources)
        quality = gate.judge_written(job, marks, batch.rows)
    commit = job.committer.overwrite(batch, batch.partition_by, batch.properties, **quality.facts)
    return _outcome(job, commit, quality, _rows_in_sources(job))


def _require_in_slices_of_sources(job: Job, rows: DataFrame, sources: Mapping[str, DataFrame]) -> None:
    """Raises BatchRefused where a row is in a slice that no source has: no increment could ever replace it."""
    if not sources:
        return
    by = slices_of(job.writes_as(Replace, History))
    known = reduce(DataFrame.union, (frame.select(*by) for frame in sources.values())).distinct()
    gate.require_inside(row_outside(rows.select(*by).distinct(), known), by, job.node)


def _replace_partitions(job: Job, rows: DataFrame, slices: Slices, marks: Marks, rows_in: int) -> Outcome:
    """The partitions of the slices, in one commit that removes their old files and adds the new ones."""
    if slices.values is None:
        raise ValueError("without values every slice is replaced")
    partitions = arrow_of(slices.values)
    spread = rows.hint("rebalance", *job.writes_as(Replace, History).partition_by)
    with job.committer.writing(spread) as batch:
        if not are_inside(batch.files, partitions):
            gate.require_inside(_row_outside(batch.rows, slices), slices.by, job.node)
        quality = gate.judge_written(job, marks, batch.rows)
    commit = job.committer.replace(batch, partitions, slices.predicate, **quality.facts)
    return _outcome(job, commit, quality, rows_in)


def _replace_by_difference(job: Job, rows: DataFrame, slices: Slices, quality: Judgement, rows_in: int) -> Outcome:
    """Deletes the rows of the slices that are gone and inserts the new ones, in one commit."""
    name, version = job.node.name, job.work.head.version
    in_files = job.reader.at_with_file(name, version)
    whole = job.reader.at(name, version) if in_files is None else in_files
    target = whole.filter(slices.within(""))
    existing = target if slices.exact or slices.values is None else in_slices(target, slices.values)
    changes = job.stages.stage(_difference(rows, existing))
    # A row outside of the slices differs from all that are compared, so it is among the changes.
    gate.require_inside(_row_outside(changes, slices), slices.by, job.node)
    counts = _totals(changes)
    if not counts["gone"] and not counts["copies"]:
        return _advance(job, rows, quality)
    facts = {**row_facts(int(counts["copies"]), int(counts["gone"])), **quality.facts}
    new = changes.filter("_copies > 0").withColumn("_copy", F.explode(F.sequence(F.lit(1), F.col("_copies"))))
    inserts = new.select(*rows.columns)
    if counts["gone"]:
        gone = changes.filter("_gone > 0")
        rewrite = None if in_files is None else rewrite_of(job, in_files, gone, inserts)
        if rewrite is not None:
            return _outcome(job, rewrite.commit(job, facts), quality, rows_in, rewritten=True)
        gone = gone.select(*rows.columns, "_hash")
        return _outcome(job, _merge_difference(job, gone, inserts, slices, facts), quality, rows_in)
    spread = inserts.hint("rebalance", *job.writes_as(Replace, History).partition_by)
    with job.committer.writing(spread) as batch:
        pass  # the gate has passed the staged rows
    return _outcome(job, job.committer.append(batch, **facts), quality, rows_in)


def _totals(changes: DataFrame) -> dict[str, int]:
    """The copies of all rows of `_difference` that go (`gone`) and come (`copies`)."""
    numbers = changes.select("_gone", "_copies")
    rows = local_rows(numbers)
    if rows is None:
        rows = numbers.agg(F.sum("_gone"), F.sum("_copies")).collect()
    return {name: sum(int(row[number] or 0) for row in rows) for number, name in enumerate(("gone", "copies"))}


def _difference(rows: DataFrame, existing: DataFrame) -> DataFrame:
    """One row for each content that differs: `_gone` copies to delete, `_copies` to insert, and its hash.

    Identical rows cannot be distinguished, so if their number changes, all of them are deleted and inserted.
    Where `existing` has the column `_file`, `_files` are the files with a copy to delete.
    """
    shaped = rows.withColumn(FILE, F.lit(None).cast("string"))
    new = shaped.select("*", F.lit(1).alias("_new"), F.lit(0).alias("_old"))
    old = with_columns_of(existing, shaped).select("*", F.lit(0).alias("_new"), F.lit(1).alias("_old"))
    counted = (
        new.union(old)
        .withColumn("_hash", content_hash(rows))
        .groupBy("_hash")
        .agg(
            F.sum("_old").alias("_gone"),
            F.sum("_new").alias("_copies"),
            *([F.collect_set(FILE).alias("_files")] if FILE in existing.columns else []),
            *(F.first(name).alias(name) for name in rows.columns),
        )
    )
    return counted.filter("_gone <> _copies")


def _merge_difference(
    job: Job, gone: DataFrame, inserts: DataFrame, slices: Slices, facts: Mapping[str, Any]
) -> Commit:
    """One MERGE: a row of `gone` deletes every copy of its content, a row of `inserts` matches nothing."""
    changes = gone.unionByName(inserts.withColumn("_hash", F.lit(None).cast("string"))).alias("changes")
    columns_of_target = list(job.committer.ledger.schema(job.node.name, job.work.head.version))
    # `startswith` (equality for two hashes) is not a join key: only rows of the changed slices are hashed.
    same = content_hash(inserts, "target.", columns_of_target).startswith(F.col("changes._hash"))
    condition = slices.within("target.") & same
    for name in slices_of(job.writes_as(Replace, History)):
        condition = condition & F.col(f"target.{name}").eqNullSafe(F.col(f"changes.{name}"))
    columns: dict[str, str | Column] = {f"`{name}`": F.col(f"changes.{name}") for name in inserts.columns}

    def build(target: DeltaTable) -> DeltaMergeBuilder:
        merge = target.alias("target").merge(changes, condition).withSchemaEvolution().whenMatchedDelete()
        return merge.whenNotMatchedInsert(condition="changes._hash IS NULL", values=columns)

    return job.committer.merge(build, inserts, **facts)


def _advance(job: Job, shape: DataFrame, quality: Judgement = NOT_JUDGED) -> Outcome:
    """A commit without rows: the sources moved, and no affected slice changes."""
    if job.work.kind is Kind.BACKFILL:
        return Outcome(job.work.head.version, 0, 0)
    commit = job.committer.advance(shape.schema, **{**row_facts(0, 0), **quality.facts})
    return Outcome(commit.version, 0, 0, quality=quality.results)


def _outcome(job: Job, commit: Commit, quality: Judgement, rows_in: int, *, rewritten: bool = False) -> Outcome:
    """The outcome by the commit's own counts. Raises WrongCommit where Delta counted other rows.

    rewritten: the new files have rows that stay, too.
    """
    counts = {name: commit.counts[name] for name in ("inserted", "deleted")}
    if commit.operation == "MERGE":
        expected = {"numTargetRowsInserted": counts["inserted"], "numTargetRowsDeleted": counts["deleted"]}
    elif rewritten:
        removed = int(commit.metrics.get("numDeletedRows", -1))
        expected = {"numOutputRows": removed - counts["deleted"] + counts["inserted"]}
    else:
        expected = {"numOutputRows": counts["inserted"]}
    require_metrics(job, commit, expected)
    return Outcome(commit.version, rows_in, counts["inserted"], counts=counts, quality=quality.results)


def _rows_in_sources(job: Job) -> int:
    """The live rows that a whole build reads, by the statistics of its sources."""
    ledger = job.committer.ledger
    built = ((name, source) for name, source in job.work.sources.items() if source.exists)
    return sum(ledger.live_rows(name, source.version) for name, source in built)
