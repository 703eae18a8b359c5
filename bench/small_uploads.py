"""20,000 uploads of one record each in one run, and then 100 more: seconds, and how many tasks a stage needed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common import (
    SALES,
    at_most,
    copy_project,
    cpu_seconds,
    environment_on,
    land,
    machine,
    print_table,
    scratch_folder,
    write_results,
)
from pyspark.sql import SparkSession

from headgate.contracts.environment import Environment
from headgate.engine.runtime.lock import writing
from headgate.engine.runtime.session import start_session
from headgate.engine.verbs.run import Runner
from headgate.planning.graph import Graph, load_graph
from headgate.planning.plan import Planner
from headgate.project import Project
from retail.generate import Spec, uploads

STORES, HOURS = 20, 20
MORE = 100
MOST_TASKS = 64
FIRST = datetime(2026, 3, 2, 1, tzinfo=UTC)


def main() -> None:
    """Lands, runs, lands a few more, runs again; prints both, writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=20_000)
    wanted = parser.parse_args().uploads
    facts = machine()
    with scratch_folder() as folder:
        project = copy_project(folder / "project", SALES)
        rows = _measure(project, folder / "lake", wanted)
    _print(rows)
    first = rows[0]
    aim = at_most("largest number of tasks of a stage", first["most_tasks"], MOST_TASKS)
    write_results("small_uploads", rows, [aim], facts)


def _measure(project: Project, lake: Path, wanted: int) -> list[dict[str, Any]]:
    records = _records(wanted + MORE)
    environment, graph = environment_on(project, lake), load_graph(project)
    session = start_session(environment, {"spark.ui.retainedStages": "10000"})
    rows = []
    for count, hour in ((wanted, 0), (MORE, HOURS)):
        landed = _land(lake, records, count, FIRST + timedelta(hours=hour))
        clock = FIRST + timedelta(hours=hour + HOURS)
        run = _run(session, project, environment, graph, clock)
        rows.append({"uploads": count, "landed_in": round(landed, 2), **run})
    session.stop()
    return rows


def _records(count: int) -> Iterator[tuple[str, bytes]]:
    """Store and line of sound sales."""
    spec = Spec(
        stores=STORES, days=1, transactions=-(-count // STORES), uploads=1, late=0, repeated=0, corrected=0, broken=0
    )
    for upload in uploads(spec):
        for line in upload.body.splitlines():
            yield upload.store, line


def _land(lake: Path, records: Iterator[tuple[str, bytes]], count: int, first: datetime) -> float:
    """Lands `count` records, one per upload, over the hours of a day. Returns the seconds."""
    started = time.perf_counter()
    for number, (store, line) in zip(range(count), records, strict=False):
        at = first + timedelta(hours=number * HOURS // count)
        land(lake, "transactions", store, f"{at:%Y%m%d%H}-{number}", at, line + b"\n")
    return time.perf_counter() - started


def _run(session: SparkSession, project: Project, environment: Environment, graph: Graph, clock: datetime) -> dict:
    """A whole run's seconds by table, and its stages' tasks."""
    planner = Planner(environment, graph, clock=lambda: clock)
    seen = len(_tasks(session))
    started, cpu = time.perf_counter(), cpu_seconds()
    with writing(environment, wait=True, waiting=print):
        reports = Runner(project, environment, graph, session, planner=planner).run(graph.select(()))
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    assert all(report.status in ("done", "current") for report in reports), reports
    tasks = _tasks(session)[seen:]
    return {
        "seconds": round(seconds, 2),
        "cpu": round(cpu, 2),
        "tables": {report.table: report.seconds for report in reports if report.status == "done"},
        "stages": len(tasks),
        "most_tasks": max(tasks),
    }


def _tasks(session: SparkSession) -> list[int]:
    """The number of tasks of each stage so far, skipped ones too, oldest first."""
    scala = session._jsc.sc()
    scala.listenerBus().waitUntilEmpty()
    none = session._jvm.java.util.ArrayList()
    quantiles = session.sparkContext._gateway.new_array(session._jvm.double, 0)
    stages = scala.statusStore().stageList(none, False, False, quantiles, none)
    results = [stages.apply(n) for n in range(stages.size())]
    return [tasks for _, tasks in sorted((stage.stageId(), stage.numTasks()) for stage in results)]


def _print(rows: list[dict[str, Any]]) -> None:
    columns = ["uploads", "seconds", "cpu", "stages", "most tasks"]
    tables = list(rows[0]["tables"])
    lines = []
    for row in rows:
        facts = [row[name.replace(" ", "_")] for name in columns]
        lines.append([*facts, *(row["tables"].get(table) for table in tables)])
    print_table([*columns, *tables], lines)


if __name__ == "__main__":
    main()
