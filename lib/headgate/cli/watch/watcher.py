"""`headgate run --watch`: an application that stays up, looks at landing, and runs what has work.

    look at landing (no Spark) -> plan (no Spark) -> take the lake's lock -> run -> report -> release the lock

A run is an ordinary run: it plans each table itself, and its report and log are in the lake. A table that fails is
left out of the next runs until its retry is due. SIGTERM and Ctrl-C end the application after the tables in progress.
It restarts itself, with the same process id, when the memory exceeds the environment's limit, when a file of the
project changes, and when its Spark is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.options import Target
from headgate.cli.work import lake_to_itself, spark_that_looks, submit_if_remote
from headgate.contracts.watch import Watch
from headgate.errors import EXIT_RETRY, HeadgateError, LakeBusy
from headgate.lake import watchers
from headgate.lake.arrivals import Arrivals
from headgate.planning.graph import Graph
from headgate.planning.plan import Planner
from headgate.project import Project

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headgate.engine.verbs.table_report import Report

_FIRST_RETRY = 5.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_GB = 2**30

#: Shows the reports of a run, and registers what it built.
Show = Callable[[str, Sequence[Any]], None]


def watch(target: Target, graph: Graph, names: Sequence[str], show: Show) -> None:
    """Runs until a signal ends it; then exits with 0. `show` is called after each run with its id and reports."""
    submit_if_remote(target)
    stop = StopSignals()
    stop.listen()
    watcher = Watcher(target, graph, names, stop, show)
    try:
        with spark_that_looks(target) as session:
            stop.listen()  # PySpark has set a handler of its own for Ctrl-C
            reason = watcher.loop(session)
    finally:
        watcher.end()
    if reason and not stop.is_set_after_blocking():
        _restart(target, reason)
    _say(target, "stopped")
    sys.exit(0)


class StopSignals:
    """SIGTERM and Ctrl-C as a flag; the second one interrupts what is in progress.

    A signal that comes while the application restarts waits, blocked, for the new program's `listen`.
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def listen(self) -> None:
        """Handles both signals from now on, in place of any handler before."""
        for number in _STOPPING:
            signal.signal(number, self._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    def _handle(self, number: int, _: Any) -> None:
        if self._event.is_set():
            raise KeyboardInterrupt
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._event.is_set()

    def is_set_after_blocking(self) -> bool:
        """Blocks both signals, and returns whether one has come before: none is lost between this and `execv`."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        return self.is_set

    def wait(self, seconds: float) -> None:
        """Returns after so many seconds, or when a signal comes."""
        self._event.wait(seconds)


@dataclass
class Failure:
    """A table that fails: its newest error, how often it failed in a row, and when it is tried again."""

    error: str
    times: int
    retry_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """The failure as `headgate status` shows it."""
        return {"error": self.error, "times": self.times, "retry_at": watchers.moment(self.retry_at)}


class Watcher:
    """The loop of an application that stays up."""

    def __init__(self, target: Target, graph: Graph, names: Sequence[str], stop: StopSignals, show: Show) -> None:
        self._target, self._graph, self._names, self._stop, self._show = target, graph, list(names), stop, show
        self._settings = target.environment.watch
        self._store = target.environment.object_store()
        datasets = [name.partition(".")[2] for name in names if name.startswith("bronze.")]
        self._arrivals = Arrivals(self._store, datasets, target.environment.lookback)
        self._files = project_files(target.project)
        self._failures: dict[str, Failure] = {}
        self._problems = 0  # looks at the lake that failed in a row
        self._planned_at = -float("inf")
        self._state = watchers.WatchState(started=watchers.moment(), at=watchers.moment())
        self._written_at = -float("inf")
        self._put("starting")

    def loop(self, session: SparkSession) -> str:
        """Looks and runs until a signal comes; returns why the application has to restart, empty where it ends."""
        _say(self._target, f"watching {len(self._names)} tables of {self._target.environment.lake}")
        while not self._stop.is_set:
            wait = self._settings.poll_seconds
            try:
                ran = self._look(session)
                self._problems = 0
            except LakeBusy as error:
                ran = False
                self._put("waiting for the lake", problem=error.message)
            except Exception as error:
                ran = False
                wait = self._report_problem(error)
            if reason := self._why_restart(session, ran=ran):
                return reason
            self._stop.wait(0 if ran else wait)
        return ""

    def end(self) -> None:
        """Removes the application's description from the lake."""
        watchers.remove(self._store, self._state)

    def _look(self, session: SparkSession) -> bool:
        """Looks at landing, plans where something may have work, and runs it; returns whether a run took place."""
        due = any(failure.retry_at <= datetime.now(UTC) for failure in self._failures.values())
        plan_is_old = time.monotonic() - self._planned_at >= self._settings.plan_seconds
        if not self._arrivals.look() and not due and not plan_is_old:
            self._put("idle")
            return False
        self._planned_at = -float("inf")  # until it is done: the lake may fail, or another process may have its lock
        names = self._names_to_run()
        works = Planner(self._target.environment, self._graph).plan(names)
        ran = any(work.is_work for work in works)
        if ran:
            self._run(session, names)
        self._planned_at = time.monotonic()
        self._put("idle")
        return ran

    def _names_to_run(self) -> list[str]:
        """The tables without those that failed and whose retry is not due."""
        now = datetime.now(UTC)
        return [name for name in self._names if name not in self._failures or self._failures[name].retry_at <= now]

    def _run(self, session: SparkSession, names: Sequence[str]) -> None:
        from headgate.engine.verbs.run import Runner

        with lake_to_itself(self._target, wait=False):
            runner = Runner(
                self._target.project, self._target.environment, self._graph, session, stop=lambda: self._stop.is_set
            )
            self._put("running", last_run=runner.run_id)
            reports = runner.run(names)
        self._keep_failures(reports)
        self._show(runner.run_id, reports)
        sys.stdout.flush()
        self._put("idle", runs=self._state.runs + 1)

    def _keep_failures(self, reports: Sequence[Report]) -> None:
        """Notes which tables fail; each is tried again after a time that doubles with every failure."""
        for report in reports:
            if report.status != "failed":
                self._failures.pop(report.table, None)
                continue
            before = self._failures.get(report.table)
            times = before.times + 1 if before else 1
            retry_at = datetime.now(UTC) + timedelta(seconds=retry_after(times, self._settings))
            self._failures[report.table] = Failure(report.reason, times, retry_at)

    def _report_problem(self, error: Exception) -> float:
        """Says what went wrong outside of any table; returns the seconds to wait before the next look."""
        self._problems += 1
        wait = retry_after(self._problems, self._settings)
        text = str(error) if isinstance(error, HeadgateError) else f"{type(error).__name__}: {error}"
        click.echo(f"error: {text}\n  trying again in {wait:.0f} s", err=True)
        self._put("retrying", problem=text)
        return wait

    def _why_restart(self, session: SparkSession, *, ran: bool) -> str:
        from headgate.engine.runtime.jvm_access import is_alive

        if not is_alive(session):
            return "Spark is gone"
        if project_files(self._target.project) != self._files:
            return "a file of the project changed"
        limit = memory_limit(self._settings)
        if ran and self._state.memory_mb * 2**20 > limit:
            return f"memory is {self._state.memory_mb:,} MB, above {limit / 2**20:,.0f} MB"
        return ""

    def _put(self, state: str, **changes: Any) -> None:
        """Describes the application in the lake, where that is new or was not renewed for a while."""
        from headgate.cli.watch.memory import used_bytes

        failing = {table: failure.as_dict() for table, failure in self._failures.items()}
        new = replace(self._state, **{"problem": "", **changes}, state=state, failing=failing)
        is_old = time.monotonic() - self._written_at > watchers.RENEWED_EVERY.total_seconds()
        if new != self._state or is_old:
            new = replace(new, at=watchers.moment(), memory_mb=used_bytes() >> 20)
            watchers.write(self._store, new)
            self._written_at = time.monotonic()
        self._state = new


def retry_after(times: int, settings: Watch) -> float:
    """Seconds until the next try of what failed `times` in a row: 5, 10, 20, ... up to `retry_seconds`."""
    return min(_FIRST_RETRY * 2 ** min(times - 1, 30), settings.retry_seconds)


def memory_limit(settings: Watch) -> float:
    """The bytes above which the application restarts."""
    from headgate.engine.runtime.session import driver_gigabytes

    return (settings.restart_memory_gb or driver_gigabytes() + 3) * _GB


def project_files(project: Project) -> dict[str, tuple[int, int]]:
    """Path -> time of change and size, of the files that say what is built and how."""
    result = {}
    for folder in ("conf", "jobs"):
        for path in (project.root / folder).rglob("*"):
            with suppress(OSError):
                if path.suffix in (".py", ".yaml", ".yml", ".json") and path.is_file():
                    facts = path.stat()
                    result[str(path)] = (facts.st_mtime_ns, facts.st_size)
    return result


def _restart(target: Target, reason: str) -> None:
    """Replaces this process by a new one of the same command. Within spark-submit exits with 75 instead."""
    from headgate.engine.runtime.jvm_access import end_jvm

    _say(target, f"restarting: {reason}")
    if target.environment.is_submitted:
        sys.exit(EXIT_RETRY)
    end_jvm()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _say(target: Target, text: str) -> None:
    """A line about the application itself: on standard error where standard output is JSON."""
    click.echo(f"headgate: {text} (process {os.getpid()})", err=target.as_json)
    sys.stdout.flush()
