"""Columns are matched by name, by the same rules in CSV, JSON lines and Parquet: the data sets of a small shop.

Each data set receives six uploads: the columns as in the contract, in another order, without an optional column,
without a required column, with an extra column, and all of it at once. One column has another name in uploads.
docs/contracts.md has the table of what happens.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.engine.world import World, edit_project, write_project

pytestmark = pytest.mark.long

#: Data set -> its format, and headgate.evolution.
SHOP = {
    "orders": ("csv", "strict"),
    "prices": ("csv", "add_columns"),
    "customers": ("jsonl", "strict"),
    "visits": ("jsonl", "add_columns"),
    "stock": ("parquet", "strict"),
    "parcels": ("parquet", "add_columns"),
    "returns": ("json_array", "strict"),
}
UPLOADS = {
    "same": {"id": "same", "size": "1", "Order Note": "a"},
    "order": {"Order Note": "b", "id": "order", "size": "2"},
    "lacks_optional": {"id": "lacks_optional", "size": "3"},
    "lacks_required": {"id": "lacks_required", "Order Note": "c"},
    "extra": {"id": "extra", "size": "4", "Order Note": "d", "colour": "red"},
    "extra_and_lacks": {"colour": "blue", "size": "5", "id": "extra_and_lacks"},
}
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {name}
version: 1.0.0
team: {{name: Shop}}
schema:
  - name: {name}
    properties:
      - {{name: id, logicalType: string, required: true, primaryKey: true}}
      - {{name: size, logicalType: integer, required: true}}
      - {{name: note, physicalName: "Order Note", logicalType: string}}
customProperties:
  - {{property: headgate.format, value: {format}}}
  - {{property: headgate.evolution, value: {evolution}}}
"""
MODULE = """
from headgate import SOURCE, Changes, Merge, table

@table("silver.{name}", reads={{"uploads": Changes("bronze.{name}")}}, writes=Merge(["id"]))
def {name}(uploads):
    '''One row per id.'''
    return uploads.select("id", "size", "note", SOURCE)
"""


def as_csv(record: Mapping[str, str]) -> bytes:
    return f"{','.join(record)}\n{','.join(record.values())}\n".encode()


def as_json(record: Mapping[str, str]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def as_array(record: Mapping[str, str]) -> bytes:
    return json.dumps([record]).encode()


def as_parquet(record: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(record)]), file)
    return file.getvalue()


WRITERS = {"csv": as_csv, "jsonl": as_json, "json_array": as_array, "parquet": as_parquet}


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("shop")
    files = {"conf/environments/local.yaml": "lake: lake\nengine: local\n"}
    for name, (form, evolution) in SHOP.items():
        files[f"conf/datasets/{name}.yaml"] = CONTRACT.format(name=name, format=form, evolution=evolution)
        files[f"jobs/silver/{name}.py"] = MODULE.format(name=name)
    world = World(spark, write_project(root, files), root / "lake")
    for name, (form, _) in SHOP.items():
        for key, record in UPLOADS.items():
            world.land(name, WRITERS[form](record), key=key)
    world.run_well()
    return world


def accepted(world: World, name: str) -> dict[str, tuple[int, str | None]]:
    return {row["id"]: (row["size"], row["note"]) for row in world.rows(f"silver.{name}")}


def reasons(world: World, name: str) -> Iterable[str]:
    return sorted(reason for _, _, why in world.rejected(f"silver.{name}") for reason in why)


@pytest.mark.parametrize("name", SHOP)
def test_order_is_free_and_an_optional_column_may_be_missing(shop: World, name: str) -> None:
    rows = accepted(shop, name)
    assert (rows["same"], rows["order"], rows["lacks_optional"]) == ((1, "a"), (2, "b"), (3, None))


@pytest.mark.parametrize("name", SHOP)
def test_an_upload_without_a_required_column_is_rejected(shop: World, name: str) -> None:
    assert "lacks_required" not in accepted(shop, name)
    expected = "unparsable upload" if SHOP[name][0] == "csv" else "size required"
    assert expected in reasons(shop, name)


@pytest.mark.parametrize("name", SHOP)
def test_an_extra_column_is_rejected_under_strict_and_ignored_under_add_columns(shop: World, name: str) -> None:
    form, evolution = SHOP[name]
    if evolution == "add_columns":
        assert (accepted(shop, name)["extra"], accepted(shop, name)["extra_and_lacks"]) == ((4, "d"), (5, None))
        return
    by_record = ["colour unknown field", "colour unknown field", "size required"]
    assert reasons(shop, name) == (["unparsable upload"] * 3 if form == "csv" else by_record)


@pytest.mark.parametrize("name", SHOP)
def test_every_upload_is_accounted_for(shop: World, name: str) -> None:
    receipts = shop.receipts(f"silver.{name}")
    assert len(receipts) == len(UPLOADS)
    assert sum(receipt["records"] for receipt in receipts.values()) == len(UPLOADS)


@pytest.mark.parametrize("name", [name for name, (_, evolution) in SHOP.items() if evolution == "strict"])
def test_what_was_rejected_comes_back_by_a_replay_under_a_corrected_contract(
    shop: World, tmp_path: Path, name: str
) -> None:
    world = shop.copy(tmp_path / "lake")
    contract = f"conf/datasets/{name}.yaml"
    edit_project(world, tmp_path / "project", contract, "value: strict", "value: add_columns")
    edit_project(world, tmp_path / "project", contract, "logicalType: integer, required: true", "logicalType: integer")
    report, result = world.runner().replay(f"silver.{name}")
    assert result is not None, report.error
    assert (result.records, result.released, result.stay) == (3, 3, 0)
    rows = accepted(world, name)
    assert (rows["lacks_required"], rows["extra"], rows["extra_and_lacks"]) == ((None, "c"), (4, "d"), (5, None))
    assert (len(rows), world.rejected(f"silver.{name}")) == (len(UPLOADS), [])
