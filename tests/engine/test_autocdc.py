"""The public examples of Lakeflow AUTO CDC by real runs: docs.databricks.com/aws/en/ldp/cdc.

Eight events have 40,320 orders, and each order can come in 128 batchings. All orders are sent at once, as users of
their own; each has one of the batchings. Eight uploads hold the first batch of every order, then the second, and so on.
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

from tests.engine.test_history import EVENTS, PUBLISHED
from tests.engine.world import NOON, World, write_project

pytestmark = pytest.mark.long

CURRENT = [(124, "Raul", "Oaxaca"), (125, "Mercedes", "Guadalajara"), (126, "Lily", "Cancun")]
HISTORIES = {"gold.history": PUBLISHED[None], "gold.names": PUBLISHED["name",]}

USERS = {
    "conf/environments/local.yaml": "lake: lake\nengine: local\n",
    "conf/datasets/users.yaml": """
        apiVersion: v3.1.0
        kind: DataContract
        id: users
        version: 1.0.0
        team: {name: Tests}
        schema:
          - name: users
            properties:
              - {name: order, logicalType: integer, required: true, primaryKey: true}
              - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 2}
              - {name: name, logicalType: string}
              - {name: city, logicalType: string}
              - {name: operation, logicalType: string}
              - {name: sequence, logicalType: integer, required: true}
        customProperties:
          - {property: headgate.format, value: jsonl}
    """,
    "jobs/silver/users.py": """
        from headgate import SOURCE, Changes, Merge, table

        DELETED = "operation = 'DELETE'"
        COLUMNS = ("order", "id", "name", "city", "operation", "sequence", SOURCE)

        @table(
            "silver.users",
            reads={"uploads": Changes("bronze.users")},
            writes=Merge(["order", "id"], sequence_by="sequence", delete_when=DELETED),
        )
        def users(uploads):
            '''One row per user, as it is now: SCD type 1.'''
            return uploads.select(*COLUMNS)

        @table(
            "silver.versions",
            reads={"uploads": Changes("bronze.users")},
            writes=Merge(["order", "id", "sequence"]),
        )
        def versions(uploads):
            '''One row per event.'''
            return uploads.select(*COLUMNS)
    """,
    "jobs/gold/history.py": """
        from headgate import Affected, History, table

        KEYS = ["order", "id"]
        READS = {"versions": Affected("silver.versions", by=KEYS)}
        HOW = {"keys": KEYS, "sequence_by": "sequence", "delete_when": "operation = 'DELETE'"}

        @table("gold.history", reads=READS, writes=History(**HOW))
        def history(versions):
            '''One row per user and time in which nothing changed: SCD type 2.'''
            return versions.drop("_source")

        @table("gold.names", reads=READS, writes=History(**HOW, track=["name"]))
        def names(versions):
            '''One row per user and time in which its name was the same.'''
            return versions.drop("_source")
    """,
}


def test_every_order_and_batching_of_the_events_gives_the_published_tables(
    spark: SparkSession, tmp_path: Path
) -> None:
    world = World(spark, write_project(tmp_path / "users", USERS), tmp_path / "lake")
    uploads: list[list[dict[str, Any]]] = [[] for _ in EVENTS]
    for number, order in enumerate(permutations(EVENTS)):
        for event, batch in zip(order, batching(number, len(EVENTS)), strict=True):
            uploads[batch].append({"order": number, **dict(zip(NAMES, event, strict=True))})
    for number, events in enumerate(uploads):
        world.records("users", events, key=str(number), at=NOON + timedelta(minutes=number))
        world.run_well()
    assert tables_by_order(world, "silver.users", ("id", "name", "city")) == {tuple(CURRENT): 40_320}
    for table, published in HISTORIES.items():
        columns = ("id", "name", "city", "valid_from", "valid_to")
        assert tables_by_order(world, table, columns) == {tuple(published): 40_320}, table


NAMES = ("id", "name", "city", "operation", "sequence")


def batching(number: int, events: int) -> Iterator[int]:
    """The batch of each event: a bit of `number` says whether a new one begins after it."""
    batch = 0
    for event in range(events):
        yield batch
        batch += number >> event & 1


def tables_by_order(world: World, table: str, columns: Sequence[str]) -> dict[tuple[Any, ...], int]:
    """How many orders have which rows."""
    rows = world.spark.read.format("delta").load(world.path(table)).filter("_state = 'live'")
    by_order = rows.groupBy("order").agg(F.sort_array(F.collect_list(F.struct(*columns))).alias("rows"))
    distinct = by_order.groupBy("rows").count().collect()
    return {tuple(sorted(map(tuple, found["rows"]))): found["count"] for found in distinct}
