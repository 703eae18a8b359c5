"""Readers on a folder, during a run and maintenance: none fails, and each sees a complete version of the table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from headgate.engine.verbs.maintain import Done, maintain
from headgate.planning import retention
from headgate.planning.retention import upkeep_of
from tests.engine import model
from tests.engine.world import World, sale

pytestmark = pytest.mark.long

BRONZE, SILVER, ITEMS, GOLD = (
    "bronze.transactions",
    "silver.transactions",
    "silver.transaction_items",
    "gold.daily_store_sales",
)
READ = {SILVER: "transactions", ITEMS: "items", GOLD: "gold"}
AGE = timedelta(days=30)


@pytest.fixture
def old(two_runs: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The lake of two runs as if they had been a month ago: files and logs of the first run can be removed."""
    world = two_runs.copy(tmp_path / "lake")
    for table in (BRONZE, *READ):
        make_old(Path(world.path(table)))
        world.planner().ledger.open(table).create_checkpoint()
    monkeypatch.setattr(retention, "SMALL_FILES", 2)
    world.now = datetime.now(UTC)
    return world


def make_old(table: Path) -> None:
    """Puts a table's commits, and the times of its files, back by `AGE`."""
    for log in sorted((table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        for action in actions:
            for part, name in (("commitInfo", "timestamp"), ("remove", "deletionTimestamp")):
                if name in action.get(part, {}):
                    action[part][name] -= int(AGE.total_seconds() * 1000)
        log.write_text("".join(json.dumps(action) + "\n" for action in actions))
        (log.parent / f".{log.name}.crc").unlink(missing_ok=True)
    for file in table.rglob("*"):
        at = file.stat().st_mtime - AGE.total_seconds()
        os.utime(file, (at, at))


def maintained(world: World, table: str) -> Done:
    ledger, now = world.planner().ledger, datetime.now(UTC)
    upkeep = upkeep_of(ledger, world.graph, world.environment, table, now)
    return maintain(world.spark, ledger, world.graph, world.environment, upkeep, now, cluster=table in (SILVER, ITEMS))


def rows_of(world: World, table: str) -> list[dict[str, Any]]:
    """The live rows as another process reads them, with deltalake, in the model's order."""
    keys = {
        SILVER: lambda row: row["transaction_id"],
        ITEMS: lambda row: (row["transaction_id"], row["line"]),
        GOLD: lambda row: (row["sale_date"], row["store_id"], row["currency"]),
    }
    return sorted(world.rows(table), key=keys[table])


def pinned_rows(world: World, table: str, version: int) -> set[str]:
    """A version's rows as Spark reads them, in a session of its own."""
    reader = world.spark.newSession().read.format("delta").option("versionAsOf", version)
    return {str(row) for row in reader.load(world.path(table)).collect()}


def read_until(done: Event, read: Callable[[], Any]) -> list[Any]:
    """What each of many readings gave, until it is over."""
    results = [read()]
    while not done.is_set():
        results.append(read())
    return results


def test_no_reader_fails_or_sees_half_while_runs_and_maintenance_go_on(old: World) -> None:
    pins = {table: old.version(table) for table in READ}
    pinned = {table: pinned_rows(old, table, pin) for table, pin in pins.items()}
    states, done, kept = [model.tables(old.sent)], Event(), []
    with ThreadPoolExecutor(2) as pool:
        heads: Future = pool.submit(read_until, done, lambda: {table: rows_of(old, table) for table in READ})
        past: Future = pool.submit(
            read_until, done, lambda: {table: pinned_rows(old, table, pin) for table, pin in pins.items()}
        )
        try:
            for number in range(3):
                old.upload([sale(1, revised=3 + number, total=f"2{number}.00"), sale(30 + number)], key=f"new {number}")
                states.append(model.tables(old.sent))
                old.run_well()
                kept += [maintained(old, table) for table in (BRONZE, *READ)]
        finally:
            done.set()
        heads_seen, past_seen = heads.result(), past.result()
    assert all(seen == pinned for seen in past_seen)
    for table, name in READ.items():
        wanted = [state[name] for state in states]
        order = [wanted.index(seen[table]) for seen in heads_seen]  # fails for an incomplete version
        assert order == sorted(order)
    assert old.tables() == states[-1]
    assert len(heads_seen) > 20 and len(past_seen) > 5
    did = {
        table: (
            sum(k.removed_files for k in kept if k.table == table),
            sum(k.removed_logs for k in kept if k.table == table),
        )
        for table in READ
    }
    assert all(files > 0 and logs > 0 for files, logs in did.values()), did  # there was something to fail by
