"""A page belongs to a version: pages stay whole while the table changes, until the version is vacuumed."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from headgate.http.keys import digest_of
from headgate.http.problems import Problem
from read_api.app import create_app
from read_api.engine import Engine, FileGone
from tests.read_api.tables import SALES, sale, write

ROWS, CHANGES = f"/v1/tables/{SALES}/rows", f"/v1/tables/{SALES}/changes"
AT_ONCE = {"retention_hours": 0, "enforce_retention_duration": False, "dry_run": False}


@pytest.mark.parametrize("parameters", [{}, {"order": "-amount,paid"}, {"paid": "true", "order": "sold_at"}])
def test_each_row_comes_exactly_once_while_the_table_changes(analyst, sales, parameters):
    stop = threading.Event()

    def change():
        number = 1000
        while not stop.is_set():
            table = write(sales, [sale(number), sale(number + 1)])
            table.delete(f"sale_id = 'sale-{number:06d}'")
            table.optimize.compact()
            number += 2

    before = sorted(row["sale_id"] for row in analyst.rows(**parameters))
    writer = threading.Thread(target=change)
    first = analyst.get(ROWS, limit=3, **parameters)
    writer.start()
    try:
        rows, following = list(first.json["rows"]), first.json["next"]
        while following is not None:
            answer = analyst.get(following)
            assert answer.status_code == 200 and answer.json["version"] == first.json["version"]
            rows += answer.json["rows"]
            following = answer.json["next"]
    finally:
        stop.set()
        writer.join()
    assert sorted(row["sale_id"] for row in rows) == before
    assert DeltaTable(str(sales / "gold/sales")).version() > first.json["version"] + 5


def test_a_vacuumed_version_is_gone(analyst, sales):
    following = analyst.get(ROWS, limit=3, order="sale_id").json["next"]
    table = DeltaTable(str(sales / "gold/sales"))
    table.optimize.compact()
    table.vacuum(**AT_ONCE)
    answer = analyst.get(following)
    assert (answer.status_code, answer.json["type"]) == (410, "urn:headgate:problem:gone")
    assert str(sales) not in answer.text
    assert len(analyst.rows()) == 300


def test_a_version_whose_log_is_gone_is_gone(analyst, sales):
    table = write(sales, [sale(400)])
    table.create_checkpoint()
    following = analyst.get(ROWS, limit=3, version=2).json["next"]
    for version in (0, 1):
        (sales / "gold/sales/_delta_log" / f"{version:020d}.json").unlink()
    assert analyst.get(ROWS, version=0).status_code == 410
    assert analyst.get(CHANGES, since=0).status_code == 410
    assert analyst.get(following).status_code == 200


def test_a_table_that_was_replaced_ends_its_cursors(analyst, sales):
    following = analyst.get(ROWS, limit=3).json["next"]
    for path in sorted((sales / "gold/sales").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert analyst.get(ROWS).status_code == 404
    write(sales, [sale(1)])
    assert analyst.get(following).status_code == 410


def test_a_cursor_needs_the_same_parameters(analyst):
    cursor = analyst.get(ROWS, limit=5, store_id="s1").headers["Headgate-Cursor"]
    assert analyst.get(ROWS, limit=9, store_id="s1", cursor=cursor).status_code == 200
    for other in ({"store_id": "s2"}, {"store_id": "s1", "order": "sale_id"}, {"store_id": "s1", "columns": "sale_id"}):
        assert analyst.get(ROWS, limit=5, cursor=cursor, **other).status_code == 400


def test_a_cursor_is_valid_in_every_process_with_the_same_secret(analyst, environment, contracts):
    following = analyst.get(ROWS, limit=5).json["next"]
    same, other = create_app(environment, contracts, b"secret"), create_app(environment, contracts, b"other")
    assert type(analyst)(same, "analyst").get(following).status_code == 200
    assert type(analyst)(other, "analyst").get(following).status_code == 400


# --- changes


def test_changes_rebuild_the_table(analyst, sales):
    """A copy that applies the feed from the first commit on equals the table, whatever was done to it."""
    table = write(sales, [sale(5, amount=1), sale(601)])
    table.update(updates={"amount": "99"}, predicate="store_id = 's2'")
    table.delete("quantity > 7")
    table.optimize.compact()
    write(sales, [sale(number) for number in range(700, 710)])
    copy = []
    for change in analyst.rows(CHANGES, limit=17):
        row = json.dumps({name: value for name, value in change.items() if not name.startswith("_")}, sort_keys=True)
        if change["_change_type"] in ("insert", "update_postimage"):
            copy.append(row)
        else:
            copy.remove(row)
    assert sorted(copy) == sorted(json.dumps(row, sort_keys=True) for row in analyst.rows())


def rates(lake: Path, rows: list[tuple[str | None, str | None]], mode: str) -> None:
    """Writes a commit of gold.rates without change data."""
    values = [None if rate is None else Decimal(rate) for _, rate in rows]
    table = pa.table({"currency": [c for c, _ in rows], "rate": pa.array(values, pa.decimal128(18, 6))})
    write_deltalake(str(lake / "gold/rates"), table, mode=mode)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_rows_that_stay_where_files_are_replaced_are_no_changes(analyst, sales, limit):
    rates(sales, [("USD", "1.1"), ("JPY", "170"), ("XAU", None), (None, "2")], "append")
    stay = [("EUR", "1"), ("USD", "1.1"), ("XAU", None), (None, "2")]  # USD was there twice
    rates(sales, [*stay, ("JPY", "171"), ("JPY", "171"), ("EUR", "1")], "overwrite")
    changes = analyst.rows("/v1/tables/gold.rates/changes", since=1, limit=limit)
    assert sorted((c["_change_type"], c["currency"], c["rate"]) for c in changes) == [
        ("delete", "JPY", "170.000000"),
        ("delete", "USD", "1.100000"),
        ("insert", "EUR", "1.000000"),
        ("insert", "JPY", "171.000000"),
        ("insert", "JPY", "171.000000"),
    ]


def test_where_replaced_files_are_large_each_of_their_rows_is_a_change(analyst, sales, monkeypatch):
    monkeypatch.setattr("read_api.changes._MOST_COMPARED", 0)
    rates(sales, [("EUR", "1"), ("USD", "1.2")], "overwrite")
    assert len(analyst.rows("/v1/tables/gold.rates/changes", since=0)) == 4


def test_changes_after_the_newest_version_are_none(analyst):
    assert analyst.get(CHANGES, since=1).json["rows"] == []
    assert analyst.get(CHANGES, since=2).status_code == 404
    assert analyst.get(CHANGES, since=0, order="sale_id").status_code == 400


@pytest.mark.parametrize("media_type", ["text/csv", "application/vnd.apache.arrow.stream", "application/x-ndjson"])
def test_changes_come_in_every_format(analyst, media_type):
    for since in (0, 1):
        assert analyst.get(CHANGES, headers={"Accept": media_type}, since=since).status_code == 200


# --- limits


def test_a_query_that_takes_too_long_is_ended(tmp_path):
    engine = Engine([tmp_path], memory_mb=200, seconds=0.2, slots=1)
    with pytest.raises(Problem) as refused:
        engine.rows("SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range % 7 = b.range % 5", [])
    assert (refused.value.status, refused.value.code) == (422, "too-slow")
    assert engine.rows("SELECT 1", []) == [(1,)]


def test_a_query_that_needs_too_much_memory_is_ended(tmp_path):
    engine = Engine([tmp_path], memory_mb=50, seconds=60, slots=1)
    with pytest.raises(Problem) as refused:
        engine.rows("SELECT range, repeat('x', 100) || range FROM range(5000000) ORDER BY 2 DESC", [])
    assert (refused.value.status, refused.value.code) == (422, "too-large")


def test_more_queries_than_slots_wait_and_are_then_refused(tmp_path):
    engine = Engine([tmp_path], memory_mb=200, seconds=0.2, slots=1)
    with engine._running(), pytest.raises(Problem) as refused:
        engine.rows("SELECT 1", [])
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})


def test_the_engine_reads_no_file_outside_the_lake(tmp_path):
    lake, outside = tmp_path / "lake", tmp_path / "secret.csv"
    lake.mkdir()
    outside.write_text("a\n1\n")
    engine = Engine([lake], memory_mb=200, seconds=5, slots=1)
    for statement in (
        f"SELECT * FROM read_csv('{outside}')",
        f"SELECT * FROM read_csv('{lake}/../secret.csv')",
        "SET enable_external_access = true",
        "SET memory_limit = '10GB'",
        f"COPY (SELECT 1) TO '{tmp_path}/x.csv'",
        "INSTALL httpfs",
    ):
        with pytest.raises((FileGone, Exception)) as refused:
            engine.rows(statement, [])
        assert "secret" not in str(refused.value) or "Permission" in str(refused.value)


def test_a_query_over_too_many_files_is_refused(environment, contracts, sales, analyst):
    small = replace(environment, read_api=replace(environment.read_api, max_scan_mb=1))
    app = create_app(small, contracts, b"secret")
    app.extensions["headgate_read_api"].reader._max_scan_bytes = 5000
    client = type(analyst)(app, "analyst")
    answer = client.get(ROWS, order="sale_id", limit=300)
    assert (answer.status_code, answer.json["partition_columns"]) == (422, ["sale_date"])


def test_a_page_has_at_most_the_configured_rows(environment, contracts, sales, analyst):
    small = replace(environment, read_api=replace(environment.read_api, max_rows=10))
    client = type(analyst)(create_app(small, contracts, b"secret"), "analyst")
    assert len(client.get(ROWS).json["rows"]) == 10
    assert client.get(ROWS, limit=11).status_code == 400
    assert client.get(f"/v1/tables/{SALES}/aggregates", group_by="sale_id").json["type"].endswith("too-many-groups")


def test_keys_are_rotated_without_a_restart(tmp_path, environment, contracts, sales, analyst):
    def content(key):
        return f"format: 1\nclients: {{a: {{keys: [{{sha256: {digest_of(key)}}}], scopes: {{tables: [gold.*]}}}}}}\n"

    file = tmp_path / "clients.yaml"
    file.write_text(content("first"))
    settings = replace(environment.read_api, keys_file=str(file), clients={})
    app = create_app(replace(environment, read_api=settings), contracts, b"secret")
    assert type(analyst)(app, "first").get(ROWS).status_code == 200
    file.write_text(content("second-key"))
    deadline = threading.Event()
    deadline.wait(timedelta(seconds=1.1).total_seconds())
    assert type(analyst)(app, "second-key").get(ROWS).status_code == 200
    assert type(analyst)(app, "first").get(ROWS).status_code == 401
