"""One side of `gate` in a process of its own: `gate_sides.py SIDE FOLDER ROWS SUITE SHARE` prints its figures.

FOLDER holds a project for each suite, and a folder of rows by the share of them that fails. Every side reads the
same rows and writes a Delta table; `prepare` makes the rows, `warm` fills the cache of conditions.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from common import cpu_seconds, environment_on
from deltalake import Schema
from deltalake.transaction import AddAction, create_table_with_add_actions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.engine.delta.written_batch import WrittenBatch, write_batch
from headgate.engine.gate import gate
from headgate.engine.read.function import CheckedFunction
from headgate.engine.runtime.materialize import stages
from headgate.engine.runtime.session import start_session
from headgate.engine.write.batch import apply_rules
from headgate.ledger.record_table import STATE, State
from headgate.planning.plan import Kind
from headgate.project import Project
from headgate.suites.suite import Suite, load_suites
from headgate.table import Merge, Replace, Write

TABLE = "silver.sales"
_FILES = 8
_COLUMNS = {
    "sale_id": "concat('sale-', lpad(id, 12, '0'))",
    "store_id": "concat('store-', id % 400)",
    "sku": "concat('SKU-', lpad(pmod(hash(id), 1000000), 6, '0'))",
    "quantity": "CAST(IF(id % 100 < {share}, -1, 1 + pmod(hash(id, 1), 20)) AS int)",
    "unit_price": "CAST(pmod(hash(id, 2), 100000) / 100 AS decimal(12,2))",
    "discount": "pmod(hash(id, 3), 50) / 100.0D",
    "total": "CAST(pmod(hash(id, 4), 1000000) / 100 AS decimal(18,2))",
    "currency": "element_at(array('EUR', 'GBP', 'USD'), 1 + CAST(id % 3 AS int))",
    "status": "element_at(array('sold', 'returned'), 1 + CAST(id % 2 AS int))",
    "country": "element_at(array('DE', 'FR', 'GB', 'US'), 1 + CAST(id % 4 AS int))",
    "email": "concat('customer', pmod(hash(id, 5), 200000), '@example.org')",
    "sold_at": "timestamp_seconds(1767225600 + pmod(hash(id, 6), 7776000))",
    "paid_at": "timestamp_seconds(1775001600 + pmod(hash(id, 7), 7776000))",
    "_key": "concat('k:[\"sale-', lpad(id, 12, '0'), '\"]')",
    "_source": "named_struct('upload', concat('sales.', id % 1000), 'received', timestamp_seconds(1767225600), "
    "'record', id, 'sequence', timestamp_seconds(1767225600))",
    "_state": "'live'",
}

_BETWEEN, _IN_SET = "expect_column_values_to_be_between", "expect_column_values_to_be_in_set"
_NOT_NULL, _REGEX = "expect_column_values_to_not_be_null", "expect_column_values_to_match_regex"
_LENGTH = "expect_column_value_lengths_to_be_between"
#: Row expectations: GX's type, its kwargs, and the same condition by hand for passing rows.
BY_ROW: tuple[tuple[str, dict[str, Any], str], ...] = (
    (_BETWEEN, {"column": "quantity", "min_value": 1, "max_value": 1000}, "quantity BETWEEN 1 AND 1000"),
    (_BETWEEN, {"column": "unit_price", "min_value": 0, "max_value": 10000}, "unit_price BETWEEN 0 AND 10000"),
    (_BETWEEN, {"column": "discount", "min_value": 0, "max_value": 1}, "discount BETWEEN 0 AND 1"),
    (_BETWEEN, {"column": "total", "min_value": 0}, "total >= 0"),
    (_NOT_NULL, {"column": "store_id"}, "store_id IS NOT NULL"),
    (_NOT_NULL, {"column": "sold_at"}, "sold_at IS NOT NULL"),
    (_IN_SET, {"column": "currency", "value_set": ["EUR", "GBP", "USD"]}, "currency IN ('EUR', 'GBP', 'USD')"),
    (_IN_SET, {"column": "status", "value_set": ["sold", "returned"]}, "status IN ('sold', 'returned')"),
    (_REGEX, {"column": "sku", "regex": "^SKU-[0-9]{6}$"}, "sku RLIKE '^SKU-[0-9]{6}$'"),
    (_REGEX, {"column": "email", "regex": "^[^@]+@[^@]+$"}, "email RLIKE '^[^@]+@[^@]+$'"),
    (_LENGTH, {"column": "store_id", "min_value": 7, "max_value": 9}, "length(store_id) BETWEEN 7 AND 9"),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "paid_at", "column_B": "sold_at", "or_equal": True},
        "paid_at >= sold_at",
    ),
    (_NOT_NULL, {"column": "sku"}, "sku IS NOT NULL"),
    (_NOT_NULL, {"column": "quantity"}, "quantity IS NOT NULL"),
    (_NOT_NULL, {"column": "unit_price"}, "unit_price IS NOT NULL"),
    (
        "expect_column_values_to_not_be_in_set",
        {"column": "country", "value_set": ["XX", "ZZ"]},
        "country NOT IN ('XX', 'ZZ')",
    ),
    (_LENGTH, {"column": "email", "min_value": 5, "max_value": 60}, "length(email) BETWEEN 5 AND 60"),
    ("expect_column_value_lengths_to_equal", {"column": "currency", "value": 3}, "length(currency) = 3"),
    (
        _BETWEEN,
        {"column": "total", "max_value": 100000, "row_condition": "status = 'sold'", "condition_parser": "spark"},
        "(status <> 'sold' OR total <= 100000)",
    ),
)
#: Batch expectations.
BY_BATCH: tuple[tuple[str, dict[str, Any]], ...] = (
    ("expect_table_row_count_to_be_between", {"min_value": 0, "max_value": 1_000_000_000}),
    ("expect_column_values_to_be_unique", {"column": "sale_id"}),
)


class Clock:
    """Seconds of each part, by the clock and of the processor."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), cpu_seconds()
        yield
        self.parts[name] = [round(time.perf_counter() - wall, 2), round(cpu_seconds() - cpu, 2)]


