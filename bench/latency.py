"""Small batches: how long 13 uploads of 58 records take from landing to gold, through 7 tables and through 3.

`--mode warm` (the default): runs in one session, whose first rounds warm it and are not counted; seconds, processor
seconds and Spark jobs of each table, beside the same tables written by hand, by turns in the same session. `--jobs`
prints the step of the run that started each job. `--mode cold`: each round is a process of `headgate run`,
and one by hand. `--mode watch`: one process of `headgate run --watch` takes all rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import hand_rounds
from common import (
    ROOT,
    SALES,
    Aim,
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
from pyspark import SparkContext
from pyspark.sql import DataFrame, DataFrameReader, DataFrameWriter, SparkSession

from headgate.contracts.environment import Environment
from headgate.engine.runtime.lock import writing
from headgate.engine.runtime.session import start_session
from headgate.engine.verbs.run import Runner
from headgate.planning.graph import Graph, load_graph
from headgate.planning.plan import Planner
from headgate.project import Project
from retail.generate import Spec, uploads

DAY = date(2026, 3, 2)
FIRST = datetime(2026, 3, 2, 1, tzinfo=UTC)
FIRST_RECORDS = 500  # that are in the tables before the first round
UPLOADS, RECORDS = 13, 58
MOST_JOBS = 5
COLD_SECONDS = 30.0


@dataclass(frozen=True)
class Model:
    """The tables of a project that the records go through. seconds: the aim of a warm run."""

    name: str
    project: Path
    tables: tuple[str, ...]
    seconds: float


MODELS = (
    Model(
        "7 tables",
        ROOT,
        (
            "bronze.transactions",
            "silver.transactions",
            "silver.transaction_items",
            "gold.daily_store_sales",
            "gold.fct_sales",
            "gold.customer_value",
            "gold.product_performance",
        ),
        6.0,
    ),
    Model("3 tables", SALES, ("bronze.transactions", "silver.transactions", "gold.daily_store_sales"), 2.5),
)


def main() -> None:
    """Measures each model, prints the tables, writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=("warm", "cold", "watch"), default="warm")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that are counted")
    parser.add_argument("--warm-up", type=int, default=4, help="rounds before them")
    parser.add_argument("--tables", type=int, choices=(3, 7), help="measure one of the two models")
    parser.add_argument("--one-at-a-time", action="store_true", help="tables one after the other")
    parser.add_argument("--jobs", action="store_true", help="print the step that started each job of the last round")
    options = parser.parse_args()
    facts = machine()
    chosen = [model for model in MODELS if options.tables in (None, len(model.tables))]
    rows = []
    if options.mode == "warm":
        label_jobs()
    with scratch_folder() as folder:
        for model in chosen:
            place = folder / model.name.replace(" ", "-")
            rows += _measure(model, place, options) if options.mode == "warm" else _processes(model, place, options)
    if options.mode != "warm":
        print_table(
            ["model", "mode", "seconds", "cpu"], [[r["model"], r["mode"], r["seconds"], r["cpu"]] for r in rows]
        )
        aims = [at_most(f"{r['model']}, cold", r["seconds"], COLD_SECONDS, " s") for r in rows if r["mode"] == "cold"]
        write_results(f"latency-{options.mode}", rows, aims, facts)
        return
    names = ("model", "seconds", "by hand", "cpu", "cpu by hand", "jobs", "jobs by hand", "most jobs a table")
    keys = ("model", "seconds", "hand_seconds", "cpu", "hand_cpu", "jobs", "hand_jobs", "most_jobs")
    print_table(names, [[row[key] for key in keys] for row in rows])
    write_results("latency", rows, [aim for row in rows for aim in _aims(row)], facts)


