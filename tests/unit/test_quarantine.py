"""The view of a table's rejected records: open or superseded, with every reason, without a JVM."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from headgate.cli import quarantine as verb
from headgate.cli import show
from headgate.errors import UsageError
from headgate.views import quarantine
from tests.unit.lake import MERGED, NOON, Lake

TABLE = "silver.sales"
SCHEMA = pa.schema([("id", pa.string()), *MERGED])
MISSING = ("shop", "required", None)
HOUR = timedelta(hours=1)


def source(upload: str = "u-2", record: int = 5, sequence: datetime | None = NOON, received: datetime = NOON) -> dict:
    return {"upload": upload, "received": received, "record": record, "sequence": sequence}


def rejected(*reasons: tuple, key: str | None = "s-1", seen: datetime = NOON, raw: str = "{}", **where: Any) -> dict:
    """A record in quarantine, with or without a key."""
    details = [dict(zip(("column", "rule", "value"), reason, strict=True)) for reason in reasons or [MISSING]]
    record = {"raw": raw, "reasons": details, "key": key and f'k:["{key}"]', "run": "r-1", "first_seen": seen}
    at = source(**where)
    return {"_key": f'r:["{at["upload"]}","{at["record"]}"]', "_source": at, "_state": "rejected", "_rejected": record}


def row(state: str = "live", **where: Any) -> dict:
    """A row of the key s-1."""
    return {"id": "s-1", "_key": 'k:["s-1"]', "_source": source(**where), "_state": state}


def receipt(upload: str) -> dict:
    details = {"store": "shop-1", "object": f"landing/{upload}"}
    return {"_key": f"u:{upload}", "_source": {"upload": upload}, "_state": "receipt", "_receipt": details}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def commit(lake: Lake, *rows: dict) -> None:
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    write_deltalake(lake.environment.table_uri(TABLE), table, partition_by=["_state"], mode="append")


def records_of(lake: Lake, **how: Any) -> list[dict[str, Any]]:
    return quarantine.rejected(lake.ledger, lake.graph.node(TABLE), **how).to_pylist()


NEWER = {
    "sequence": {"sequence": NOON + HOUR, "received": NOON - HOUR, "upload": "u-1", "record": 0},
    "time of receipt": {"received": NOON + HOUR, "upload": "u-1", "record": 0},
    "upload": {"upload": "u-3", "record": 0},
    "record": {"record": 6},
}
OLDER = {
    "sequence": {"sequence": NOON - HOUR, "received": NOON + HOUR, "upload": "u-3", "record": 9},
    "time of receipt": {"received": NOON - HOUR, "upload": "u-3", "record": 9},
    "upload": {"upload": "u-1", "record": 9},
    "record": {"record": 4},
}


@pytest.mark.parametrize("state", ["live", "deleted"])
@pytest.mark.parametrize("by", NEWER)
def test_a_record_is_superseded_where_a_row_of_its_key_is_newer(lake: Lake, by: str, state: str) -> None:
    commit(lake, rejected(), row(state, **NEWER[by]))
    assert [item["status"] for item in records_of(lake)] == ["superseded"]


@pytest.mark.parametrize("by", OLDER)
def test_a_record_is_open_where_the_row_of_its_key_is_older(lake: Lake, by: str) -> None:
    commit(lake, rejected(), row(**OLDER[by]))
    assert [item["status"] for item in records_of(lake)] == ["open"]


@pytest.mark.parametrize("where", [{"key": "s-2"}, {"key": None}, {"sequence": None}])
def test_a_record_is_open_where_its_place_is_another_or_cannot_be_told(lake: Lake, where: dict[str, Any]) -> None:
    commit(lake, rejected(**where), row(sequence=NOON + HOUR))
    assert [item["status"] for item in records_of(lake)] == ["open"]


def test_a_record_is_shown_with_all_that_is_known_of_it(lake: Lake) -> None:
    reasons = [MISSING, ("items[3].price", "type: int", "x")]
    commit(lake, rejected(*reasons, raw='{"a": 1}'), receipt("u-2"), receipt("u-3"))
    [item] = records_of(lake)
    assert tuple(item) == quarantine.COLUMNS
    assert item.pop("reasons") == [dict(zip(("column", "rule", "value"), reason, strict=True)) for reason in reasons]
    assert item == {
        "status": "open",
        "upload": "u-2",
        "record": 5,
        "store": "shop-1",
        "object": "landing/u-2",
        "received": NOON,
        "key": 'k:["s-1"]',
        "sequence": NOON,
        "run": "r-1",
        "first_seen": NOON,
        "why": "shop required; items[3].price type: int (x)",
        "raw": '{"a": 1}',
        "raw_encoding": None,
    }


def test_what_was_rejected_last_comes_first(lake: Lake) -> None:
    commit(lake, rejected(record=1), rejected(record=3, seen=NOON + HOUR), rejected(record=0))
    assert [item["record"] for item in records_of(lake)] == [3, 0, 1]
    assert [item["record"] for item in records_of(lake, limit=2)] == [3, 0]


@pytest.mark.parametrize(
    ("where", "records"),
    [
        ("", [1, 2, 3]),
        ("record > 1 OR record = 0", [2, 3]),
        ("why LIKE '%type: int%'", [2]),
        ("status = 'open'", [2, 3]),
        ("first_seen >= '2026-03-02T13:00:00'", [3]),
        ("raw LIKE '%it''s%' -- with an apostrophe", [1]),
        ("upload = 'nobody''s'", []),
    ],
)
def test_a_condition_chooses_records(lake: Lake, where: str, records: list[int]) -> None:
    commit(
        lake,
        rejected(record=1, sequence=NOON - HOUR, raw="it's"),
        rejected(("n", "type: int", "x"), record=2),
        rejected(record=3, seen=NOON + HOUR),
        row(record=0),
    )
    assert sorted(item["record"] for item in records_of(lake, where=where)) == records


@pytest.mark.parametrize("where", ["nobody = 1", "status =", "record < 'x'", "status"])
def test_a_wrong_condition_is_refused_with_the_columns(lake: Lake, where: str) -> None:
    commit(lake, rejected())
    with pytest.raises(UsageError) as refused:
        records_of(lake, where=where)
    assert f"--where {where}" in str(refused.value)
    assert "first_seen" in refused.value.fix


@pytest.mark.parametrize(("table", "message"), [("gold.daily", "no quarantine"), (TABLE, "not built yet")])
def test_a_table_without_a_quarantine_is_refused(lake: Lake, table: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        quarantine.rejected(lake.ledger, lake.graph.node(table))


def test_an_empty_quarantine_has_its_columns(lake: Lake) -> None:
    commit(lake, row())
    empty = quarantine.rejected(lake.ledger, lake.graph.node(TABLE))
    assert (empty.num_rows, tuple(empty.column_names)) == (0, quarantine.COLUMNS)


def listed(lake: Lake, *arguments: str) -> str:
    result = CliRunner().invoke(verb.command, ["list", "--project", str(lake.project.root), *arguments])
    assert result.exit_code == 0, result.exception
    return result.output


def test_list_counts_open_and_superseded_records_in_all_and_by_reason(lake: Lake) -> None:
    twice = [("items[0].n", "type: int", "x"), ("items[1].n", "type: int", "y"), MISSING]
    commit(lake, rejected(*twice, record=1, sequence=NOON - HOUR), rejected(record=2), row(record=0))
    [details] = json.loads(listed(lake, "--json"))["tables"]
    assert details == {
        "table": TABLE,
        "open": 1,
        "superseded": 1,
        "reasons": [
            {"column": "shop", "rule": "required", "open": 1, "superseded": 1},
            {"column": "items[].n", "rule": "type: int", "open": 0, "superseded": 1},
        ],
        "whole": {"uploads": 0, "bytes": 0, "records": 0, "uncounted": 0},
    }
    assert "items[].n  type: int     0           1" in listed(lake)


def test_list_names_no_table_that_is_not_built(lake: Lake) -> None:
    assert json.loads(listed(lake, "--json")) == {"tables": []}


def test_show_prints_the_records_that_a_condition_chooses(lake: Lake) -> None:
    commit(lake, rejected(record=1), rejected(record=2))
    where = ["--project", str(lake.project.root), "--format", "json"]
    chosen = CliRunner().invoke(verb.command, ["show", TABLE, "--where", "record = 2", *where]).output
    assert [json.loads(line)["record"] for line in chosen.splitlines()] == [2]
    everything = CliRunner().invoke(show.command, [f"quarantine.{TABLE}", *where]).output
    assert [json.loads(line)["record"] for line in everything.splitlines()] == [1, 2]


def test_a_table_of_records_has_the_columns_that_fit_a_screen(lake: Lake) -> None:
    commit(lake, rejected())
    shown = CliRunner().invoke(verb.command, ["show", TABLE, "--project", str(lake.project.root)]).output
    assert tuple(shown.splitlines()[0].split()) == quarantine.SHORT


def test_a_version_whose_files_are_gone_is_told_as_such(lake: Lake) -> None:
    commit(lake, rejected())
    for file in Path(lake.environment.table_uri(TABLE)).rglob("*.parquet"):
        file.unlink()
    with pytest.raises(FileNotFoundError):
        quarantine.rejected(lake.ledger, lake.graph.node(TABLE), version=0)
