"""The calls of `deltalake` that a correct commit rests on. An upgrade that changes one of them fails here.

One release stopped removing replaced partitions without a word (delta-rs #4126).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from headgate.engine.delta.actions import Removal, RemovedFile, added_columns, removal_of

APP = "silver.sales"
PLACES = ["plain", None, "New York", "50%", "it's", "a/b", "é=ß", "__HIVE_DEFAULT_PARTITION__", "x" * 300, "${x}", "\0"]


def schema(*columns: tuple[str, str]) -> Schema:
    fields = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in columns]
    return Schema.from_json(json.dumps({"type": "struct", "fields": fields}))


PLACE_AND_NUMBER = schema(("place", "string"), ("number", "long"))


@pytest.fixture
def uri(tmp_path: Path) -> str:
    (tmp_path / "table").mkdir()
    return str(tmp_path / "table")


def file_of(uri: str, name: str, place: str | None, numbers: list[int]) -> AddAction:
    path = Path(uri, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"place": pa.array([place] * len(numbers), pa.string()), "number": pa.array(numbers, pa.int64())}
    pq.write_table(pa.table(columns), path)
    statistics = json.dumps({"numRecords": len(numbers)})
    return AddAction(name, path.stat().st_size, {"place": place}, 1_700_000_000_000, True, statistics)


def carrying(txn: int, retries: int | None = 0, run: str = "run-1") -> CommitProperties:
    return CommitProperties(
        custom_metadata={"userMetadata": json.dumps({"run": run}), "operationMetrics": {"numOutputRows": "3"}},
        app_transactions=[Transaction(APP, txn)],
        max_commit_retries=retries,
    )


def created(uri: str, places: list[str | None]) -> DeltaTable:
    files = [file_of(uri, f"batch-1/{number}.parquet", place, [number]) for number, place in enumerate(places)]
    properties = {"delta.enableChangeDataFeed": "true"}
    create_table_with_add_actions(
        uri, PLACE_AND_NUMBER, files, "error", ["place"], configuration=properties, commit_properties=carrying(1)
    )
    return DeltaTable(uri)


def written(table: DeltaTable, actions: list[Any], properties: CommitProperties) -> None:
    table.create_write_transaction(actions, "append", table.schema(), ["place"], commit_properties=properties)


def places(uri: str) -> list[str | None]:
    return pa.table(DeltaTable(uri).get_add_actions(flatten=True))["partition.place"].to_pylist()


def log(uri: str, version: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(uri, "_delta_log", f"{version:020d}.json").read_text().splitlines()]


@pytest.mark.parametrize("place", PLACES)
def test_exactly_the_replaced_partition_is_removed(uri, place):
    table = created(uri, PLACES)
    removal = removal_of(table, pa.table({"place": pa.array([place], pa.string())}))
    assert (len(removal.files), removal.rows, removal.unsafe_path) == (1, 1, "")
    written(table, [*removal.actions(), file_of(uri, "batch-2/0.parquet", place, [7, 8])], carrying(2))
    assert sorted(map(str, places(uri))) == sorted(map(str, PLACES))
    rows = pa.table(DeltaTable(uri).get_add_actions(flatten=True)).to_pylist()
    assert [row["num_records"] for row in rows if row["partition.place"] == place] == [2]
    removed = next(action["remove"] for action in log(uri, 1) if "remove" in action)
    assert removed["partitionValues"] == {"place": place}  # the change feed reads it
    assert removed["dataChange"] is True


def test_all_files_are_removed_and_the_table_keeps_its_id_and_properties(uri):
    table = created(uri, PLACES)
    before = table.metadata()
    written(table, removal_of(table, None).actions(), carrying(2))
    after = DeltaTable(uri).metadata()
    assert places(uri) == []
    assert (after.id, after.configuration, after.partition_columns) == (
        before.id,
        before.configuration,
        before.partition_columns,
    )


@pytest.mark.parametrize("name", ["New York", "50%25", "it%27s"])
def test_a_path_that_spark_escaped_is_removed(uri, name):
    """In the log Spark's escape is escaped once more: place=it%2527s."""
    table = created(uri, ["plain"])
    written(table, [file_of(uri, f"place={name}/0.parquet", "x", [1])], carrying(2))
    table = DeltaTable(uri)
    removal = removal_of(table, pa.table({"place": pa.array(["x"], pa.string())}))
    assert "%" in removal.files[0].path
    written(table, removal.actions(), carrying(3))
    assert places(uri) == ["plain"]


