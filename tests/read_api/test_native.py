"""Native copies: the same answers as from Parquet, made in the background, and within their limit."""

import json
import os
import time
from dataclasses import replace
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from read_api import native
from read_api.app import create_app
from read_api.native import NativeCopies
from read_api.snapshots import DataFile
from read_api.sql import LocalFile
from tests.read_api.tables import SALES, Client, sale, write

QUERIES = (
    {},
    {"sale_id": "sale-000123"},
    {"quantity.ge": "8", "limit": "7"},
    {"order": "-amount,sale_id", "limit": "50"},
    {"order": "sold_at", "store_id": "s2", "limit": "33"},
    {"weight.is_null": "false", "columns": "sale_id,tags,email", "limit": "100"},
)


def wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("not within 10 seconds")


@pytest.fixture
def copies_of(tmp_path, monkeypatch):
    """The read API's copies, below the test's folder; every file is large enough, and converted when it is read."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(native, "LEAST_ROWS", 1)
    monkeypatch.setattr(native, "_READS", 1)
    return lambda: sorted(tmp_path.glob("headgate-read-api-*/*/native/*.duckdb"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"id": [f"id-{n}" for n in range(30_000)], "store": ["a", "b"] * 15_000}), path)
    return LocalFile(
        DataFile(0, "data.parquet", path.stat().st_size, 30_000, {}), str(path), frozenset({"id", "store"})
    )


def test_a_copy_answers_like_its_parquet_file(copies_of, environment, contracts, sales):
    write(sales, [sale(900, amount=Decimal("9999999999999999.99"), weight=float("nan"), sold_at=None, tags=None)])
    as_parquet = Client(
        create_app(replace(environment, read_api=replace(environment.read_api, native_mb=0)), contracts), "analyst"
    )
    with_copies = Client(create_app(environment, contracts, b"secret"), "analyst")
    expected = [as_parquet.rows(**query) for query in QUERIES]
    assert copies_of() == []
    before = [with_copies.rows(**query) for query in QUERIES]
    wait_for(lambda: len(copies_of()) == 11)  # 5 days in each of two commits, and one
    after = [with_copies.rows(**query) for query in QUERIES]
    assert (before, after) == (expected, expected)
    group = {"group_by": "store_id", "aggregate": "count,sum:amount,max:sold_at"}
    path = f"/v1/tables/{SALES}/aggregates"
    assert (
        json.loads(with_copies.get(path, **group).data)["rows"]
        == json.loads(as_parquet.get(path, **group).data)["rows"]
    )


def test_a_cursor_goes_on_from_parquet_to_a_copy(copies_of, environment, contracts, sales):
    client = Client(create_app(environment, contracts, b"secret"), "analyst")
    first = json.loads(client.get(f"/v1/tables/{SALES}/rows", limit=90).data)
    wait_for(lambda: len(copies_of()) > 0)
    rest = []
    following = first["next"]
    while following:
        page = json.loads(client.get(following).data)
        rest, following = rest + page["rows"], page["next"]
    assert sorted(row["sale_id"] for row in first["rows"] + rest) == [f"sale-{n:06d}" for n in range(300)]


def read_often(copies, file):
    for _ in range(native._READS):
        with copies.using([file]) as tables:
            assert tables == {}


def test_two_processes_share_a_copy_and_one_makes_it(tmp_path, file):
    folder = tmp_path / "native"
    first, second = (NativeCopies(duckdb.connect(), folder, 2**30) for _ in range(2))
    read_often(first, file)
    wait_for(lambda: len(list(folder.glob("*.duckdb"))) == 1)
    for copies in (first, second):
        with copies.using([file]) as tables:
            assert copies._connection.execute(f"SELECT count(*) FROM {tables[file.path]}").fetchone() == (30_000,)


def test_what_does_not_fit_stays_parquet(tmp_path, file):
    copies = NativeCopies(duckdb.connect(), tmp_path / "native", 1000)
    read_often(copies, file)
    wait_for(lambda: (tmp_path / "native" / "lock").exists())
    time.sleep(0.3)
    assert list((tmp_path / "native").glob("*.duckdb")) == []


def test_a_copy_that_nobody_uses_makes_room(tmp_path, file):
    folder = tmp_path / "native"
    folder.mkdir()
    old = folder / "old.duckdb"
    old.write_bytes(b"x" * 3_000_000)
    os.utime(old, (0, 0))
    copies = NativeCopies(duckdb.connect(), folder, 4_000_000)
    read_often(copies, file)
    wait_for(lambda: not old.exists())


def test_a_broken_copy_is_removed_and_the_parquet_file_is_read(tmp_path, file):
    folder = tmp_path / "native"
    folder.mkdir()
    copies = NativeCopies(duckdb.connect(), folder, 2**30)
    broken = copies._path_of(file.path)
    broken.write_bytes(b"no database")
    with copies.using([file]) as tables:
        assert tables == {}
    assert not broken.exists()
