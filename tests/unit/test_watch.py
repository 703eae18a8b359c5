"""The parts of `headgate run --watch` that need no Spark: arrivals, retries, and what an application says of itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore

from headgate.cli.watch.memory import used_bytes
from headgate.cli.watch.watcher import project_files, retry_after
from headgate.contracts.watch import Watch
from headgate.lake import watchers
from headgate.lake.arrivals import Arrivals
from headgate.lake.upload_identity import Upload, whole_hour
from headgate.project import Project

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


def land(lake: Path, key: str, dataset: str = "sales") -> None:
    path = lake / Upload(dataset, "store-1", whole_hour(NOW), key.rjust(32, "0")).path(".jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")


def test_a_look_counts_the_uploads_that_the_last_look_did_not_show(tmp_path: Path) -> None:
    arrivals = Arrivals(LocalStore(tmp_path, mkdir=True), ["sales"], timedelta(hours=26), lambda: NOW)
    assert arrivals.look() == 0
    land(tmp_path, "a")
    land(tmp_path, "b")
    land(tmp_path, "c", dataset="stock")
    assert [arrivals.look(), arrivals.look()] == [2, 0]
    land(tmp_path, "d")
    assert arrivals.look() == 1


def test_the_time_before_a_retry_doubles_up_to_the_limit() -> None:
    settings = Watch(retry_seconds=60)
    assert [retry_after(times, settings) for times in (1, 2, 3, 4, 5, 99)] == [5, 10, 20, 40, 60, 60]


def test_a_state_is_read_as_it_was_written_until_it_is_removed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    state = watchers.WatchState(started=watchers.moment(NOW), at=watchers.moment(NOW), state="idle", runs=3)
    watchers.write(store, state)
    (row,) = watchers.read_all(store, NOW)
    assert (row["process"], row["state"], row["runs"], row["gone"]) == (os.getpid(), "idle", 3, False)
    watchers.remove(store, state)
    assert watchers.read_all(store, NOW) == []


@pytest.mark.parametrize(
    ("host", "process", "later"),
    [(socket.gethostname(), 2**22 + 1, 0), ("another", 1, 121), (socket.gethostname(), os.getpid(), 121)],
    ids=["its process ended", "another host, old", "this host, old"],
)
def test_an_application_is_gone_when_its_process_ended_or_its_state_is_old(
    tmp_path: Path, host: str, process: int, later: int
) -> None:
    store = LocalStore(tmp_path)
    watchers.write(store, watchers.WatchState(host=host, process=process, at=watchers.moment(NOW)))
    (row,) = watchers.read_all(store, NOW + timedelta(seconds=later))
    assert row["gone"]


def test_a_changed_or_new_file_of_the_project_shows(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.py").write_text("1")
    before = project_files(Project(tmp_path))
    (tmp_path / "jobs" / "notes.txt").write_text("no code")
    assert project_files(Project(tmp_path)) == before
    (tmp_path / "jobs" / "a.py").write_text("12")
    assert project_files(Project(tmp_path)) != before


def test_the_memory_is_at_least_that_of_this_process() -> None:
    assert used_bytes() > 2**20


RESTARTING = """
import os, signal, sys
from headgate.cli.watch.watcher import StopSignals
stop = StopSignals()
stop.listen()
if sys.argv[1] == "first":
    assert not stop.is_set_after_blocking()
    os.kill(os.getpid(), signal.SIGTERM)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-1], "second"])
print(stop.is_set)
"""


def test_a_signal_during_a_restart_reaches_the_new_program():
    done = subprocess.run([sys.executable, "-c", RESTARTING, "first"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
