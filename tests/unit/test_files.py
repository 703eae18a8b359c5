"""Files that tasks write for a Delta commit: their number, content and description for the commit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import LocalStore

from headgate.engine.delta.files import Files, NewFile
from headgate.engine.delta.statistics import PREFIX, statistics

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
    details = written(tmp_path, ("2026-03-02", first), ("2026-03-03", first), ("2026-03-02", second))
    days = [(dict(file.partition), file.rows) for file in details]
    assert days == [({"dt": "2026-03-02"}, 2), ({"dt": "2026-03-03"}, 1)]
    path = tmp_path / "a" / "table" / details[0].path
    assert path.parent.name == "dt=2026-03-02"
    assert path.stat().st_size == details[0].size
    assert pq.ParquetFile(path).read().to_pylist() == [*first.to_pylist(), *second.to_pylist()]


def test_a_file_tells_the_bounds_and_nulls_of_all_its_row_groups(tmp_path: Path) -> None:
    """A time is in UTC and truncated to milliseconds, as in Delta; a column of nulls has no bounds."""
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    row_group = batch(*[("b" * 1000, NOON, None)] * 10_000)
    details = written(tmp_path, ("2026-03-02", row_group), ("2026-03-02", batch(("a", None, None), ("c", east, None))))[
        0
    ]
    assert pq.ParquetFile(tmp_path / "a" / "table" / details.path).num_row_groups == 2
    assert json.loads(details.statistics) == {
        "numRecords": 10_002,
        "minValues": {"name": "a", "at": "2026-03-02T12:00:00.005Z"},
        "maxValues": {"name": "c", "at": "2026-03-02T12:00:00.005Z"},
        "nullCount": {"name": 0, "at": 1, "number": 10_002},
    }


def test_a_column_with_a_value_too_long_for_statistics_has_no_bounds(tmp_path: Path) -> None:
    row_group = batch(*[("b" * 10_000, NOON, 1)] * 1000)
    details = written(tmp_path, ("2026-03-02", row_group), ("2026-03-02", batch(("a", NOON, 2))))[0]
    statistics = json.loads(details.statistics)
    assert (statistics["minValues"].keys(), statistics["maxValues"]["number"]) == ({"at", "number"}, 2)


def test_nulls_are_counted_only_where_every_row_group_counts_them() -> None:
    def group(nulls: int | None) -> SimpleNamespace:
        bounds = {"has_min_max": True, "min": 1, "max": 2, "num_values": 2}
        counted = SimpleNamespace(has_null_count=nulls is not None, null_count=nulls or 0, **bounds)
        return SimpleNamespace(column=lambda _: SimpleNamespace(statistics=counted))

    def counts(*nulls: int | None) -> dict[str, int]:
        groups = [group(count) for count in nulls]
        column = SimpleNamespace(column=lambda _: SimpleNamespace(path="number"))
        footer = SimpleNamespace(
            num_row_groups=len(groups), row_group=groups.__getitem__, num_columns=1, schema=column, num_rows=9
        )
        return dict(json.loads(statistics(cast(pq.FileMetaData, footer)))["nullCount"])

    assert counts(1, 2) == {"number": 3}
    assert counts(1, None) == {}


def told_of(tmp_path: Path, **columns: pa.Array) -> dict[str, Any]:
    """What the statistics of a file of these columns say."""
    pq.write_table(pa.table(columns), tmp_path / "file.parquet")
    return json.loads(statistics(pq.read_metadata(tmp_path / "file.parquet")))


def test_the_bounds_of_a_long_text_are_cut_and_still_hold(tmp_path: Path) -> None:
    longest = "é" * PREFIX
    details = told_of(tmp_path, short=[longest], long=[longest + "z"], beyond=[longest + "\U0010ffffz"])
    assert details["minValues"] == {"short": longest, "long": longest}
    assert details["maxValues"] == {"short": longest, "long": longest + "\U0010ffff"}
    assert details["nullCount"] == {"short": 0, "long": 0, "beyond": 0}


def test_what_has_no_certain_order_has_no_bounds(tmp_path: Path) -> None:
    details = told_of(
        tmp_path,
        rate=[1.0, float("nan")],
        flag=[True, False],
        bytes=[b"a", b"b"],
        parts=[{"a": 1}, {"a": 2}],
        local=pa.array([NOON.replace(tzinfo=None)] * 2, pa.timestamp("us")),
        number=[1, 2],
    )
    assert (details["minValues"], details["maxValues"]) == ({"number": 1}, {"number": 2})


def test_a_decimal_is_told_to_its_last_digit(tmp_path: Path) -> None:
    exact = Decimal("12345678901234567890.123456789012345678")
    pq.write_table(pa.table({"amount": pa.array([exact, -exact])}), tmp_path / "file.parquet")
    details = json.loads(statistics(pq.read_metadata(tmp_path / "file.parquet")), parse_float=Decimal)
    assert (details["minValues"]["amount"], details["maxValues"]["amount"]) == (-exact, exact)
