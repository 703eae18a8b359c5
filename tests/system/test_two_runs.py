"""Two runs at the same time for the same tables, as real processes on a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine import model
from tests.engine.world import World, sale
from tests.system.runs import begin, sales_in

pytestmark = pytest.mark.long
TABLES = ("bronze.transactions", "silver.transactions", "gold.daily_store_sales", "silver.transaction_items")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = sales_in(tmp_path / "lake")
    world.upload([sale(1), sale(2), sale(3, day=2), "{broken"], key="first")
    return world


def test_each_tables_work_is_done_once_and_the_other_run_says_by_whom(world: World) -> None:
    """Both plan the same work; the second waits, finds it done, and starts no Spark."""
    runs = [begin(world, "--json") for _ in range(2)]
    ended = [(*run.communicate(timeout=180), run.returncode) for run in runs]
    assert [status for *_, status in ended] == [0, 0], ended
    (did, _, _), (result, waited, _) = sorted(ended, key=lambda item: '"run"' not in item[0])
    winner = json.loads(did)
    assert {t["table"] for t in winner["tables"] if t["status"] == "done"} == set(TABLES)
    details = {t["table"]: (t["status"], t["reason"]) for t in json.loads(result)["tables"]}
    assert {t: details[t] for t in TABLES} == dict.fromkeys(
        TABLES, ("current", f"run {winner['run']} committed version 0 first")
    )
    assert waited.endswith("is writing to the lake: waiting for it\n") and waited.count("\n") == 1
    assert {world.version(table) for table in TABLES} == {0}
    assert world.tables() == model.tables(world.sent)


def test_who_does_not_wait_is_told_which_process_writes(world: World) -> None:
    first = begin(world)
    while not (world.lake / ".headgate.lock").exists():
        assert first.poll() is None, first.communicate()
    second = begin(world, "--no-wait")
    output, errors = second.communicate(timeout=60)
    assert first.communicate(timeout=180) and first.returncode == 0
    assert (second.returncode, output) == (75, "")
    assert errors.startswith(f"error[lake-busy]: process {first.pid} is writing to the lake\n")
    assert world.tables() == model.tables(world.sent)
