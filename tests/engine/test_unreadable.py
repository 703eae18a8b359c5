"""An upload that is rejected as a whole: counted apart, and split again by the next run, replay or rebuild."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from headgate.cli.run_warnings import warn_of_unreadable
from headgate.engine.verbs.table_report import Report
from headgate.faults import VARIABLE
from headgate.reconcile import records
from headgate.views import quarantine
from headgate.views.status import status
from tests.engine.test_reconcile import findings
from tests.engine.world import World, edit_project, write_project

SILVER = "silver.orders"
CONTRACT = "conf/datasets/orders.yaml"
PROJECT = {
    "conf/environments/local.yaml": "lake: lake\nengine: local\n",
    CONTRACT: """
        apiVersion: v3.1.0
        kind: DataContract
        id: orders
        version: 1.0.0
        team: {name: Shop}
        schema:
          - name: orders
            properties:
              - {name: order_id, logicalType: string, required: true, primaryKey: true}
              - {name: total, logicalType: number, physicalType: "decimal(12,2)", required: true}
              - {name: note, logicalType: string, logicalTypeOptions: {maxLength: 3}}
        customProperties:
          - {property: headgate.format, value: csv}
          - {property: headgate.csv.delimiter, value: ","}
    """,
    "jobs/silver/orders.py": """
        from headgate import SOURCE, Changes, Merge, table

        @table("silver.orders", reads={"uploads": Changes("bronze.orders")}, writes=Merge(["order_id"]))
        def orders(uploads):
            '''One row per order.'''
            return uploads.select("order_id", "total", "note", SOURCE)
    """,
}
SEMICOLONS = b"order_id;total;note\no-1;1.50;a\no-2;2.50;b\no-3;3.50;too long\n"
COMMAS = b"order_id,total\no-9,9.00\n"


@pytest.fixture(scope="module")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One upload that fits the contract, one with semicolons, which is rejected as a whole."""
    root = tmp_path_factory.mktemp("shop")
    world = World(spark, write_project(root, PROJECT), root / "lake")
    world.land("orders", COMMAS, key="commas")
    world.land("orders", gzip.compress(SEMICOLONS, mtime=0), key="semicolons")
    world.run_well()
    return world


@pytest.fixture
def waiting(built: World, tmp_path: Path) -> World:
    return built.copy(tmp_path / "lake")


@pytest.fixture
def corrected(waiting: World, tmp_path: Path) -> World:
    """Under a contract with semicolons."""
    return edit_project(waiting, tmp_path / "project", CONTRACT, 'value: ","', 'value: ";"')


def ids(world: World) -> list[str]:
    return sorted(row["order_id"] for row in world.rows(SILVER))


def view(world: World) -> list[dict[str, Any]]:
    return quarantine.rejected(world.planner().ledger, world.graph.node(SILVER)).to_pylist()


def test_the_upload_is_counted_apart_with_its_bytes_and_records(built: World) -> None:
    [result] = view(built)
    assert result["record"] == 0
    assert result["why"].startswith("unparsable upload (another CSV header than the contract's: missing ['order_id'")
    counts = built.metadata(SILVER)["counts"]
    assert (counts["unreadable"], counts["unreadable_bytes"]) == (1, len(gzip.compress(SEMICOLONS, mtime=0)))
    assert counts["unreadable_records"] == 3
    assert (counts["records"], counts["unparsable"], counts["accepted"]) == (2, 1, 1)


def test_a_replay_under_the_corrected_contract_releases_its_records(corrected: World) -> None:
    report, result = corrected.runner().replay(SILVER)
    assert result is not None, report.error
    assert (result.records, result.released, result.stay) == (3, 2, 1)
    assert ids(corrected) == ["o-1", "o-2", "o-9"]
    assert [(row["record"], row["why"]) for row in view(corrected)] == [(2, "note maxLength: 3 (too long)")]
    assert findings(corrected) == {}


def test_a_rejected_record_of_a_split_upload_is_replayed_alone(corrected: World, tmp_path: Path) -> None:
    corrected.runner().replay(SILVER)
    edit_project(corrected, tmp_path / "project", CONTRACT, "maxLength: 3", "maxLength: 30")
    report, result = corrected.runner().replay(SILVER)
    assert result is not None, report.error
    assert (result.records, result.released) == (1, 1)
    assert ids(corrected) == ["o-1", "o-2", "o-3", "o-9"]


def test_a_rebuild_under_the_corrected_contract_has_the_same_rows(corrected: World) -> None:
    other = corrected.copy(corrected.lake.parent / "other")
    other.project, other.graph = corrected.project, corrected.graph
    other.run(SILVER, rebuild=True)
    corrected.runner().replay(SILVER)
    assert ids(other) == ["o-1", "o-2", "o-9"]
    assert corrected.contents([SILVER]) == other.contents([SILVER])


def test_status_quarantine_reconcile_and_run_tell_it_apart(waiting: World, capsys: pytest.CaptureFixture[str]) -> None:
    ledger, node = waiting.planner().ledger, waiting.graph.node(SILVER)
    size = len(gzip.compress(SEMICOLONS, mtime=0))
    whole = {"uploads": 1, "bytes": size, "records": 3, "uncounted": 0}
    [shown] = status(waiting.environment, waiting.graph, waiting.planner())["quarantine"]
    assert shown["whole"] == quarantine.totals(ledger, node)["whole"] == whole
    assert [finding.count for (_, kind), finding in findings(waiting).items() if kind == records.WHOLE.message] == [1]
    counts = {"unreadable": 1, "unreadable_bytes": size, "unreadable_records": 3}
    warn_of_unreadable([Report(SILVER, "done", counts=counts)])
    warning = capsys.readouterr().err
    assert f"warning: {SILVER}: 1 upload rejected as a whole ({size} bytes, 3 records)" in warning
    assert f"headgate quarantine replay {SILVER}" in warning


def test_an_upload_that_ends_its_worker_is_named_and_the_others_go_on(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, write_project(tmp_path / "shop", PROJECT), tmp_path / "lake")
    for number in range(3):
        world.land("orders", b"order_id,total\no-%d,1.00\n" % number, key=f"good-{number}")
    fatal = world.land("orders", COMMAS, key="fatal")
    spark.sparkContext.environment[VARIABLE] = f"splitting:{fatal}"
    try:
        world.run_well()
        world.land("orders", b"order_id,total\no-3,1.00\n", key="later")
        world.run_well()
        world.runner().replay(SILVER)
    finally:
        del spark.sparkContext.environment[VARIABLE]
    assert ids(world) == ["o-0", "o-1", "o-2", "o-3"]
    [result] = view(world)
    assert (result["upload"], result["why"].split(":")[0]) == (fatal, "unparsable upload (not split")
    assert findings(world).keys() <= {(SILVER, records.WHOLE.message)}


def test_a_replay_without_a_correction_changes_nothing(waiting: World) -> None:
    version = waiting.version(SILVER)
    report, result = waiting.runner().replay(SILVER)
    assert result is not None, report.error
    assert (result.released, waiting.version(SILVER)) == (0, version)
