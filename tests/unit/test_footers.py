"""A file's partition values, read from the file itself."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import LocalStore

from headgate.engine.delta.files import NewFile
from headgate.engine.delta.footers import Layout, StoredFile, describe_files

VALUES = [
    (pa.string(), "a", "a"),
    (pa.string(), None, None),
    (pa.string(), "", ""),
    (pa.string(), "x" * 5000, "x" * 5000),
    (pa.date32(), date(2026, 1, 2), "2026-01-02"),
    (pa.timestamp("us", "UTC"), datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00.000000Z"),
    (pa.timestamp("us"), datetime(2026, 1, 2, 3), "2026-01-02 03:00:00.000000"),
    (pa.decimal128(10, 2), Decimal("-1.20"), "-1.20"),
    (pa.bool_(), True, "true"),
    (pa.int64(), -5, "-5"),
    (pa.float64(), float("nan"), "NaN"),
    (pa.float64(), float("-inf"), "-Infinity"),
    (pa.float64(), -0.0, "-0.0"),
    (pa.float64(), 0.0, "0.0"),
    (pa.float64(), None, None),
]


def described(folder: Path, column: pa.Array, statistics: bool = True) -> NewFile:
    path = folder / "t" / "batch-1" / "part.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"p": column, "n": list(range(len(column)))}), path, write_statistics=statistics)
    result = StoredFile("t/batch-1/part.parquet", path.stat().st_size, 1)
    return describe_files(LocalStore(folder), Layout("t", ("p",), None), [result])[0]


@pytest.mark.parametrize("statistics", [True, False], ids=["with statistics", "without"])
@pytest.mark.parametrize(("kind", "value", "text"), VALUES, ids=lambda value: str(value)[:12])
def test_the_only_value_of_a_file_is_its_partition_value(tmp_path, kind, value, text, statistics):
    file = described(tmp_path, pa.array([value] * 3, kind), statistics)
    assert (file.path, file.rows, file.partition) == ("batch-1/part.parquet", 3, {"p": text})
    details: dict[str, Any] = json.loads(file.statistics)
    assert all("p" not in details[name] for name in ("minValues", "maxValues", "nullCount"))


def test_a_file_of_two_values_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="more than one value of p"):
        described(tmp_path, pa.array(["a", "b"]))
    with pytest.raises(ValueError, match="more than one value of p"):
        described(tmp_path, pa.array(["a", None]))


def test_a_file_without_rows_is_left_out(tmp_path):
    with pytest.raises(IndexError):
        described(tmp_path, pa.array([], pa.string()))