def main(side: str, folder: str, rows: str, suite: str, share: str) -> None:
    """Does the work of a side in a new session, and prints its cost."""
    answer, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr  # output of libraries must not mix with the result
    os.dup2(2, 1)
    project = Project(Path(folder) / f"project-{suite}")
    session = start_session(environment_on(project, Path(folder) / "lake"), {"spark.ui.retainedJobs": "10000"})
    if side == "prepare":
        _prepare(session, Path(folder), int(rows), int(share))
        return
    if side == "warm":
        rows_of = session.read.parquet(str(Path(folder) / f"rows-{share}"))
        gate.marks_of(_job(project, None), rows_of.limit(0))
        return
    source, target = Path(folder) / f"rows-{share}", Path(folder) / "out" / f"{side}-{suite}-{share}"
    values = session.read.parquet(str(source))
    _write(values.limit(1000), target.with_name("warm"))  # a JVM's first write costs every side the same seconds
    jobs, scanned = _jobs(session), _rows_scanned(session)
    clock = Clock()
    work = {"plain": _plain, "gate": _gate, "replaced": _replaced, "gx": _gx}[side]
    staged = work(session, values, target, project, clock)
    details = {
        "parts": clock.parts,
        "jobs": _jobs(session) - jobs,
        "scans": round((_rows_scanned(session) - scanned) / int(rows), 2),
        "staged_bytes": staged,
        "peak_mb": _peak_megabytes(),
        "written": _written(session, target),
    }
    print(json.dumps(details), file=answer, flush=True)


def _prepare(session: SparkSession, folder: Path, rows: int, share: int) -> None:
    columns = [F.expr(text.format(share=share)).alias(name) for name, text in _COLUMNS.items()]
    session.range(0, rows, 1, _FILES).select(*columns).write.parquet(str(folder / f"rows-{share}"))


def _plain(session: SparkSession, rows: DataFrame, target: Path, project: Project, clock: Clock) -> int:
    with clock.part("write"):
        _write(rows, target)
    return 0


def _gate(session: SparkSession, rows: DataFrame, target: Path, project: Project, clock: Clock) -> int:
    """The gate's steps for rows of a `Merge` table that have their key, source and state, and a write."""
    with stages() as scope:
        job: Any = _job(project, scope)
        with clock.part("rules"):
            job.checked_function = CheckedFunction(cast(Any, None), rows.limit(0))
            job.marks = gate.marks_of(job, job.checked_function.shape)
        with clock.part("stage"):
            judged = apply_rules(job, rows, from_bronze=True, one_row_per_record=True)
        staged = _staged_bytes(session)
        with clock.part("judge"):
            gate.require_quality(job, job.marks, judged.marked, judged.rows)
        with clock.part("write"):
            rejected = judged.refused.withColumn(STATE, F.lit(State.REJECTED.value))
            _commit(_files(judged.rows.unionByName(rejected, allowMissingColumns=True), target, project), target)
    return staged


