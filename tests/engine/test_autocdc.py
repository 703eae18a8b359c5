"""The public examples of Lakeflow AUTO CDC by real runs: docs.databricks.com/aws/en/ldp/cdc.

Eight events have 40,320 orders, and each order can come in 128 batchings. All orders are sent at once,
as separate users, each with its own batching. Eight uploads hold the first batch of every order, then the second, and
so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from headgate.engine.read.changes import live
from tests.contracts import json_lines
from tests.engine.test_history import EVENTS, PUBLISHED
from tests.engine.world import NOON, World, write_project

pytestmark = pytest.mark.long

NAMES = ("id", "name", "city", "operation", "sequence")  # of an event's parts
CURRENT = [(124, "Raul", "Oaxaca"), (125, "Mercedes", "Guadalajara"), (126, "Lily", "Cancun")]
#: The tables of SCD type 2, and the columns whose changes they track.
HISTORIES = {"history": None, "names": ("name",)}

GOLD = """
    from headgate import Affected, History, table

    @table(
        "gold.{name}",
        reads={{"versions": Affected("silver.versions", by=["order", "id"])}},
        writes=History(
            ["order", "id"], sequence_by="sequence", track={track}, delete_when="operation = 'DELETE'"
        ),
    )
    def {name}(versions):
        '''One row per user and time in which nothing that is tracked changed: SCD type 2.'''
        return versions.select("order", "id", "name", "city", "operation", "sequence")
"""

PROPERTIES = (
    "name: order, logicalType: integer, required: true, primaryKey: true",
    "name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 2",
    "name: name, logicalType: string",
    "name: city, logicalType: string",
    "name: operation, logicalType: string",
    "name: sequence, logicalType: integer, required: true",
)
SILVER = """
    from headgate import SOURCE, Changes, Merge, table

    @table("silver.{name}", reads={{"uploads": Changes("bronze.{name}")}}, writes={writes})
    def {name}(uploads):
        '''One row per user as it is now, or per event.'''
        return uploads.select("order", "id", "name", "city", "operation", "sequence", SOURCE)
"""
#: What is sent is sent to both: SCD type 1, and every version for SCD type 2.
MERGES = {
    "users": """Merge(["order", "id"], sequence_by="sequence", delete_when="operation = 'DELETE'")""",
    "versions": """Merge(["order", "id", "sequence"])""",
}
PROJECT = {
    "conf/environments/local.yaml": "lake: lake\nengine: local\n",
    **{f"conf/datasets/{name}.yaml": json_lines(name, *PROPERTIES) for name in MERGES},
    **{f"jobs/silver/{name}.py": SILVER.format(name=name, writes=writes) for name, writes in MERGES.items()},
    **{f"jobs/gold/{name}.py": GOLD.format(name=name, track=track) for name, track in HISTORIES.items()},
}


def test_every_order_and_batching_of_the_events_gives_the_published_tables(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, write_project(tmp_path / "project", PROJECT), tmp_path / "lake")
    uploads: list[list[dict[str, Any]]] = [[] for _ in EVENTS]
    for number, order in enumerate(permutations(EVENTS)):
        for event, batch in zip(order, batching(number, len(EVENTS)), strict=True):
            uploads[batch].append({"order": number, **dict(zip(NAMES, event, strict=True))})
    for number, events in enumerate(uploads):
        for dataset in MERGES:
            world.records(dataset, events, key=str(number), at=NOON + timedelta(minutes=number))
        world.run_well()
    assert tables_by_order(world, "silver.users", ("id", "name", "city")) == {tuple(CURRENT): 40_320}
    for name, track in HISTORIES.items():
        columns = ("id", "name", "city", "valid_from", "valid_to")
        assert tables_by_order(world, f"gold.{name}", columns) == {tuple(PUBLISHED[track]): 40_320}, name


def batching(number: int, events: int) -> Iterator[int]:
    """The batch of each event: a bit of `number` is set if a new batch begins after it."""
    batch = 0
    for event in range(events):
        yield batch
        batch += number >> event & 1


def tables_by_order(world: World, table: str, columns: Sequence[str]) -> dict[tuple[Any, ...], int]:
    """How many orders have which rows."""
    rows = live(world.spark.read.format("delta").load(world.path(table)))
    by_order = rows.groupBy("order").agg(F.sort_array(F.collect_list(F.struct(*columns))).alias("rows"))
    distinct = by_order.groupBy("rows").count().collect()
    return {tuple(sorted(map(tuple, result["rows"]))): result["count"] for result in distinct}
