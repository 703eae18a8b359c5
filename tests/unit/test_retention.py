"""How far back files and logs are kept: as far as a table that reads them, or promised time travel, needs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from headgate.planning.retention import Bound, bound_of, expired_logs
from tests.unit.lake import Lake

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """silver.sales with five versions, an hour apart up to now; gold.daily and silver.lines have read the newest."""
    lake = Lake(tmp_path)
    lake.bronze(lake.land("first"))
    for number in range(5):
        lake.sales([(f"s-{number}", "north", 1, "upload")])
    for version in range(5):
        committed_at(lake, "silver.sales", version, NOW - (4 - version) * HOUR)
    return lake


def committed_at(lake: Lake, table: str, version: int, at: datetime) -> None:
    """Rewrites when a commit was made, as its log tells it."""
    log = Path(lake.environment.table_uri(table)) / "_delta_log" / f"{version:020d}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "commitInfo" in action:
            action["commitInfo"]["timestamp"] = round(at.timestamp() * 1000)
    log.write_text("\n".join(map(json.dumps, actions)))


def bound(lake: Lake, time_travel: timedelta = timedelta()) -> Bound:
    return bound_of(lake.ledger, lake.graph, lake.ledger.head("silver.sales"), NOW, time_travel)


def read_up_to(lake: Lake, version: int) -> None:
    """silver.lines has read all of silver.sales, gold.daily up to a version."""
    position = {"silver.sales": {"id": lake.ledger.head("silver.sales").id, "version": version}}
    lake.lines([("s-0", "a")])
    lake.daily([(1, "north")], position=position)


def test_what_a_reader_has_yet_to_read_is_kept(lake: Lake) -> None:
    read_up_to(lake, 1)
    kept = bound(lake)
    assert (kept.version, kept.time, kept.needed_by) == (1, NOW - 3 * HOUR, "gold.daily")


def test_promised_time_travel_keeps_the_version_that_was_the_newest_then(lake: Lake) -> None:
    read_up_to(lake, 4)
    kept = bound(lake, timedelta(hours=2, minutes=30))
    assert (kept.version, kept.needed_by) == (1, "time travel")


def test_the_version_before_the_newest_is_kept_for_the_tables_own_position(lake: Lake) -> None:
    read_up_to(lake, 4)
    assert bound(lake).version == 3


def test_a_reader_that_is_not_built_keeps_nothing(lake: Lake) -> None:
    assert bound(lake).version == 3


@pytest.mark.parametrize("minutes", [0, 1, 59])
def test_files_are_kept_at_least_an_hour_beyond_the_bound(minutes: int) -> None:
    """A host's clock may be late, and a run that began before the bound still reads the files of its version."""
    since = timedelta(hours=5, minutes=minutes)
    assert timedelta(hours=Bound(1, NOW - since, "x").hours(NOW)) >= since + HOUR


def test_no_log_goes_that_the_bound_or_a_later_version_needs(lake: Lake) -> None:
    uri = lake.environment.table_uri("silver.sales")
    DeltaTable(uri, version=2).create_checkpoint()
    DeltaTable(uri).create_checkpoint()
    by_bound = {v: expired_logs(lake.environment, "silver.sales", Bound(v, NOW, "x")) for v in (1, 2, 3, 4)}
    numbers = {v: sorted({int(Path(path).name[:20]) for path in paths}) for v, paths in by_bound.items()}
    assert numbers == {1: [], 2: [0, 1], 3: [0, 1], 4: [0, 1, 2, 3]}