def _replaced(session: SparkSession, rows: DataFrame, target: Path, project: Project, clock: Clock) -> int:
    """What `replace` does with a table that is built whole: its files are judged, and then committed."""
    with stages() as scope:
        job: Any = _job(project, scope, Replace())
        with clock.part("rules"):
            marks = gate.marks_of(job, rows.limit(0))
        with clock.part("write"):
            written = _files(rows, target, project)
        with clock.part("judge"):
            gate.judge_written(job, marks, written.rows)
        with clock.part("commit"):
            _commit(written, target)
    return _staged_bytes(session)


def _files(rows: DataFrame, target: Path, project: Project) -> WrittenBatch:
    """The files of a new table, as Headgate's commits write them."""
    return write_batch(rows, environment_on(project, target.parent), target.name, (), None)


def _commit(batch: WrittenBatch, target: Path) -> None:
    actions = [AddAction(f.path, f.size, f.partition, f.modified, True, f.statistics) for f in batch.files]
    create_table_with_add_actions(str(target), Schema.from_json(batch.schema), actions)


def _job(project: Project, scope: Any, writes: Write | None = None) -> SimpleNamespace:
    writes = writes or Merge(keys=["sale_id"])
    node = SimpleNamespace(name=TABLE, writes=writes, sources=(), has_quarantine=isinstance(writes, Merge))
    return SimpleNamespace(
        node=node,
        project=project,
        suite=_suite(project),
        stages=scope,
        accepted={},
        work=SimpleNamespace(kind=Kind.INCREMENT),
        relations={},
    )


def _suite(project: Project) -> Suite:
    return load_suites(project)[TABLE]


def _gx(session: SparkSession, rows: DataFrame, target: Path, project: Project, clock: Clock) -> int:
    """GX's own validation, at its fastest; which rows failed it does not say then, so the split is by hand."""
    with clock.part("import"):
        import great_expectations as gx
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    requested, rules = _suite(project).expectations, _suite(project).rows
    with clock.part("validate"):
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        source = context.data_sources.add_spark("spark", persist=False)
        whole = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
        matches = gx.ExpectationSuite(TABLE)
        for item in requested:
            matches.add_expectation(ExpectationConfiguration(item.type, dict(item.kwargs)).to_domain_obj())
        result = whole.get_batch({"dataframe": rows}).validate(matches, result_format="BOOLEAN_ONLY")
        assert not result.success and len(result.results) == len(requested)
    with clock.part("write"):
        passes = F.expr(" AND ".join(by_hand for _, _, by_hand in BY_ROW[: len(rules)]))
        state = F.when(passes, F.lit("live")).otherwise("rejected")
        _write(rows.withColumn("_state", state), target)
    return 0


def _write(rows: DataFrame, target: Path) -> None:
    rows.write.format("delta").save(str(target))


def _written(session: SparkSession, target: Path) -> dict[str, int]:
    counted = session.read.format("delta").load(str(target)).groupBy("_state").count().collect()
    return {row["_state"]: row["count"] for row in counted}


def _jobs(session: SparkSession) -> int:
    """How many Spark jobs there were so far."""
    scala = session._jsc.sc()
    scala.listenerBus().waitUntilEmpty()
    return int(scala.statusStore().jobsList(session._jvm.java.util.ArrayList()).size())


def _staged_bytes(session: SparkSession) -> int:
    """What is kept now, in memory and on disk."""
    scala = session._jsc.sc()
    scala.listenerBus().waitUntilEmpty()
    return int(sum(info.memSize() + info.diskSize() for info in scala.getRDDStorageInfo()))


def _rows_scanned(session: SparkSession) -> int:
    """The rows that scans of the source's files gave, over all queries."""
    store = session._jsparkSession.sharedState().statusStore()
    total, executions = 0, store.executionsList()
    for number in range(executions.size()):
        execution = executions.apply(number).executionId()
        values, nodes = store.executionMetrics(execution), store.planGraph(execution).allNodes()
        for place in range(nodes.size()):
            node = nodes.apply(place)
            if node.name().startswith("Scan parquet"):
                metrics = [node.metrics().apply(n) for n in range(node.metrics().size())]
                ids = [metric.accumulatorId() for metric in metrics if metric.name() == "number of output rows"]
                total += sum(int(values.apply(i).replace(",", "")) for i in ids if values.contains(i))
    return total


def _peak_megabytes() -> float:
    """The peak memory of this process and the JVM, as the system counts it."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    status = [Path(f"/proc/{pid}/status").read_text() for pid in ("self", *children)]
    peaks = (line.split()[1] for text in status for line in text.splitlines() if line.startswith("VmHWM"))
    return round(sum(int(peak) for peak in peaks) / 1024, 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
