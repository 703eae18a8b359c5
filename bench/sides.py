"""One side of `overhead` in a process of its own; prints its times as JSON.

sides.py SIDE PROJECT LAKE CLOCK JVM [MODEL]
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from common import cpu_seconds, environment_on

from headgate.project import Project

# What both sides make: a model's tables, and the baseline's module that makes them by hand.
_SALES = ("bronze.transactions", "silver.transactions", "silver.transaction_items", "gold.daily_store_sales")
MODELS: dict[str, tuple[str, Sequence[str] | None]] = {"sales": ("hand", _SALES), "whole": ("whole", None)}


def main(side: str, project: str, lake: str, clock: str, jvm: str, model: str = "sales") -> None:
    """Builds the tables from the landed uploads, and prints the seconds. `jvm` is small or large."""
    # What a library says on stdout must not run into the answer.
    answer, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)
    build = {"hand": by_hand, "headgate": by_headgate}[side]
    details = build(Project(Path(project)), Path(lake), datetime.fromisoformat(clock), jvm == "small", model)
    print(json.dumps(details), file=answer, flush=True)


def by_hand(project: Project, lake: Path, clock: datetime, small: bool, model: str) -> dict[str, Any]:
    """The baseline, with the session that Headgate has."""
    from timers import instrument_hand

    from headgate.engine.runtime.session import start_session

    baseline = importlib.import_module(MODELS[model][0])
    timers = instrument_hand()
    started = time.perf_counter()
    session = start_session(environment_on(project, lake), small=small)
    ready, cpu = time.perf_counter(), cpu_seconds()
    baseline.build(session, lake)
    done, cpu = time.perf_counter(), cpu_seconds() - cpu
    session.stop()
    return {"session": ready - started, "build": done - ready, "cpu": cpu, "parts": timers.parts()}


def by_headgate(project: Project, lake: Path, clock: datetime, small: bool, model: str) -> dict[str, Any]:
    """What `headgate run` does; the planner's clock is the data's, which was landed in its own time."""
    from timers import instrument_headgate

    from headgate.engine.runtime.lock import writing
    from headgate.engine.runtime.session import start_session
    from headgate.engine.verbs.run import Runner
    from headgate.planning.graph import load_graph
    from headgate.planning.plan import Planner

    timers = instrument_headgate()
    # One table at a time, as by hand: the parts of two tables at once could not be separated.
    environment, graph = replace(environment_on(project, lake), parallel_tables=1), load_graph(project)
    planner = Planner(environment, graph, clock=lambda: clock)
    with writing(environment, wait=True, waiting=print):
        started = time.perf_counter()
        session = start_session(environment, small=small)
        ready, cpu = time.perf_counter(), cpu_seconds()
        runner = Runner(project, environment, graph, session, planner=planner)
        reports = runner.run(MODELS[model][1] or list(graph.nodes))
        done, cpu = time.perf_counter(), cpu_seconds() - cpu
        session.stop()
    assert all(report.status in ("done", "current") for report in reports), reports
    return {"session": ready - started, "build": done - ready, "cpu": cpu, "parts": timers.parts()}


if __name__ == "__main__":
    main(*sys.argv[1:])
