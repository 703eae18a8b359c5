"""`headgate serve cluster` and runs on it, as processes of a test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.project import Project
from tests.engine.world import World
from tests.processes import children, command_of, environ, free_port, stop

SALES = Path(__file__).parents[1] / "projects" / "sales"
SMALL = {"HEADGATE_CLUSTER_WORKER_MEMORY_GB": "1"}
SECONDS = 120.0

#: Holds a task while a file is there, in whatever Python process it runs.
PAUSED = '''
"""A task that waits in the middle while a file says so, and tells that it is there."""

import os
import time
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "paused"


def paused(value: str) -> str:
    """`value`, once nothing holds it."""
    end = time.monotonic() + 240
    while (FOLDER / "hold").exists() and time.monotonic() < end:
        (FOLDER / str(os.getpid())).touch()
        time.sleep(0.05)
    return value
'''


@dataclass(frozen=True)
class Served:
    """A cluster that runs. `folder` is its own; `log` is its standard error."""

    process: subprocess.Popen[str]
    port: int
    ui: str
    folder: Path
    log: Path

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.ui}/json/", timeout=10) as answer:  # noqa: S310 - http
            return dict(json.load(answer))

    def workers(self) -> list[int]:
        """The workers' process ids."""
        return [pid for pid in children(self.process.pid) if "deploy.worker.Worker" in command_of(pid)]

    def at_work(self) -> list[int]:
        """Executors and their Python processes, which work in the cluster's folder."""
        return [pid for pid in processes() if place_of(pid).startswith(f"{self.folder}/")]


@contextmanager
def serve(project: Project, log: Path, *options: str) -> Iterator[Served]:
    """A cluster on free ports, stopped by SIGTERM at the end."""
    port, ui = free_port(), free_port()
    command = [sys.executable, "-m", "headgate.cli", "serve", "cluster", "--json", "--project", str(project.root)]
    ports = ["--port", str(port), "--ui-port", str(ui), *options]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, *ports], env=environ(**SMALL), stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        details = json.loads(line)
        assert "error" not in details, details
        yield Served(process, port, details["ui"], Path(details["logs"]), log)
    finally:
        stop(process, 30)


class Site:
    """A copy of the sales project, whose silver function can be paused, and a lake."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(SALES, folder / "project")
        self.project = Project(folder / "project")
        self._paused = self.project.root / "paused"
        self._paused.mkdir()
        self._make_holdable()
        self.world = World(None, self.project, folder / "lake")  # type: ignore[arg-type]  # it needs no Spark here

    def _make_holdable(self) -> None:
        (self.project.jobs / "common").mkdir()
        (self.project.jobs / "common" / "paused.py").write_text(PAUSED)
        module = self.project.jobs / "silver" / "transactions.py"
        text = module.read_text().replace('"store_id",', 'F.udf(paused)("store_id").alias("store_id"),')
        text = text.replace("from headgate import", "from jobs.common.paused import paused\n\nfrom headgate import", 1)
        assert text.count("paused") == 3
        module.write_text(text)

    def hold(self) -> None:
        """From now on tasks of silver.transactions wait."""
        (self._paused / "hold").touch()

    def go_on(self) -> None:
        (self._paused / "hold").unlink()

    def waiting(self) -> set[int]:
        """The processes in which a task has waited."""
        return {int(path.name) for path in self._paused.glob("[0-9]*")}

    def staged(self) -> list[str]:
        """The staging folders in the lake."""
        return sorted(path.name for path in (self.world.lake / ".headgate" / "staging").glob("*"))

    @contextmanager
    def running(self, cluster: Served) -> Iterator[subprocess.Popen[str]]:
        """`headgate run` on the cluster, ended with the block where it has not by then."""
        variables = {"HEADGATE_ENGINE": "cluster", "HEADGATE_CLUSTER_PORT": str(cluster.port), **SMALL}
        command = [sys.executable, "-m", "headgate.cli", "run", "--project", str(self.project.root)]
        process = subprocess.Popen(
            command,
            env=environ(HEADGATE_LAKE=str(self.world.lake), **variables),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.world.lake.parent,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def run_well(self, cluster: Served) -> str:
        """Runs without failures; returns the output."""
        with self.running(cluster) as process:
            return ended_well(process)


def ended_well(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, output + errors
    return output


def eventually(is_so: Callable[[], Any], condition: str) -> Any:
    """What `is_so` gives once it gives something; fails after two minutes."""
    end = time.monotonic() + SECONDS
    while not (result := is_so()):
        assert time.monotonic() < end, f"not within {SECONDS:.0f} s: {condition}"
        time.sleep(0.1)
    return result


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def processes() -> list[int]:
    """The ids of all processes that run (none that only waits to be buried)."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if command_of(int(entry.name))]


def place_of(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""
