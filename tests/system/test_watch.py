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
from tests.processes import children, command_of
from tests.system.runs import begin, run, run_well, sales_in

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


def is_idle_of(world: World, process: int, runs: int) -> Callable[[], bool]:
    return lambda: any((s["process"], s["state"], s["runs"]) == (process, "idle", runs) for s in states(world))


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


@pytest.mark.long
def test_the_application_restarts_when_its_spark_is_gone(world: World) -> None:
    with watching(world) as process:
        until(is_idle(world, 0), process)
        jvm = next(child for child in children(process.pid) if "java" in command_of(child))
        os.kill(jvm, signal.SIGKILL)
        upload_now(world, [sale(1)], key="first")
        until(lambda: world.version(GOLD) >= 0, process)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "restarting: Spark is gone" in output
    assert world.tables() == model.tables(world.sent)


@pytest.mark.parametrize("option", ["--rebuild", "--dry-run", "--no-wait"])
def test_options_of_a_single_run_are_refused(world: World, option: str) -> None:
    process = begin(world, "--watch", option)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and f"--watch and {option} do not go together" in errors


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake with an upload in every table, to be copied and never changed."""
    world = sales_in(tmp_path_factory.mktemp("built") / "lake")
    world.now = datetime.now(UTC)
    upload_now(world, [sale(1), sale(2), sale(3, day=2), "{broken"], key="first")
    run_well(world)
    return world


@pytest.fixture
def begun(built: World, tmp_path: Path) -> World:
    """A copy of that lake."""
    return built.copy(tmp_path / "lake")


def upload_second(world: World) -> None:
    """Corrects a sale, voids another, adds a third, and has a record that is rejected."""
    records = [sale(1, revised=1, total="11.00"), sale(2, revised=1, voided=True), sale(4, day=2), "{broken too"]
    upload_now(world, records, key="second")


def is_current(world: World, process: int) -> Callable[[], bool]:
    """Whether the application is idle, and the tables are those of all uploads."""
    return lambda: (
        any((s["process"], s["state"]) == (process, "idle") for s in states(world))
        and world.tables() == model.tables(world.sent)
    )


def require_each_upload_once(world: World) -> None:
    """The tables are those of the definitions, bronze has every upload once, and no table has work."""
    assert world.tables() == model.tables(world.sent)
    assert world.bronze_uploads() == sorted(sent.id for sent in world.sent)
    assert world.kinds() == {}
    status, output, errors = run(world, verb="reconcile")
    assert status == 0, output + errors


@pytest.mark.long
@pytest.mark.parametrize(
    "point",
    ["after_commit:bronze.transactions", "before_commit:gold.daily_store_sales", "after_commit:gold.daily_store_sales"],
)
def test_a_kill_in_the_middle_of_a_batch_loses_and_doubles_nothing(begun: World, point: str) -> None:
    with watching(begun, HEADGATE_KILL_AT=point) as killed:
        until(is_idle_of(begun, killed.pid, runs=0), killed)
        upload_second(begun)
        assert killed.wait(_PATIENCE) == -signal.SIGKILL
    upload_now(begun, [sale(5, day=3)], key="third")
    with watching(begun) as process:
        until(is_idle_of(begun, process.pid, runs=1), process)
    require_each_upload_once(begun)


@pytest.mark.long
def test_the_application_and_other_runs_wait_for_each_other(begun: World) -> None:
    """A process that is stopped by a signal keeps the lake's lock, so each meets the other at work."""
    with watching(begun) as process:
        until(is_idle_of(begun, process.pid, runs=0), process)
        upload_second(begun)
        until(lambda: states(begun)[0]["state"] == "running", process)
        with stopped(process):
            status, output, errors = run(begun, "--no-wait")
            assert (status, output) == (75, "")
            assert errors.startswith(f"error[lake-busy]: process {process.pid} is writing to the lake\n")
            other = begin(begun)
            assert other.stderr is not None
            assert other.stderr.readline() == f"process {process.pid} is writing to the lake: waiting for it\n"
        output, errors = other.communicate(timeout=_PATIENCE)
        assert other.returncode == 0 and "nothing to do: every table is current" in output, output + errors
        assert f"{GOLD}: run {states(begun)[0]['last_run']} committed version 1 first\n" in output
        assert begun.version(GOLD) == 1

        with stopped(process):
            upload_now(begun, [sale(5, day=3), "{broken again"], key="third")
            other = begin(begun)
            until(lambda: (begun.lake / ".headgate.lock").read_text() == str(other.pid), other)
            with stopped(other):
                process.send_signal(signal.SIGCONT)
                until(lambda: states(begun)[0]["state"] == "waiting for the lake", process)
                assert states(begun)[0]["problem"] == f"process {other.pid} is writing to the lake"
        output, errors = other.communicate(timeout=_PATIENCE)
        assert other.returncode == 0, output + errors
        assert begun.version(GOLD) == 2

        upload_now(begun, [sale(6, day=3)], key="fourth")
        until(is_current(begun, process.pid), process)
        assert begun.version(GOLD) == 3
    require_each_upload_once(begun)


