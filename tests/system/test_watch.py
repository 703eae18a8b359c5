"""`headgate run --watch` as a real process on a folder: uploads become visible without a new process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.project import Project
from tests.engine import model
from tests.engine.world import World, sale
from tests.system.runs import begin, run, sales_in

_PATIENCE = 240.0
GOLD = "gold.daily_store_sales"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return sales_in(tmp_path / "lake")


@contextmanager
def watching(world: World, *options: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """An application that stays up within the block, and is killed after it where it still is."""
    process = begin(world, "--watch", *options, HEADGATE_WATCH_POLL_SECONDS="0.2", **variables)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits until a condition is met while the process lives."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.1)


def states(world: World) -> list[dict]:
    return [json.loads(path.read_text()) for path in (world.lake / "watch").glob("*.json")]


def is_idle(world: World, runs: int) -> Callable[[], bool]:
    return lambda: [(s["state"], s["runs"]) for s in states(world)] == [("idle", runs)]


def upload_now(world: World, records: list, key: str) -> None:
    world.upload(records, key=key, at=datetime.now(UTC))


def test_uploads_are_visible_in_gold_without_a_new_process_until_sigterm_ends_it(world: World) -> None:
    with watching(world) as process:
        until(is_idle(world, 0), process)
        for number in (1, 2):
            upload_now(world, [sale(number), sale(number + 10, day=2), "{broken"], key=f"upload-{number}")
            until(is_idle(world, number), process)
            assert world.tables() == model.tables(world.sent)
        assert [state["process"] for state in states(world)] == [process.pid]
        status, output, errors = run(world)  # the lock is free while the application waits
        assert (status, output) == (0, "nothing to do: every table is current\n"), errors
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.startswith("headgate: watching 5 tables of ")
    assert output.count("\nrun ") == 2 and output.endswith(f"headgate: stopped (process {process.pid})\n")
    assert states(world) == []


@pytest.mark.long
def test_ctrl_c_during_a_run_ends_it_after_the_tables_in_progress(world: World) -> None:
    upload_now(world, [sale(1), sale(2, day=2)], key="first")
    with watching(world) as process:
        until(lambda: any(state["state"] == "running" for state in states(world)), process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0, errors
    assert "skipped" in output and world.version(GOLD) == -1
    assert run(world)[0] == 0
    assert world.tables() == model.tables(world.sent)


@pytest.mark.long
@pytest.mark.parametrize("point", ["before_commit:silver.transactions", "after_commit:silver.transactions"])
def test_a_new_application_resumes_after_a_kill(world: World, point: str) -> None:
    upload_now(world, [sale(1), sale(2, day=2), "{broken"], key="first")
    with watching(world, HEADGATE_KILL_AT=point) as killed:
        assert killed.wait(_PATIENCE) == -signal.SIGKILL
    assert run(world, verb="status")[1].count("gone since about") == 1
    with watching(world) as process:
        until(is_idle_of(world, process.pid, runs=1), process)
        assert world.tables() == model.tables(world.sent)


@pytest.mark.long
def test_a_table_that_fails_is_retried_and_its_siblings_go_on(world: World, tmp_path: Path) -> None:
    """Once the author has corrected the function the application restarts by itself, as the same process."""
    root = tmp_path / "project"
    for folder in ("conf", "jobs"):
        shutil.copytree(world.project.root / folder, root / folder)
    world.project = Project(root)
    path = root / "jobs" / "silver" / "transaction_items.py"
    good = path.read_text()
    path.write_text(good.replace("return ", "raise ValueError('not yet')\n    return ", 1))
    with watching(world) as process:
        for number in (1, 2):
            upload_now(world, [sale(number)], key=f"upload-{number}")
            until(lambda n=number: len(world.rows(GOLD)) > 0 and world.version(GOLD) >= n - 1, process)
        until(lambda: bool(states(world)[0]["failing"]), process)
        failing = states(world)[0]["failing"]
        assert (
            list(failing) == ["silver.transaction_items"] and "not yet" in failing["silver.transaction_items"]["error"]
        )
        path.write_text(good)
        until(lambda: world.version("silver.transaction_items") >= 0, process)
        assert states(world)[0]["process"] == process.pid
        os.kill(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert "restarting: a file of the project changed" in output and process.returncode == 0
    assert world.tables() == model.tables(world.sent)


@pytest.mark.long
def test_the_application_restarts_when_its_memory_exceeds_the_limit(world: World) -> None:
    with watching(world, HEADGATE_WATCH_RESTART_MEMORY_GB="0.1") as process:
        for number in (1, 2):
            upload_now(world, [sale(number)], key=f"upload-{number}")
            until(lambda n=number: world.version(GOLD) >= n - 1, process)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "restarting: memory is" in output
    assert world.tables() == model.tables(world.sent)


def is_idle_of(world: World, process: int, runs: int) -> Callable[[], bool]:
    return lambda: any((s["process"], s["state"], s["runs"]) == (process, "idle", runs) for s in states(world))


@pytest.mark.parametrize("option", ["--rebuild", "--dry-run", "--no-wait"])
def test_options_of_a_single_run_are_refused(world: World, option: str) -> None:
    process = begin(world, "--watch", option)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and f"--watch and {option} do not go together" in errors
