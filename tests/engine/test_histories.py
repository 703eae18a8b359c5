"""Whole histories: whatever was sent, run, killed, rolled back and maintained, a clean run gives the defined tables.

HEADGATE_HISTORIES is how many histories are tried; each is a list of steps on the club's project.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from headgate.engine.verbs.maintain import maintain
from headgate.engine.verbs.rollback import roll_back
from headgate.engine.verbs.table_report import Report
from headgate.errors import UsageError
from headgate.planning import retention
from headgate.testing.faults import Killed, killing_at
from tests.engine import club_model
from tests.engine.club import FED, GOLD, JUDGES, assert_counts_balance, club, member, scan, tables, visit
from tests.engine.test_position import clean_up_log
from tests.engine.world import NOON, World

pytestmark = pytest.mark.long

HISTORIES = int(os.environ.get("HEADGATE_HISTORIES", "1"))
BRONZES = ("bronze.members", "bronze.visits", "bronze.scans")
BUILT = (*JUDGES, *FED, *GOLD)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

Step = tuple[Any, ...]

BROKEN = {
    "members": ["{broken", {"member_id": "m"}],
    "visits": ["{broken", visit("v1", amount=1.234), {"visit_id": "v1", "revision": 1}],
    "scans": ["{broken", scan("s1", "x", None)],
}
#: Table -> the slices that a backfill asks for.
SLICES = {
    "gold.members": "member_id = 'm'",
    "gold.member_value": "member_id IS NULL OR member_id = 'x'",
    "gold.daily": "day IS NULL",
    "gold.daily_known": "day = DATE'2026-03-01' OR day IS NULL",
}
RECORDS = {
    "members": st.builds(
        member,
        st.sampled_from("mn"),
        st.integers(1, 3),
        st.sampled_from(["A", "B", None]),
        level=st.sampled_from(["one", "two"]),
        gone=st.booleans(),
    ),
    "visits": st.builds(
        visit,
        st.sampled_from(["v1", "v2", "v3"]),
        st.sampled_from(["m", "n", "x", None]),
        st.sampled_from([1, 2, None]),
        revision=st.integers(1, 2),
        amount=st.sampled_from([1.5, 2]),
        void=st.booleans(),
    ),
    "scans": st.builds(
        lambda name, codes: scan(name, *codes),
        st.sampled_from(["s1", "s2"]),
        st.lists(st.sampled_from(["x", "y", ""]), max_size=3),
    ),
}


def uploads(dataset: str) -> st.SearchStrategy[Step]:
    record = st.one_of(RECORDS[dataset], RECORDS[dataset], RECORDS[dataset], st.sampled_from(BROKEN[dataset]))
    received = st.sampled_from([timedelta(0), MINUTE, -3 * DAY])  # in the same second, later, and late
    records = st.lists(record, min_size=1, max_size=4) if dataset != "scans" else st.lists(record, max_size=3)
    return st.tuples(st.just("land"), st.just(dataset), records, received)


LANDING = st.one_of(*(uploads(dataset) for dataset in RECORDS))
RUNNING = st.one_of(
    st.just(("run",)),
    st.tuples(st.just("run_one"), st.sampled_from((*BRONZES, *BUILT))),
    st.tuples(st.just("killed"), st.sampled_from(["before", "after"]), st.sampled_from((*BRONZES, *BUILT))),
)
DONE_TO_IT = st.one_of(
    st.tuples(st.just("restore"), st.sampled_from((*BRONZES, *BUILT))),
    st.tuples(st.just("restore"), st.sampled_from((*JUDGES, *FED))),
    st.tuples(st.just("optimize"), st.sampled_from((*BRONZES, *BUILT))),
    st.tuples(st.just("clean_up"), st.sampled_from((*BRONZES, *BUILT))),
    st.tuples(st.just("rebuild"), st.sampled_from(BUILT)),
    st.tuples(st.just("rollback"), st.sampled_from((*BRONZES, *BUILT))),
    st.tuples(st.just("backfill"), st.sampled_from((*JUDGES, *FED))),
    st.tuples(st.just("backfill_slices"), st.sampled_from(sorted(SLICES))),
    st.tuples(st.just("maintain"), st.sampled_from((*BRONZES, *BUILT))),
)
#: A history begins on the lake of a run, or on an empty lake; a run often follows before more uploads land.
HISTORY = st.tuples(
    st.sampled_from([True, True, False]),
    st.lists(st.one_of(LANDING, LANDING, RUNNING, RUNNING, DONE_TO_IT), min_size=6, max_size=12),
)

#: A history with every kind of step, so that each is taken however few are drawn.
EVERYTHING: tuple[bool, list[Step]] = (
    True,
    [
        ("land", "visits", [visit("v1", revision=2, void=True), visit("v3", "m", 2), "{broken"], MINUTE),
        ("land", "scans", [scan("s1", "y", "x"), scan("s2")], MINUTE),
        ("killed", "after", "silver.scans"),
        ("restore", "silver.scans"),
        ("run",),
        ("land", "members", [member("m", 2, None), member("n", 3, gone=True)], -3 * DAY),
        ("land", "visits", [visit("v2", "n", 2, revision=2)], MINUTE),
        ("killed", "before", "gold.member_value"),
        ("rollback", "silver.visits"),
        ("clean_up", "silver.members"),
        ("run_one", "silver.visits"),
        ("optimize", "silver.visits"),
        ("backfill", "silver.visits"),
        ("restore", "gold.members"),
        ("backfill_slices", "gold.daily"),
        ("rebuild", "silver.scans"),
        ("maintain", "silver.scans"),
    ],
)


@dataclass
class Tried:
    """What was tried."""

    histories: int = 0
    steps: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        text = ", ".join(f"{count} {name}" for name, count in sorted(self.steps.items()))
        return f"{self.histories} histories, {self.steps.total()} steps: {text}"


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Iterator[Tried]:
    """The examples of a test, printed after all tests."""
    result = Tried()
    yield result
    record_property("tried", str(result))


@pytest.fixture(scope="module")
def begun(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The club after one run, to be copied and never changed."""
    world = club(spark, tmp_path_factory.mktemp("begun") / "lake")
    world.records("members", [member("m", 1), member("m", 3, "B"), member("n", 2)], key="first")
    world.records("visits", [visit("v1"), visit("v2", "x", None), "{broken"], key="first")
    world.records("scans", [scan("s1", "x", "y", "x"), scan("s2", "")], key="first")
    world.run_well()
    return world


