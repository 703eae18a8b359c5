"""The processes of a disturbance: receivers, a cluster, runs; and which of them may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Self

from tests.processes import children, command_of, environ, free_port


class Kind(StrEnum):
    """What is killed."""

    GUNICORN = "gunicorn workers"
    RUN = "runs"
    SPARK = "Spark workers and executors"


class Processes:
    """Starts processes for a project, each with its log in `logs`; all of them end when the block does."""

    def __init__(self, project: Path, logs: Path) -> None:
        self._project, self._logs = project, logs
        self._receivers: list[subprocess.Popen] = []
        self._cluster: subprocess.Popen | None = None
        self.variables: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_receivers()
        if self._cluster:
            _stop(self._cluster)

    # --- start and stop

    def start_cluster(self) -> None:
        """A master and two workers; runs go there from now on."""
        ports = {f"HEADGATE_CLUSTER_{name}": str(free_port()) for name in ("PORT", "UI_PORT")}
        self.variables |= {"HEADGATE_ENGINE": "cluster", **ports}
        self._cluster = self._start("cluster", "serve", "cluster", "--json")
        self._first_line("cluster", self._cluster)

    def start_receiver(self, port: int) -> str:
        """The address of a receiver with two workers."""
        name = f"receiver-{len(self._receivers) + 1}"
        variables = {"HEADGATE_RECEIVER_PORT": str(port)}
        receiver = self._start(name, "serve", "receiver", "--json", variables=variables)
        self._receivers.append(receiver)
        return str(json.loads(self._first_line(name, receiver))["url"])

    def stop_receivers(self) -> None:
        for receiver in self._receivers:
            _stop(receiver)
        self._receivers.clear()

    # --- runs

    def run(self, life: float | None, until: Callable[[], bool] = lambda: False) -> str:
        """One run: done, failed or killed. It is killed after `life` seconds, or as soon as `until` says so."""
        run = self._start("runs", "run")
        started = time.monotonic()
        while run.poll() is None:
            if (life is not None and time.monotonic() - started > life) or until():
                _kill(random.choice([run.pid, *_below(run.pid, "java")]))  # noqa: S311
                _reap(run)
                return "killed"
            time.sleep(0.05)
        return "done" if run.returncode == 0 else "failed"

    def run_clean(self, lake: str) -> str:
        """A run of another lake, undisturbed, in one process."""
        run = self._start("clean", "run", variables={"HEADGATE_LAKE": lake, "HEADGATE_ENGINE": "local"})
        return "done" if run.wait(timeout=900) == 0 else "failed"

    def is_current(self) -> bool:
        """Whether a plan finds no work. One that fails tells nothing."""
        planned = self._ask("plan", "--json")
        return "tables" in planned and all(work["work"] in ("current", "no source") for work in planned["tables"])

    def reconcile(self) -> int:
        """How many errors `reconcile` finds."""
        return int(self._ask("reconcile", "--digest", "--json")["errors"])

    def _ask(self, *words: str) -> dict:
        command = [sys.executable, "-m", "headgate.cli", *words, "--project", str(self._project)]
        requested = subprocess.run(
            command, env=environ(**self.variables), stdout=subprocess.PIPE, text=True, check=False
        )
        return json.loads(requested.stdout or "{}")

    # --- kills

    def kill_one(self, kind: Kind, drawn: random.Random) -> bool:
        """Kills a process of a kind with SIGKILL; returns whether there was a process."""
        result = self._gunicorn_workers() if kind is Kind.GUNICORN else self._spark_workers()
        if result:
            _kill(drawn.choice(result))
        return bool(result)

    def _gunicorn_workers(self) -> list[int]:
        return [pid for receiver in self._receivers for pid in _below(receiver.pid, "gunicorn", leaves=True)]

    def _spark_workers(self) -> list[int]:
        if self._cluster is None:
            return []
        words = ("CoarseGrainedExecutorBackend", "deploy.worker.Worker")
        return [pid for word in words for pid in _below(self._cluster.pid, word)]

    def _start(self, log: str, *words: str, variables: dict[str, str] | None = None) -> subprocess.Popen:
        command = [sys.executable, "-m", "headgate.cli", *words, "--project", str(self._project)]
        environment = environ(**{**self.variables, **(variables or {})})
        # Files, because a server whose output nobody reads stops at a full pipe.
        with (self._logs / f"{log}.log").open("ab") as details, self._said(log).open("ab") as said:
            return subprocess.Popen(command, env=environment, stderr=details, stdout=said, start_new_session=True)

    def _said(self, log: str) -> Path:
        return self._logs / f"{log}.out"

    def _first_line(self, log: str, process: subprocess.Popen) -> str:
        """The line by which a server says that it is ready."""
        while process.poll() is None:
            line, end, _ = self._said(log).read_text().partition("\n")
            if end:
                return line
            time.sleep(0.1)
        raise RuntimeError(f"{log} ended with {process.returncode} before it was ready")


def _below(pid: int, word: str, *, leaves: bool = False) -> list[int]:
    """The processes started by `pid`, directly or not, whose command holds `word`; only those without children."""
    result, new = list[int](), children(pid)
    while new:
        result += new
        new = [grandchild for child in new for grandchild in children(child)]
    return [child for child in result if word in command_of(child) and not (leaves and children(child))]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _reap(run: subprocess.Popen, seconds: float = 60) -> None:
    """Waits for the end of a run after one of its processes was killed."""
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        _kill(run.pid)
        run.wait()


def _stop(process: subprocess.Popen) -> None:
    """Ends a process as Ctrl-C does, and by force where that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