def _aims(row: Mapping[str, Any]) -> list[Aim]:
    seconds = next(model.seconds for model in MODELS if model.name == row["model"])
    return [
        at_most(f"{row['model']}, warm", row["seconds"], seconds, " s"),
        at_most(f"{row['model']}, Spark jobs of a table", row["most_jobs"], MOST_JOBS),
        at_most(f"{row['model']}, seconds over those by hand", round(row["seconds"] / row["hand_seconds"], 2), 1.0),
    ]


def _measure(model: Model, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    project, lake = copy_project(folder / "project", model.project), folder / "lake"
    environment, graph = environment_on(project, lake), load_graph(project)
    if options.one_at_a_time:
        environment = replace(environment, parallel_tables=1)
    records = _records(FIRST_RECORDS + (options.warm_up + options.rounds) * RECORDS)
    session = start_session(environment, {"spark.ui.retainedJobs": "10000"}, small=True)
    by_hand = folder / "by-hand"
    hand_rounds.prepare(session, by_hand)
    rounds = []
    for number in range(1 + options.warm_up + options.rounds):
        at = FIRST + timedelta(minutes=number)
        _land(lake, records, FIRST_RECORDS if number == 0 else RECORDS, at)
        round_ = _round(session, project, environment, graph, model, at + timedelta(seconds=30))
        hand_rounds.link_landed(lake / "landing", by_hand)
        rounds.append({**round_, **_hand_round(session, by_hand, len(model.tables))})
        seconds, of_hand = rounds[-1]["seconds"], rounds[-1]["hand_seconds"]
        print(f"  {model.name}, round {number}: {seconds:.2f} s, by hand {of_hand:.2f} s", file=sys.stderr)
    session.stop()
    counted = rounds[-options.rounds :]
    _print_tables(model, counted)
    if options.jobs:
        _print_jobs(model, counted[-1]["started_by"])
    return [_row(model, counted)]


def _row(model: Model, rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "model": model.name,
        "seconds": round(median(r["seconds"] for r in rounds), 2),
        "cpu": round(median(r["cpu"] for r in rounds), 2),
        "jobs": rounds[-1]["jobs"],
        "most_jobs": max(max(r["table_jobs"].values()) for r in rounds),
        **{name: round(median(r[name] for r in rounds), 2) for name in ("hand_seconds", "hand_cpu", "hand_jobs")},
        "tables": {t: round(median(r["tables"][t] for r in rounds), 2) for t in model.tables},
        "table_jobs": dict(rounds[-1]["table_jobs"]),
        "rounds": [r["seconds"] for r in rounds],
    }


def _records(count: int) -> Iterator[tuple[str, bytes]]:
    """Store and line of sales of one day: some corrected, some broken."""
    spec = Spec(
        seed=7, stores=3, first_day=DAY, days=1, transactions=count // 3 + 1, late=0, repeated=0, corrected=0.02,
        broken=0.01,
    )  # fmt: skip
    for upload in uploads(spec):
        for line in upload.body.splitlines():
            yield upload.store, line


def _land(lake: Path, records: Iterator[tuple[str, bytes]], count: int, at: datetime, key: str = "") -> None:
    """Lands `count` records in 13 uploads."""
    key = key or f"{at:%H%M}"
    bodies: list[list[bytes]] = [[] for _ in range(UPLOADS)]
    for number, (_, line) in zip(range(count), records, strict=False):
        bodies[number % UPLOADS].append(line)
    for number, lines in enumerate(bodies):
        land(lake, "transactions", f"store-{number % 3 + 1}", f"{key}-{number}", at, b"\n".join(lines) + b"\n")


def _round(
    session: SparkSession, project: Project, environment: Environment, graph: Graph, model: Model, clock: datetime
) -> dict[str, Any]:
    """One run: its seconds, in all and by table, and its jobs by table and by the step that started them."""
    planner = Planner(environment, graph, clock=lambda: clock)
    before = len(_jobs(session))
    started, cpu = time.perf_counter(), cpu_seconds()
    with writing(environment, wait=True, waiting=print):
        reports = Runner(project, environment, graph, session, planner=planner).run(model.tables)
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    assert all(report.status == "done" for report in reports), reports
    jobs = _jobs(session)[before:]
    return {
        "seconds": round(seconds, 2),
        "cpu": round(cpu, 2),
        "jobs": len(jobs),
        "tables": {report.table: report.seconds for report in reports},
        "table_jobs": Counter({table: sum(job[0] == table for job in jobs) for table in model.tables}),
        "started_by": jobs,
    }


def _hand_round(session: SparkSession, lake: Path, tables: int) -> dict[str, Any]:
    """The same uploads by hand: seconds, processor seconds and jobs."""
    before = len(_jobs(session))
    started, cpu = time.perf_counter(), cpu_seconds()
    hand_rounds.build(session, lake, tables)
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    return {"hand_seconds": seconds, "hand_cpu": cpu, "hand_jobs": len(_jobs(session)) - before}


# --- processes


def _processes(model: Model, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The median round in which a process builds what was landed: a process each, or one that watches."""
    project, lake = copy_project(folder / "project", model.project), folder / "lake"
    records = _records(FIRST_RECORDS + (options.warm_up + options.rounds) * RECORDS)
    selected = [part for table in model.tables for part in ("-s", table)]
    command = [sys.executable, "-m", "headgate.cli", "run", *selected, "--project", str(project.root)]
    environ = {**os.environ, "HEADGATE_LAKE": str(lake), "HEADGATE_WATCH_POLL_SECONDS": "0.2"}
    rounds: list[tuple[float, float]] = []
    by_hand: list[tuple[float, float]] = []
    watcher = None
    if options.mode == "watch":
        watcher = subprocess.Popen([*command, "--watch"], env=environ, stdout=subprocess.DEVNULL)
        _wait(watcher, lambda: _runs(lake) == 0)
    for number in range(1 + options.warm_up + options.rounds):
        started, cpu = time.perf_counter(), cpu_seconds()
        _land(lake, records, FIRST_RECORDS if number == 0 else RECORDS, datetime.now(UTC), f"round-{number}")
        if watcher is None:
            _run(command, environ)
        else:
            _wait(watcher, lambda runs=number + 1: _runs(lake) >= runs)
        rounds.append((time.perf_counter() - started, cpu_seconds() - cpu))
        print(f"  {model.name}, {options.mode}, round {number}: {rounds[-1][0]:.2f} s", file=sys.stderr)
        if watcher is None:
            by_hand.append(_hand_process(project, lake, folder / "by-hand", len(model.tables)))
            print(f"  {model.name}, by hand, round {number}: {by_hand[-1][0]:.2f} s", file=sys.stderr)
    if watcher is not None:
        watcher.terminate()
        assert watcher.wait(60) == 0, watcher.returncode
    sides = {options.mode: rounds, **({"cold by hand": by_hand} if by_hand else {})}
    return [_process_row(model, mode, measured, options.rounds) for mode, measured in sides.items()]


def _process_row(model: Model, mode: str, rounds: Sequence[tuple[float, float]], counted: int) -> dict[str, Any]:
    seconds, cpus = zip(*rounds[-counted:], strict=True)
    row = {"model": model.name, "mode": mode, "seconds": round(median(seconds), 2)}
    return {**row, "cpu": round(median(cpus), 2), "rounds": [round(pair[0], 2) for pair in rounds]}


def _hand_process(project: Project, lake: Path, by_hand: Path, tables: int) -> tuple[float, float]:
    """A round by hand in a process of its own: seconds and processor seconds."""
    hand_rounds.link_landed(lake / "landing", by_hand)
    command = [sys.executable, str(Path(hand_rounds.__file__)), str(project.root), str(by_hand), str(tables)]
    started, cpu = time.perf_counter(), cpu_seconds()
    _run(command, os.environ)
    return time.perf_counter() - started, cpu_seconds() - cpu


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _wait(process, lambda: process.poll() is not None)
    assert process.returncode == 0, process.returncode


def _wait(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Waits for a condition, and keeps account of the processor time of the process and of what is below it."""
    while not condition():
        assert process.poll() in (None, 0), process.returncode
        time.sleep(0.1)
        cpu_seconds()


def _runs(lake: Path) -> int:
    """The runs that the application has done when it is idle; -1 while it is not."""
    for path in (lake / "watch").glob("*.json"):
        state = json.loads(path.read_text() or "{}")
        if state.get("state") == "idle":
            return int(state["runs"])
    return -1


# --- which step starts a job

_ACTIONS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (DataFrame, ("collect", "count", "head", "toArrow", "localCheckpoint", "isEmpty", "filter", "join", "select")),
    (DataFrameReader, ("load", "parquet")),
    (DataFrameWriter, ("parquet", "save")),
)


def label_jobs() -> None:
    """From now on each Spark job has the table as its group, and the line of Headgate that caused it as description."""
    from delta.tables import DeltaMergeBuilder, DeltaTable
    from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

    run_table = Runner._run_table

    def run_labelled(runner: Runner, name: str) -> Any:
        SparkContext.getOrCreate().setJobGroup(name, name)
        return run_table(runner, name)

    Runner._run_table = run_labelled  # type: ignore[method-assign]
    for owner, names in (*_ACTIONS, (DeltaMergeBuilder, ("execute",)), (DeltaTable, ("forPath",))):
        owner = ClassicDataFrame if owner is DataFrame else owner
        for name in names:
            setattr(owner, name, _labelled(getattr(owner, name), name))


def _labelled(action: Callable[..., Any], name: str) -> Callable[..., Any]:
    def labelled(*args: Any, **kwargs: Any) -> Any:
        SparkContext.getOrCreate().setLocalProperty("spark.job.description", f"{name} in {_caller()}")
        return action(*args, **kwargs)

    return staticmethod(labelled) if name == "forPath" else labelled  # type: ignore[return-value]


def _caller() -> str:
    """The nearest lines of the engine that led here."""
    frame, lines = sys._getframe(1), list[str]()
    while frame is not None and len(lines) < 2:
        path = Path(frame.f_code.co_filename)
        if "headgate" in path.parts and "materialize.py" not in path.name:
            lines.append(f"{path.name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(lines)


def _jobs(session: SparkSession) -> list[tuple[str, str, str, float]]:
    """Group, description, call site and seconds of each job so far, oldest first."""
    scala = session._jsc.sc()
    scala.listenerBus().waitUntilEmpty()
    jobs = scala.statusStore().jobsList(session._jvm.java.util.ArrayList())
    results = []
    for number in range(jobs.size()):
        job = jobs.apply(number)
        spent = job.completionTime().get().getTime() - job.submissionTime().get().getTime()
        texts = [option.get() if option.isDefined() else "" for option in (job.jobGroup(), job.description())]
        results.append((job.jobId(), (texts[0], texts[1], job.name(), spent / 1000)))
    return [job for _, job in sorted(results)]


def _print_tables(model: Model, rounds: Sequence[Mapping[str, Any]]) -> None:
    print(f"\n{model.name}, medians of {len(rounds)} rounds")
    lines = []
    for table in model.tables:
        spent = sum(job[3] for job in rounds[-1]["started_by"] if job[0] == table)
        jobs = rounds[-1]["table_jobs"][table]
        lines.append([table, float(median(r["tables"][table] for r in rounds)), jobs, spent])
    print_table(["table", "seconds", "jobs", "seconds in jobs"], lines)


def _print_jobs(model: Model, jobs: Sequence[tuple[str, str, str, float]]) -> None:
    print_table(
        ["table", "started by", "call site", "seconds"],
        [[job[0], job[1], job[2], job[3]] for table in (*model.tables, "") for job in jobs if job[0] == table],
    )


if __name__ == "__main__":
    main()
