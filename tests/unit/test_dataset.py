"""Tables as datasets of Arrow: rows, and partitions of any decimal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from headgate.lake import dataset
from headgate.lake.dataset import dataset_of

VALUES = [None, "0.0000", "-0.0988", "-1.5000", "-12.0001", "-3.0000", "1.0500", "9999999999999999.9999"]


@pytest.fixture
def by_amount(tmp_path: Path) -> DeltaTable:
    """A table that is partitioned by an amount and a text, one row per file."""
    schema = pa.schema({"amount": pa.decimal128(20, 4), "part": pa.string(), "id": pa.int64()})
    table = DeltaTable.create(str(tmp_path), schema, partition_by=["amount", "part"])
    actions = []
    for number, value in enumerate(VALUES):
        path = f"batch 1/{number}%.parquet"
        (tmp_path / path).parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"id": [number]}), tmp_path / path)
        partition = {"amount": value, "part": "a&b" if number % 2 else None}
        actions.append(AddAction(path, (tmp_path / path).stat().st_size, partition, 0, True, "{}"))
    table.create_write_transaction(actions, "append", schema, ["amount", "part"])
    return DeltaTable(str(tmp_path))


def test_every_decimal_can_be_the_value_of_a_partition(by_amount: DeltaTable) -> None:
    rows = dataset_of(by_amount).to_table().sort_by("id").to_pylist()
    assert [row["amount"] for row in rows] == [None if value is None else Decimal(value) for value in VALUES]
    assert {row["part"] for row in rows} == {None, "a&b"}
    assert [row["id"] for row in rows] == list(range(len(VALUES)))


@pytest.mark.parametrize("number", range(1, len(VALUES)))
def test_a_condition_on_the_partition_reads_its_file_only(by_amount: DeltaTable, number: int) -> None:
    wanted = ds.field("amount") == pa.scalar(Decimal(VALUES[number] or "0"), pa.decimal128(20, 4))
    data = dataset_of(by_amount)
    assert data.to_table(filter=wanted)["id"].to_pylist() == [number]
    assert len(list(data.get_fragments(filter=wanted))) == 1


def test_the_schema_is_that_of_the_table(by_amount: DeltaTable) -> None:
    assert dataset_of(by_amount).schema == pa.schema(by_amount.schema().to_arrow())


def test_datasets_are_made_in_one_place() -> None:
    """`to_pyarrow_dataset` alone cannot read every partition."""
    lib = Path(dataset.__file__).parents[2]
    callers = [path.name for path in lib.rglob("*.py") if ".to_pyarrow_dataset(" in path.read_text()]
    assert callers == ["dataset.py"]
