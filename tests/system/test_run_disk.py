"""A run on a disk that is full or read-only: a clear error, tables as they were or whole, and the next run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import model
from tests.engine.world import World, sale
from tests.system.disks import Disk, small_disk
from tests.system.runs import run, run_well, sales_in

pytestmark = pytest.mark.long


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", megabytes=8) as mounted:
        yield mounted


@pytest.fixture
def world(disk: Disk) -> World:
    """A lake on the disk, with a run behind it and an upload before it."""
    world = sales_in(disk.folder / "lake")
    world.upload([sale(1), sale(2), sale(3, day=2), "{broken"], key="first")
    run_well(world)
    world.now = world.now.now(world.now.tzinfo)
    world.upload([sale(1, revised=1, total="11.00"), sale(2, revised=1, voided=True), sale(4, day=2)], key="second")
    return world


def test_a_full_disk_is_named_and_every_table_stays_readable_and_whole(world: World, disk: Disk) -> None:
    """With less and more room the run gets to different tables. A table has all of the second upload, or none."""
    before, after = model.tables(world.sent[:1]), model.tables(world.sent)
    for room in (65_536, 0):
        disk.fill(leave=room)
        status, output, errors = run(world)
        assert status == 1, output
        assert "error[storage]" in errors and "No space left on device" in errors and str(disk.folder) in errors
        assert "Traceback" not in errors and "Exception" not in errors
        tables = world.tables()
        assert all(tables[name] in (before[name], after[name]) for name in tables)
        disk.empty()
    run_well(world)
    assert world.tables() == after


def test_a_full_disk_of_sparks_own_is_named(world: World, tmp_path: Path) -> None:
    with small_disk(tmp_path / "scratch", megabytes=2) as scratch:
        scratch.fill()
        spark = f"{{spark.master: 'local[2]', spark.driver.memory: 1g, spark.local.dir: {scratch.folder}}}"
        status, _, errors = run(world, HEADGATE_SPARK=spark)
    assert status == 1
    assert "error[storage]" in errors and "spark.local.dir" in errors and "Traceback" not in errors
    run_well(world)
    assert world.tables() == model.tables(world.sent)


def test_a_read_only_lake_is_refused_before_spark_starts(world: World, disk: Disk) -> None:
    disk.make("ro")
    status, output, errors = run(world)
    assert (status, output) == (1, "")
    assert errors.startswith(f"error[storage]: {world.lake}: the lake cannot be written: Read-only file system")
    disk.make("rw")
    run_well(world)
    assert world.tables() == model.tables(world.sent)
