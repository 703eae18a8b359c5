"""Files that tasks write for a Delta commit: how many, what they hold, and what the commit is told of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import LocalStore

from headgate.engine.files import Files, NewFile

SCHEMA = pa.schema([("name", pa.string()), ("at", pa.timestamp("us", tz="UTC")), ("number", pa.int64())])
NOON = datetime(2026, 3, 2, 12, 0, 0, 5999, UTC)


def batch(*rows: tuple[str | None, datetime | None, int | None]) -> pa.RecordBatch:
    columns = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def written(lake: Path, *batches: tuple[str, pa.RecordBatch]) -> list[NewFile]:
    """The files of batches, each of a day."""
    files = Files(LocalStore(lake), "a/table", SCHEMA, indexed=("name", "at", "number"), repeating=("name",))
    for day, rows in batches:
        files.add({"dt": day}, rows)
    return files.close()


def test_the_batches_of_a_partition_are_one_file_that_holds_their_rows_in_order(tmp_path: Path) -> None:
    first, second = batch(("b", NOON, 1)), batch(("a", NOON, 2))
    told = written(tmp_path, ("2026-03-02", first), ("2026-03-03", first), ("2026-03-02", second))
    days = [(dict(file.partition), file.rows) for file in told]
    assert days == [({"dt": "2026-03-02"}, 2), ({"dt": "2026-03-03"}, 1)]
    path = tmp_path / "a" / "table" / told[0].path
    assert path.parent.name == "dt=2026-03-02"
    assert path.stat().st_size == told[0].size
    assert pq.ParquetFile(path).read().to_pylist() == [*first.to_pylist(), *second.to_pylist()]


def test_a_file_tells_the_bounds_and_nulls_of_all_its_row_groups(tmp_path: Path) -> None:
    """A time is told in UTC and cut to milliseconds, as Delta has it; a column of nulls has no bounds."""
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    row_group = batch(*[("b" * 1000, NOON, None)] * 10_000)
    told = written(tmp_path, ("2026-03-02", row_group), ("2026-03-02", batch(("a", None, None), ("c", east, None))))[0]
    assert pq.ParquetFile(tmp_path / "a" / "table" / told.path).num_row_groups == 2
    assert json.loads(told.statistics) == {
        "numRecords": 10_002,
        "minValues": {"name": "a", "at": "2026-03-02T12:00:00.005Z"},
        "maxValues": {"name": "c", "at": "2026-03-02T12:00:00.005Z"},
        "nullCount": {"name": 0, "at": 1, "number": 10_002},
    }


def test_a_column_with_a_value_too_long_for_statistics_has_no_bounds(tmp_path: Path) -> None:
    row_group = batch(*[("b" * 10_000, NOON, 1)] * 1000)
    told = written(tmp_path, ("2026-03-02", row_group), ("2026-03-02", batch(("a", NOON, 2))))[0]
    statistics = json.loads(told.statistics)
    assert (statistics["minValues"].keys(), statistics["maxValues"]["number"]) == ({"at", "number"}, 2)
