"""`headgate plan` and `headgate run` with nothing to do: whole processes, on a PATH that has no java."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from common import at_most, copy_project, land, machine, print_table, scratch_folder, write_results

from retail.generate import Spec, uploads

HEADGATE = Path(sys.executable).with_name("headgate")
VERBS = ("plan", "run")
SAYS = "nothing to do"
MOST_SECONDS = 1.5


def main() -> None:
    """Builds a small lake once, then times both verbs on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    facts = machine()
    with scratch_folder() as folder:
        project = copy_project(folder / "project").root
        _build(project, folder / "lake")
        without_java = _without_java(folder)
        rows = [_row(verb, project, {**without_java, "HEADGATE_LAKE": str(folder / "lake")}, times) for verb in VERBS]
    print_table(["verb", "times", "median", "least", "most", "cpu"], [list(row.values())[:6] for row in rows])
    aims = [at_most(f"median seconds of {row['verb']}", row["median"], MOST_SECONDS, " s") for row in rows]
    write_results("nothing", rows, aims, facts)


def _build(project: Path, lake: Path) -> None:
    """A lake with every table built from uploads of this hour: the next run lists them again."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    for upload in uploads(Spec(stores=8, days=2)):
        if upload.kind != "repeat":
            land(lake, upload.dataset, upload.store, upload.key, now, upload.body)
    _headgate("run", project, {**os.environ, "HEADGATE_LAKE": str(lake)})


def _without_java(folder: Path) -> dict[str, str]:
    """The surroundings of a process that finds no java."""
    empty = folder / "empty"
    empty.mkdir()
    return {**{name: value for name, value in os.environ.items() if name != "JAVA_HOME"}, "PATH": str(empty)}


def _row(verb: str, project: Path, environ: dict[str, str], times: int) -> dict[str, Any]:
    """A verb's wall seconds; `cpu` is the median of its processor seconds."""
    assert SAYS in _headgate(verb, project, environ), f"{verb} has work"
    measured = [_timed(verb, project, environ) for _ in range(times)]
    seconds = [wall for wall, _ in measured]
    return {
        "verb": verb,
        "times": times,
        "median": round(median(seconds), 3),
        "least": round(min(seconds), 3),
        "most": round(max(seconds), 3),
        "cpu": round(median(cpu for _, cpu in measured), 3),
        "seconds": [round(wall, 3) for wall in seconds],
    }


def _timed(verb: str, project: Path, environ: dict[str, str]) -> tuple[float, float]:
    started, before = time.perf_counter(), os.times()
    _headgate(verb, project, environ)
    wall, after = time.perf_counter() - started, os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, spent


def _headgate(verb: str, project: Path, environ: dict[str, str]) -> str:
    """What the verb prints."""
    arguments = [str(HEADGATE), verb, "--project", str(project)]
    return subprocess.run(arguments, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