@settings(
    derandomize="HEADGATE_HISTORIES_SEED" not in os.environ,
    max_examples=HISTORIES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
@example(EVERYTHING)
@given(HISTORY)
def test_a_clean_run_after_any_history_gives_the_tables_of_the_definitions(
    spark: SparkSession,
    begun: World,
    tmp_path_factory: pytest.TempPathFactory,
    tried: Tried,
    history: tuple[bool, list[Step]],
) -> None:
    on_begun, steps = history
    lake = tmp_path_factory.mktemp("history") / "lake"
    world = begun.copy(lake) if on_begun else club(spark, lake)
    tried.histories += 1
    for number, (name, *arguments) in enumerate(steps):
        note(f"{name} {arguments}")
        if STEPS[name](world, number, *arguments):
            tried.steps[name] += 1
    world.run_well()
    assert tables(world) == club_model.tables(world.sent)
    assert_counts_balance(world)
    assert world.kinds() == {}


def land(world: World, number: int, dataset: str, records: list[Any], received: timedelta) -> bool:
    world.records(dataset, records, key=f"step-{number}", at=NOON + received)
    return True


def run(world: World, _: int) -> bool:
    world.run_well()
    world.now += 2 * DAY  # further than a listing looks back: uploads are listed by their late markers
    return True


def run_one(world: World, _: int, table: str) -> bool:
    world.run_well(table)
    return True


def killed(world: World, _: int, when: str, table: str) -> bool:
    """A run that dies at a point, if it comes there."""
    try:
        with killing_at(f"{when}_commit:{table}", world.graph):
            world.run_well()
    except Killed:
        return True
    return False


def restore(world: World, _: int, table: str) -> bool:
    """A RESTORE to the previous version, by hand, if that version can still be read."""
    version = world.version(table)
    if version < 1 or not can_be_read(world, table, version - 1):
        return False
    world.delta(table).restoreToVersion(version - 1)
    return True


def can_be_read(world: World, table: str, version: int) -> bool:
    log = Path(world.path(table)) / "_delta_log"
    checkpoints = [int(path.name[:20]) for path in log.glob("*.checkpoint.parquet")]
    start = max((at for at in checkpoints if at <= version), default=-1)
    return all((log / f"{number:020d}.json").exists() for number in range(start + 1, version + 1))


def optimize(world: World, _: int, table: str) -> bool:
    if world.version(table) < 0:
        return False
    world.delta(table).optimize().executeCompaction()
    return True


def clean_up(world: World, _: int, table: str) -> bool:
    if world.version(table) < 0:
        return False
    clean_up_log(world, table)
    return True


def rebuild(world: World, _: int, table: str) -> bool:
    [report] = world.run(table, rebuild=True).values()
    assert report.status in ("done", "current"), report.error
    return report.status == "done"


def rollback(world: World, _: int, table: str) -> bool:
    """`headgate rollback` to the previous version, if that version can still be read."""
    ledger = world.planner().ledger
    head = ledger.head(table)
    if head.version < 1 or not can_be_read(world, table, head.version - 1):
        return False
    try:
        roll_back(world.spark, ledger, head, head.version - 1)
    except UsageError as error:
        assert "is not known" in error.message  # its position was lost, by a log clean-up
        return False
    return True


def backfill(world: World, _: int, table: str) -> bool:
    """Every second upload that the table may have read."""
    dataset = table.partition(".")[2] if table in JUDGES else "scans"
    of_dataset = [sent.id for sent in world.sent if sent.id.startswith(f"{dataset}.")]
    return backfilled(world.runner().backfill(table, uploads=of_dataset[::2]))


def backfill_slices(world: World, _: int, table: str) -> bool:
    return backfilled(world.runner().backfill(table, condition=SLICES[table]))


def backfilled(report: Report) -> bool:
    """Whether there was a position to stay at; anything else has to go well."""
    if report.status == "failed":
        assert "cannot be backfilled" in report.reason, report.error
        return False
    return True


def maintain_table(world: World, _: int, table: str) -> bool:
    """`headgate maintain` without promised time travel, so that it removes all it may."""
    if world.version(table) < 0:
        return False
    now, ledger = datetime.now(UTC), world.planner().ledger
    environment = replace(world.environment, time_travel=timedelta(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "SMALL_FILES", 2)
        upkeep = retention.upkeep_of(ledger, world.graph, environment, table, now)
        maintain(world.spark, ledger, world.graph, environment, upkeep, now)
    return True


STEPS: dict[str, Callable[..., bool]] = {
    "land": land,
    "run": run,
    "run_one": run_one,
    "killed": killed,
    "restore": restore,
    "optimize": optimize,
    "clean_up": clean_up,
    "rebuild": rebuild,
    "rollback": rollback,
    "backfill": backfill,
    "backfill_slices": backfill_slices,
    "maintain": maintain_table,
}
