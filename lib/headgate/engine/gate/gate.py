"""The gate: decides, before a commit, whether a record or a batch may pass.

A record is accepted or rejected as a unit, with every reason. Its contract judges it when it is read (`typed`); the
table's declaration and the row expectations of its suite judge the rows of its function, in one pass (`marks`). The
suite's batch expectations judge the rows to commit. A critical failure stops the batch: the target stays as it is
until the cause is corrected, or a person accepts the failure.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from headgate.engine.gate.marks import Marks
from headgate.engine.gate.rules import Rule, judge_batch, rules_of
from headgate.engine.steps import GATE, step
from headgate.engine.write.outcome import Job
from headgate.errors import BatchRefused
from headgate.ledger.record_table import IS_LIVE, RecordCounts
from headgate.planning.graph import Node
from headgate.planning.plan import Kind
from headgate.suites.expectation import Expectation
from headgate.suites.quality import MOST_EXAMPLES, NOT_JUDGED, Judgement, Result
from headgate.suites.suite import Suite, require_columns
from headgate.table import History, Merge, Replace

log = logging.getLogger(__name__)


def marks_of(job: Job, shape: DataFrame) -> Marks:
    """The rules that judge each row of the function's output, of which `shape` is an empty frame.

    Raises SuiteError where the suite does not fit the columns.
    """
    writes, suite = job.node.writes, job.suite
    placing = _placing(writes) if isinstance(writes, Merge) else []
    by_suite = []
    if suite:
        require_columns(suite, shape.columns)
        by_suite = rules_of(suite, shape, job.project.cache)
        if isinstance(writes, Merge) and writes.delete_when:
            by_suite = [_of_live(rule) for rule in by_suite]
    rejecting = [rule.name for rule in placing]
    if job.node.has_quarantine and suite:
        rejecting += [expectation.name for expectation in suite.rows if expectation.severity == "critical"]
    return Marks((*placing, *by_suite), frozenset(rejecting))


def _placing(writes: Merge) -> list[Rule]:
    """A row cannot be placed whose key or sequence is null."""
    needed = [*((name, "key") for name in writes.keys)]
    if writes.sequence_by:
        needed.append((writes.sequence_by, "sequence"))
    return [Rule(f"{rule} is null", (name,), F.lit(True), F.col(name).isNull()) for name, rule in needed]


def _of_live(rule: Rule) -> Rule:
    """A row that deletes its key holds nothing that could be wrong."""
    live = F.expr(IS_LIVE)
    return replace(rule, judged=live & rule.judged, failing=live & rule.failing)


def judge_rows(job: Job, marks: Marks, rows: DataFrame) -> tuple[DataFrame, Judgement]:
    """Returns the rows of a table without a quarantine, staged where a suite judges them, and the suite's results.

    Raises BatchRefused where a critical expectation fails.
    """
    step(GATE)
    if job.suite is None:
        return rows, NOT_JUDGED
    marked = job.stages.stage(marks.on(rows))
    staged = marks.off(marked)
    return staged, require_quality(job, marks, marked, staged)


def judge_written(job: Job, marks: Marks, rows: DataFrame) -> Judgement:
    """Judges rows that are in files already, and not committed. Raises BatchRefused as `require_quality` does."""
    step(GATE)
    if not job.suite:
        return NOT_JUDGED
    if not job.stages.local:
        return require_quality(job, marks, marks.on(rows), rows)
    marked = job.stages.stage(marks.on(rows))
    return require_quality(job, marks, marked, marks.off(marked))


def require_quality(job: Job, marks: Marks, marked: DataFrame, published: DataFrame | None) -> Judgement:
    """Judges a batch by the table's suite; returns its results, with the failures that a person accepted.

    marked: every row of the function. published: the live rows that the commit would write; None if
    the uploads have no rows, because an empty batch is not checked. The records of a backfill or a replay are not a
    batch either: each is judged, their shares and sums are not. Raises BatchRefused, with the results, where a
    critical expectation fails.
    """
    quarantines = job.node.has_quarantine
    if job.suite is None or (quarantines and job.work.kind in (Kind.BACKFILL, Kind.REPLAY)):
        return NOT_JUDGED
    results = _by_row(job.suite, marks, marked, _identity(job.node))
    if published is not None:
        results += judge_batch(job.suite, published, job.relations)
    wrong = [result for result in results if _fails(_of(job.suite, result), result, quarantines=quarantines)]
    refusing = [result for result in wrong if result.expectation not in job.accepted]
    for result in wrong:
        accepted = " (accepted)" if result not in refusing else ""
        log.info(
            "%s: %s failed: %s of %s rows%s",
            job.node.name,
            result.expectation,
            result.unexpected,
            result.judged,
            accepted,
        )
    if refusing:
        refusal = _refused(job, refusing)
        refusal.results = [result.as_dict() for result in results]
        raise refusal
    return Judgement(tuple(results), tuple(job.accepted[result.expectation] for result in wrong))


def _identity(node: Node) -> tuple[str, ...]:
    """The columns by which a person finds a row again: the keys of the write, or its slices."""
    writes = node.writes
    return writes.keys if isinstance(writes, Merge | History) else writes.by if isinstance(writes, Replace) else ()


def _by_row(suite: Suite, marks: Marks, marked: DataFrame, identity: Sequence[str]) -> list[Result]:
    counts = marks.counts(marked, [expectation.name for expectation in suite.rows])
    results = []
    for expectation in suite.rows:
        judged, failed = counts[expectation.name]
        result = Result(
            expectation.name,
            expectation.type,
            expectation.columns,
            expectation.kind,
            expectation.severity,
            success=not failed or (judged - failed) / judged >= expectation.mostly,
            judged=judged,
            unexpected=failed,
            examples=_examples(marks, marked, expectation, identity) if failed else (),
        )
        results.append(result)
    return results


def _examples(marks: Marks, marked: DataFrame, expectation: Expectation, identity: Sequence[str]) -> tuple[str, ...]:
    """A few rows that fail: values and key of each, and its upload and record where it has them."""
    key = [name for name in identity if name in marked.columns]
    names = list(dict.fromkeys([*expectation.columns, *key]))
    shown = [F.col(name).cast("string").alias(f"c{i}") for i, name in enumerate(names)]
    origin = ["_source.upload", "_source.record"] if "_source" in marked.columns else []
    rows = marked.filter(marks.failed(expectation.name)).select(*origin, *shown).head(MOST_EXAMPLES)
    return tuple(_shown(row.asDict(), names) for row in rows)


def _shown(row: dict, names: Sequence[str]) -> str:
    values = ", ".join(f"{name}={'null' if row[f'c{i}'] is None else row[f'c{i}']}" for i, name in enumerate(names))
    return f"{values} in record {row['record']} of {row['upload']}" if "upload" in row else values


def _fails(expectation: Expectation, result: Result, *, quarantines: bool) -> bool:
    """Whether a result stops the batch. A record that can be quarantined stops it only where the suite says so."""
    if expectation.severity != "critical":
        return False
    if expectation.kind == "batch" or not quarantines:
        return not result.success
    too_many = expectation.mostly < 1 and not result.success
    return too_many or (expectation.on_failure == "fail" and bool(result.unexpected))


def _of(suite: Suite, result: Result) -> Expectation:
    return next(expectation for expectation in suite.expectations if expectation.name == result.expectation)


def _refused(job: Job, failures: Sequence[Result]) -> BatchRefused:
    accept = " ".join(f"--accept-failed '{result.expectation}'" for result in failures)
    return BatchRefused(
        "; ".join(result.said for result in failures),
        where=job.project.relative(job.suite.path) if job.suite else job.node.name,
        fix="nothing was written, and the same rows are refused at each run. Correct the suite, the function "
        f"({job.node.module}) or the data (a corrected upload), then run. "
        f'To publish it as it is: headgate run -s {job.node.name} {accept} --reason "..."',
    )


def require_one_row_a_record(rows: DataFrame, node: Node) -> None:
    """Raises BatchRefused where a record gave more than one row: it could not be accepted or rejected as a unit."""
    twice = rows.groupBy("_source.upload", "_source.record").count().filter("count > 1").head()
    if twice:
        raise BatchRefused(
            f"record {twice['record']} of upload {twice['upload']} has {twice['count']} rows; Merge accepts one",
            where=f"{node.module}:{node.line}",
            fix="keep the parts nested, and explode them in a second table that reads this table by Affected",
        )


def require_inside(row: Row | None, by: tuple[str, ...], node: Node) -> None:
    """Raises BatchRefused where the output holds a row of a slice that is not being recomputed."""
    if row is not None:
        slice_ = ", ".join(f"{name}={row[name]}" for name in by)
        raise BatchRefused(
            f"gave a row of the slice {slice_}, which none of its input rows belongs to",
            where=f"{node.module}:{node.line}",
            fix=f"carry {list(by)} through from the input as they are",
        )


def require_all_placed(unplaced: DataFrame | None, node: Node) -> None:
    """Raises BatchRefused where a row without a key came from a table that has no records to reject."""
    row = unplaced.head() if unplaced is not None else None
    if row is not None:
        raise BatchRefused(
            f"record {row['_source']['record']} of upload {row['_source']['upload']}: "
            f"{row['_reasons'][0]['column']} {row['_reasons'][0]['rule']}",
            where=f"{node.module}:{node.line}",
            fix=f"leave such a row out here, or reject its record in {node.sources[0]}, which reads the upload",
        )


def require_balance(counts: RecordCounts, node: Node) -> None:
    """Raises BatchRefused where a record or a row is not counted exactly once: that is a fault of Headgate."""
    if not counts.balances:
        message = f"the counts do not balance: {counts.as_dict()}"
        raise BatchRefused(message, where=node.name, fix="report this with the counts")