@pytest.mark.long
def test_of_two_applications_the_other_goes_on_after_a_kill(begun: World) -> None:
    with watching(begun) as first, watching(begun) as second:
        for process in (first, second):
            until(is_idle_of(begun, process.pid, runs=0), process)
        upload_second(begun)
        until(lambda: any(state["state"] == "running" for state in states(begun)), first)
        busy = next(state["process"] for state in states(begun) if state["state"] == "running")
        killed, other = (first, second) if busy == first.pid else (second, first)
        killed.kill()
        upload_now(begun, [sale(5, day=3)], key="third")
        until(is_current(begun, other.pid), other)
    require_each_upload_once(begun)


@pytest.mark.long
def test_maintenance_while_uploads_arrive_changes_no_row(begun: World) -> None:
    orphan = Path(begun.path("silver.transactions")) / "part-of-a-killed-run.parquet"
    with watching(begun) as process:
        until(is_idle_of(begun, process.pid, runs=0), process)
        upload_second(begun)
        until(is_idle_of(begun, process.pid, runs=1), process)
        orphan.write_bytes(b"")
        os.utime(orphan, (0, 0))
        maintenance = begin(begun, "--cluster", verb="maintain", HEADGATE_TIME_TRAVEL_DAYS="0")
        number = 10
        while maintenance.poll() is None:
            upload_now(begun, [sale(number, day=number % 3 + 1), "{broken"], key=f"upload-{number}")
            number += 1
            time.sleep(3)
        output, errors = maintenance.communicate()
        assert maintenance.returncode == 0, output + errors
        until(is_current(begun, process.pid), process)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert not orphan.exists()
    operations = [commit.operation for commit in begun.planner().ledger.history("silver.transactions")]
    assert "OPTIMIZE" in operations and "VACUUM END" in operations
    assert process.returncode == 0 and "rebuild" not in output and "error" not in errors
    require_each_upload_once(begun)


@pytest.mark.long
def test_a_rolled_back_table_is_brought_up_to_date_with_or_without_an_upload(begun: World) -> None:
    before = model.tables(begun.sent)
    with watching(begun, HEADGATE_WATCH_PLAN_SECONDS="1") as process:
        until(is_idle_of(begun, process.pid, runs=0), process)
        upload_second(begun)
        until(is_current(begun, process.pid), process)
        with stopped(process):  # between two runs: it has no lock, and cannot go on before the rows are looked at
            roll_back(begun, "silver.transactions")
            now = begun.tables()
            of_silver = ("transactions", "sources", "rejected", "receipts")
            assert {name: now[name] for name in of_silver} == {name: before[name] for name in of_silver}
            assert now["gold"] == model.tables(begun.sent)["gold"]
            upload_now(begun, [sale(5, day=3)], key="third")
        until(is_current(begun, process.pid), process)
        version = begun.version(GOLD)
        roll_back(begun, GOLD)
        until(lambda: begun.version(GOLD) == version + 2, process)
        until(is_current(begun, process.pid), process)
    require_each_upload_once(begun)


def roll_back(world: World, table: str) -> None:
    status, output, errors = run(world, table, "--to", "0", verb="rollback")
    assert status == 0, output + errors


@contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    """A process that does nothing within the block, and keeps its locks."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
