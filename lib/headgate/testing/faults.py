"""Stops a run at a named point, in this process or with SIGKILL in a child process. See `headgate.faults`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn
from unittest import mock

from headgate import faults
from headgate.planning.graph import Graph

if TYPE_CHECKING:
    from headgate.testing.lake import Lake

_PATIENCE = 300  # seconds: the process starts Spark


class Killed(BaseException):
    """Stands for SIGKILL inside a test's own process: nothing catches it."""


@contextmanager
def killing_at(point: str, graph: Graph) -> Iterator[None]:
    """A block that ends with `Killed` at a point. Raises UsageError for an unknown point."""
    faults.require_known(point, graph.nodes)

    def die(name: str) -> None:
        if name == point:
            raise Killed(name)

    with mock.patch.object(faults, "point", die):
        yield


def run_killed_at(lake: Lake, point: str, *select: str) -> None:
    """A run, of one table at a time, that dies at a point. Raises AssertionError where it never comes there."""
    lake.environment = replace(lake.environment, parallel_tables=1)
    try:
        with killing_at(point, lake.graph):
            lake.run(*select)
    except Killed:
        return
    _never_there(point)


def run_shot_at(lake: Lake, point: str, *select: str) -> None:
    """A run in a process of its own that gets a real SIGKILL at a point. Raises AssertionError where it lives on.

    That process plans by the real time, which is the lake's `now` from then on.
    """
    faults.require_known(point, lake.graph.nodes)
    variables = {
        "HEADGATE_LAKE": lake.environment.lake,
        faults.VARIABLE: point,
        "HEADGATE_SPARK": json.dumps({"spark.master": "local[2]", "spark.driver.memory": "1g"}),
    }
    selected = [option for name in select for option in ("--select", name)]
    command = [sys.executable, "-m", "headgate.cli", "run", "--project", str(lake.project.root), *selected]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=_PATIENCE)
    lake.now = datetime.now(UTC)
    if done.returncode != -signal.SIGKILL:
        _never_there(point, f" (exit code {done.returncode})\n{done.stdout}{done.stderr}")


def _never_there(point: str, details: str = "") -> NoReturn:
    raise AssertionError(f"the run never came to {point}{details}")
