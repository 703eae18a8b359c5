"""Parquet uploads become typed rows like any others, and a broken upload is quarantined as a whole."""

from __future__ import annotations

import base64
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.engine.world import World, write_project

pytestmark = pytest.mark.long

PROJECT = {
    "conf/environments/local.yaml": "lake: lake\nengine: local\n",
    "conf/datasets/readings.yaml": """
        apiVersion: v3.1.0
        kind: DataContract
        id: readings
        version: 1.0.0
        team: {name: tests}
        schema:
          - name: readings
            properties:
              - {name: id, logicalType: integer, required: true, primaryKey: true}
              - {name: amount, logicalType: number, physicalType: "decimal(38,2)"}
              - {name: at, logicalType: timestamp}
              - {name: day, logicalType: date}
              - {name: ratio, logicalType: number, physicalType: double}
              - name: parts
                logicalType: array
                items: {logicalType: object, properties: [{name: label, logicalType: string}]}
        customProperties:
          - {property: headgate.format, value: parquet}
    """,
    "jobs/silver/readings.py": """
        from headgate import SOURCE, Changes, Merge, table

        @table("silver.readings", reads={"uploads": Changes("bronze.readings")}, writes=Merge(["id"]))
        def readings(uploads):
            '''One row per reading.'''
            return uploads.select("id", "amount", "at", "day", "ratio", "parts", SOURCE)
    """,
}
SCHEMA = {
    "id": pa.int64(),
    "amount": pa.decimal128(38, 2),
    "at": pa.timestamp("ns", "Europe/Berlin"),
    "day": pa.date32(),
    "ratio": pa.float64(),
    "parts": pa.list_(pa.struct({"label": pa.string()})),
}
MOMENT = datetime(2026, 7, 1, 9, 30, 0, 5, UTC)
FULL = {
    "id": 2**53 + 1,
    "amount": Decimal("9" * 36 + ".05"),
    "at": MOMENT,
    "day": date(2026, 3, 1),
    "ratio": 0.1,
    "parts": [{"label": "ü"}, {"label": None}],
}
EMPTY = {**dict.fromkeys(FULL), "id": 1}


def parquet(rows: list[dict], schema: dict) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(schema)), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A complete upload, an upload with values that the contract rejects, and a truncated upload."""
    root = tmp_path_factory.mktemp("parquet")
    world = World(spark, write_project(root, PROJECT), root / "lake")
    whole = parquet([FULL, EMPTY], SCHEMA)
    odd = {"id": 3, "amount": Decimal("1.505")}
    world.land("readings", whole, key="whole")
    world.land("readings", parquet([odd], {"id": pa.int32(), "amount": pa.decimal128(9, 3)}), key="odd")
    world.land("readings", parquet([{"id": 4, "colour": "red"}], {"id": pa.int8(), "colour": pa.string()}), key="more")
    world.land("readings", whole[:-9], key="cut")
    world.run_well()
    return world


def test_rows_are_typed_exactly(world):
    assert sorted(world.rows("silver.readings"), key=lambda row: row["id"]) == [EMPTY, FULL]


def test_invalid_values_are_rejected_with_their_reason(world):
    reasons = [why for _, _, why in world.rejected("silver.readings")]
    assert sorted(reasons) == [["amount type: decimal(38,2)"], ["colour unknown field"], ["unparsable upload"]]


def test_a_cut_file_is_kept_whole(world):
    rejected = [row for row in world.raw_rows("silver.readings") if row["_state"] == "rejected"]
    [cut] = [row for row in rejected if row["_rejected"]["raw_encoding"] == "base64"]
    assert cut["_source"]["record"] == 0
    assert base64.b64decode(cut["_rejected"]["raw"]) == parquet([FULL, EMPTY], SCHEMA)[:-9]