def test_a_path_with_other_characters_in_the_log_is_left_to_delta(uri):
    """deltalake encodes such a path again and removes nothing. If this test fails, remove `Removal.unsafe_path`."""
    created(uri, ["plain"])
    add = {**next(a["add"] for a in log(uri, 0) if "add" in a), "path": "place=é/0.parquet"}  # as Spark writes it
    Path(uri, "_delta_log", f"{1:020d}.json").write_text(json.dumps({"add": add}) + "\n")
    table = DeltaTable(uri)
    removal = removal_of(table, None)
    assert removal.unsafe_path == "place=é/0.parquet"
    written(table, removal.actions(), carrying(2))
    assert len(places(uri)) == 1


def test_a_commit_carries_metadata_counts_and_transaction(uri):
    written(created(uri, ["plain"]), [], carrying(2, run="run-2"))
    info = next(action["commitInfo"] for action in log(uri, 1) if "commitInfo" in action)
    assert (json.loads(info["userMetadata"]), info["operationMetrics"]) == ({"run": "run-2"}, {"numOutputRows": "3"})
    assert DeltaTable(uri).transaction_version(APP) == 2
    assert not any("add" in action or "remove" in action for action in log(uri, 1))


@pytest.mark.parametrize("retries", [0, None], ids=["no retries", "the library's retries"])
def test_of_two_commits_with_one_transaction_version_the_second_fails(uri, retries):
    first = created(uri, ["plain"])
    second = DeltaTable(uri)
    written(first, [], carrying(2, run="run-1"))
    with pytest.raises(CommitFailedError):
        written(second, [file_of(uri, "batch-2/0.parquet", "x", [1])], carrying(2, retries, run="run-2"))
    assert DeltaTable(uri).version() == 1


def test_without_retries_any_commit_in_between_makes_the_commit_fail(uri):
    planned = created(uri, ["plain"])
    written(DeltaTable(uri), [], CommitProperties(max_commit_retries=0))
    with pytest.raises(CommitFailedError):
        written(planned, [], carrying(2))


def test_of_two_that_create_a_table_the_second_fails(uri):
    created(uri, ["plain"])
    with pytest.raises(Exception, match="already exists"):
        create_table_with_add_actions(uri, PLACE_AND_NUMBER, [], "error", ["place"], commit_properties=carrying(1))
    assert DeltaTable(uri).version() == 0


def test_columns_are_gained_by_a_commit_of_their_own_that_carries_metadata(uri):
    table = created(uri, ["plain"])
    wider = schema(("place", "string"), ("more", "timestamp"), ("number", "long"))
    table.create_write_transaction([], "append", wider, ["place"], commit_properties=carrying(2))
    assert [field.name for field in DeltaTable(uri).schema().fields] == ["place", "number"]  # a write gains none
    table = DeltaTable(uri)
    table.alter.add_columns(
        added_columns(table, wider),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": "kept"}, max_commit_retries=0),
    )
    assert table.version() == 2  # the next commit is planned against it
    metadata = next(action["metaData"] for action in log(uri, 2) if "metaData" in action)
    types = {field["name"]: field["type"] for field in json.loads(metadata["schemaString"])["fields"]}
    assert types == {"place": "string", "number": "long", "more": "timestamp"}
    assert metadata["configuration"] == {"delta.enableChangeDataFeed": "true"}
    assert next(action["commitInfo"] for action in log(uri, 2) if "commitInfo" in action)["userMetadata"] == "kept"


def test_a_checkpoint_keeps_the_transaction_version(uri):
    table = created(uri, ["plain"])
    for txn in (2, 3):
        written(DeltaTable(uri), [], carrying(txn))
    DeltaTable(uri).create_checkpoint()
    for version in range(3):
        Path(uri, "_delta_log", f"{version:020d}.json").unlink()
    assert DeltaTable(uri).transaction_version(APP) == 3
    assert table.version() == 0


def test_a_file_that_left_is_removed_by_path_alone(uri):
    """Nothing checks that a removed file is there: the version that the commit was planned against has to."""
    table = created(uri, ["plain"])
    gone = Removal([RemovedFile("batch-9/none.parquet", 1, {"place": "x"}, 1)])
    written(table, gone.actions(), carrying(2))
    assert places(uri) == ["plain"]
    assert isinstance(gone.actions()[0], RemoveAction)
