"""`headgate run` as a process of its own, on a lake of a test's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from headgate.project import Project
from tests.engine.world import World
from tests.processes import environ

SALES = Project(Path(__file__).parents[1] / "projects" / "sales")
SMALL = {"HEADGATE_SPARK": json.dumps({"spark.master": "local[2]", "spark.driver.memory": "1g"})}


def sales_in(lake: Path) -> World:
    """The sales project on an empty lake. No Spark is in this process."""
    return World(None, SALES, lake)  # type: ignore[arg-type]


def begin(world: World, *options: str, verb: str = "run", **variables: str) -> subprocess.Popen[str]:
    """A verb that has begun; its output and errors are piped."""
    command = [sys.executable, "-m", "headgate.cli", verb, *options, "--project", str(world.project.root)]
    return subprocess.Popen(
        command,
        env=environ(**{"HEADGATE_LAKE": str(world.lake), **SMALL, **variables}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(world: World, *options: str, verb: str = "run", **variables: str) -> tuple[int, str, str]:
    """A whole run: its exit status, output and errors."""
    process = begin(world, *options, verb=verb, **variables)
    output, errors = process.communicate(timeout=180)
    return process.returncode, output, errors


def run_well(world: World) -> None:
    status, output, errors = run(world)
    assert status == 0, output + errors
