"""One side of `overhead` in a process of its own: `sides.py SIDE PROJECT LAKE CLOCK JVM` prints its times as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from common import cpu_seconds, environment_on

from headgate.project import Project

# The tables that both sides make.
BUILT = ("bronze.transactions", "silver.transactions", "silver.transaction_items", "gold.daily_store_sales")


def main(side: str, project: str, lake: str, clock: str, jvm: str) -> None:
    """Builds what was landed in the lake, and prints the seconds that it took. `jvm` is small or large."""
    # What a library says on stdout must not run into the answer.
    answer, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
    os.dup2(2, 1)
    build = {"hand": by_hand, "headgate": by_headgate}[side]
    told = build(Project(Path(project)), Path(lake), datetime.fromisoformat(clock), jvm == "small")
    print(json.dumps(told), file=answer, flush=True)


def by_hand(project: Project, lake: Path, clock: datetime, small: bool) -> dict[str, Any]:
    """The baseline, with the session that Headgate has."""
    import hand
    from timers import instrument_hand

    from headgate.engine.session import start_session

    timers = instrument_hand(hand)
    started = time.perf_counter()
    session = start_session(environment_on(project, lake), small=small)
    ready, cpu = time.perf_counter(), cpu_seconds()
    hand.build(session, lake)
    done, cpu = time.perf_counter(), cpu_seconds() - cpu
    session.stop()
    return {"session": ready - started, "build": done - ready, "cpu": cpu, "parts": timers.parts()}


def by_headgate(project: Project, lake: Path, clock: datetime, small: bool) -> dict[str, Any]:
    """What `headgate run` does; the planner's clock is the data's, which was landed in its own time."""
    from timers import instrument_headgate

    from headgate.engine.lock import writing
    from headgate.engine.run import Runner
    from headgate.engine.session import start_session
    from headgate.graph import load_graph
    from headgate.plan import Planner

    timers = instrument_headgate()
    # One table at a time, as by hand: the parts of two at once could not be told apart.
    environment, graph = replace(environment_on(project, lake), parallel_tables=1), load_graph(project)
    planner = Planner(environment, graph, clock=lambda: clock)
    with writing(environment, wait=True, waiting=print):
        started = time.perf_counter()
        session = start_session(environment, small=small)
        ready, cpu = time.perf_counter(), cpu_seconds()
        reports = Runner(project, environment, graph, session, planner=planner).run(BUILT)
        done, cpu = time.perf_counter(), cpu_seconds() - cpu
        session.stop()
    assert all(report.status == "done" for report in reports), reports
    return {"session": ready - started, "build": done - ready, "cpu": cpu, "parts": timers.parts()}


if __name__ == "__main__":
    main(*sys.argv[1:])
