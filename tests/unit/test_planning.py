"""What a planner decides from the logs and the listing alone: which uploads are new, and when a table is rebuilt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from headgate.cli.plan import next_step
from headgate.ledger.ledger import Head
from headgate.planning.plan import Kind, Planner, Work
from tests.unit.lake import Lake

LISTED = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def planned(lake: Lake, table: str) -> Work:
    return Planner(lake.environment, lake.graph, clock=lambda: LISTED).plan_table(table)


def new_uploads(lake: Lake) -> set[str]:
    return {landed.upload for landed in planned(lake, "bronze.sales").landed}


@pytest.mark.parametrize("late", [timedelta(minutes=64), timedelta(hours=25)])
def test_an_upload_that_was_listed_late_is_seen_by_the_next_run(lake: Lake, late: timedelta) -> None:
    """An upload is acknowledged under an hour that has passed: the listing before began without it."""
    lake.commit_bronze(LISTED, lake.land("first", LISTED))
    missed = lake.land("missed", LISTED - late)
    assert new_uploads(lake) == {missed}


def test_an_upload_before_the_lookback_is_not_listed_without_a_marker(lake: Lake) -> None:
    lake.commit_bronze(LISTED, lake.land("first", LISTED))
    lake.land("older", LISTED - timedelta(hours=28))
    assert new_uploads(lake) == set()


def test_an_upload_in_bronze_is_not_taken_in_again(lake: Lake) -> None:
    upload = lake.land("first", LISTED)
    lake.commit_bronze(LISTED, upload)
    assert planned(lake, "bronze.sales").kind is Kind.CURRENT


def test_a_first_run_lists_all_that_ever_landed(lake: Lake) -> None:
    uploads = {lake.land(f"key-{days}", LISTED - timedelta(days=days)) for days in (0, 1, 400)}
    assert new_uploads(lake) == uploads


def test_nothing_new_is_nothing_to_do(lake: Lake) -> None:
    lake.built()
    assert {planned(lake, table).kind for table in ("silver.sales", "gold.daily")} == {Kind.CURRENT}


def test_a_source_that_is_another_table_rebuilds(lake: Lake) -> None:
    lake.built()
    position = {"silver.sales": {"id": "another table", "version": 0}}
    lake.daily([(1, "north")], position=position)
    work = planned(lake, "gold.daily")
    assert (work.kind, work.reason) == (Kind.REBUILD, "silver.sales is another table than before")


def test_a_source_that_went_back_rebuilds(lake: Lake) -> None:
    lake.built()
    head = lake.ledger.head("silver.sales")
    lake.daily([(1, "north")], position={"silver.sales": {"id": head.id, "version": head.version + 1}})
    assert planned(lake, "gold.daily").reason == "silver.sales went back behind version 1"


def test_rows_that_went_away_from_an_insert_only_source_rebuild(lake: Lake) -> None:
    lake.built()
    DeltaTable(lake.environment.table_uri("bronze.sales")).delete("_state = 'live'")
    assert planned(lake, "silver.sales").reason == "rows went away from bronze.sales"


def test_a_source_whose_log_was_cleaned_up_rebuilds(lake: Lake) -> None:
    lake.built()
    for number in (2, 3):
        lake.sales([(f"s-{number}", "north", number, "upload")])
    uri = lake.environment.table_uri("silver.sales")
    DeltaTable(uri).create_checkpoint()
    for version in (0, 1):
        (Path(uri) / "_delta_log" / f"{version:020d}.json").unlink()
    assert planned(lake, "gold.daily").reason == "the log of silver.sales after version 0 was cleaned up"


def test_a_source_that_is_partitioned_in_another_way_rebuilds(lake: Lake) -> None:
    """The change feed reads the files of all versions by the partition columns of the newest one."""
    lake.built()
    uri = lake.environment.table_uri("silver.sales")
    rows = DeltaTable(uri).to_pyarrow_table()
    head = lake.ledger.head("silver.sales")
    assert head.commit is not None
    assert head.metadata is not None
    carried = CommitProperties(custom_metadata={"userMetadata": head.metadata.to_json()})
    options = {"mode": "overwrite", "schema_mode": "overwrite", "partition_by": ["_state"]}
    write_deltalake(uri, pa.table(rows), commit_properties=carried, **options)  # type: ignore[call-overload]
    assert planned(lake, "gold.daily").reason == "the partitions of silver.sales changed"


def test_a_vacuumed_source_rebuilds_where_its_change_data_is_gone(lake: Lake) -> None:
    lake.built()
    lake.daily([(1, "north")])
    uri = lake.environment.table_uri("silver.sales")
    lake.sales([("s-2", "south", 2, "upload")])
    DeltaTable(uri).delete("day = '2026-03-02'")
    DeltaTable(uri).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert planned(lake, "gold.daily").reason == "change data of silver.sales after version 0 was vacuumed"


def work_of(table: str, kind: Kind) -> Work:
    return Work(table, kind, "", Head(table, "", 0, "id", 0))


@pytest.mark.parametrize(
    ("works", "advice"),
    [
        ([("gold.a", Kind.CURRENT)], "nothing to do"),
        ([("gold.a", Kind.INCREMENT)], "next: headgate run"),
        (
            [("silver.a", Kind.REFUSED)],
            "next: take the changes of the contract back, or headgate run --rebuild -s silver.a",
        ),
        (
            [("silver.a", Kind.REFUSED), ("silver.b", Kind.INCREMENT)],
            "next: headgate run --exclude silver.a; take the changes of the contract back, "
            "or headgate run --rebuild -s silver.a",
        ),
    ],
)
def test_the_next_step_of_a_plan_can_succeed(works: list[tuple[str, Kind]], advice: str) -> None:
    assert next_step([work_of(table, kind) for table, kind in works]).strip() == advice
