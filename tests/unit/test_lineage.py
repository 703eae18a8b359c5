"""The sources and readers of a table, and the uploads behind a slice."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import DeltaTable

from headgate.cli import lineage as verb
from headgate.errors import UsageError
from headgate.views import lineage
from tests.unit.lake import DAILY, NOON, Lake

MODULE = '''\
from pyspark.sql import functions as F
from elsewhere import functions as G

from headgate import Affected, Replace, table


@table("gold.x", reads={{}}, writes=None)
def x({parameters}):
    """One row per x."""
    {body}
'''
JOINED = '''\
from headgate import Affected, Replace, Snapshot, table


@table(
    "gold.joined",
    reads={"daily": Affected("gold.daily", by=["day"]), "sales": Affected("silver.sales", by=["day"]),
           "lines": Snapshot("silver.lines", frozen=True)},
    writes=Replace(by=["day"]),
)
def joined(daily, sales, lines):
    """One row per day."""
    return daily
'''


WHOLE = '''\
from headgate import Replace, Snapshot, table


@table("gold.whole", reads={"sales": Snapshot("silver.sales")}, writes=Replace())
def whole(sales):
    """One row per shop."""
    return sales.select("shop")
'''


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Uploads a (sales 1, 2 of day 1 and 3 of day 2) and b (4 of day 1, 5 of day 3), read by two runs each."""
    lake = Lake(tmp_path)
    a, b = lake.land("a"), lake.land("b", NOON + timedelta(days=1))
    lake.bronze(a, run="in-a")
    lake.sales([("1", "north", 1, a), ("2", "south", 1, a), ("3", "north", 2, a)], run="merged-a")
    lake.bronze(b, run="in-b")
    lake.sales([("4", "north", 1, b), ("5", "south", 3, b)], run="merged-b")
    lake.daily([(1, "north"), (1, "south"), (2, "north"), (3, "south")], run="daily")
    lake.lines([("1", "tea"), ("4", "tea"), ("5", "rice")], run="lines")
    return lake


def shown(lake: Lake, table: str, *arguments: str) -> dict[str, Any]:
    result = invoke(lake, table, *arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.output)


def invoke(lake: Lake, table: str, *arguments: str) -> Result:
    return CliRunner().invoke(verb.command, [table, "--project", str(lake.project.root), *arguments])


def traced(lake: Lake, table: str, *slices: str) -> dict[str, int]:
    """Upload key -> how many of its records the slice came from."""
    arguments = [part for text in slices for part in ("--slice", text)]
    keys = {lake.land("a"): "a", lake.land("b", NOON + timedelta(days=1)): "b"}
    return {keys[upload["upload"]]: upload["records"] for upload in shown(lake, table, *arguments)["uploads"]}


# --- the trees


def test_a_table_is_followed_up_to_the_uploads_with_the_kind_and_columns_of_each_read(lake: Lake) -> None:
    shown = invoke(lake, "gold.daily", "--up").output
    assert (
        "made from\n"
        "└─ Affected(silver.sales by day)\n"
        "   └─ Changes(bronze.sales)\n"
        "      └─ uploads of sales, landing/sales/\n"
    ) in shown
    assert "read by" not in shown


def test_a_table_is_followed_down_to_what_reads_it(lake: Lake) -> None:
    shown = invoke(lake, "bronze.sales", "--down").output
    assert (
        "read by\n└─ silver.sales: Changes\n   ├─ gold.daily: Affected by day\n   └─ silver.lines: Affected by id\n"
    ) in shown
    assert "made from" not in shown


def test_without_a_direction_both_are_shown(lake: Lake) -> None:
    assert {"up", "down"} <= set(shown(lake, "silver.sales"))
    assert shown(lake, "gold.daily")["down"] == []


def test_every_read_of_a_table_is_shown(lake: Lake) -> None:
    lake.write("jobs/gold/joined.py", JOINED)
    reads = [(link["table"], link["read"], link["by"]) for link in shown(lake, "gold.joined", "--up")["up"]]
    assert reads == [
        ("gold.daily", "Affected", ["day"]),
        ("silver.sales", "Affected", ["day"]),
        ("silver.lines", "Snapshot", []),
    ]


def test_a_frozen_snapshot_is_shown_as_one(lake: Lake) -> None:
    lake.write("jobs/gold/joined.py", JOINED)
    assert "└─ Snapshot(silver.lines, frozen)" in invoke(lake, "gold.joined", "--up").output
    assert "└─ gold.joined: Snapshot, frozen" in invoke(lake, "silver.lines", "--down").output


# --- columns


def test_what_the_declaration_names_is_shown(lake: Lake) -> None:
    declared = shown(lake, "silver.sales")["declared"]
    assert declared == {"keys": ["id"], "sequence_by": ["revised"], "partition_by": ["day"]}


def test_of_each_column_is_told_what_it_is_or_nothing(lake: Lake) -> None:
    columns = {column["column"]: column["is"] for column in shown(lake, "gold.daily")["columns"]}
    assert columns == {"day": ["silver.sales.day"], "shop": ["silver.sales.shop"], "amount": None}


def test_the_slices_columns_are_told_whatever_the_function_does(lake: Lake) -> None:
    columns = {column["column"]: column["is"] for column in shown(lake, "silver.lines")["columns"]}
    assert columns == {"id": ["silver.sales.id"], "line": None}


@pytest.mark.parametrize(
    ("body", "sources"),
    [
        ('return rows.select("a", F.col("b"), F.col("c").alias("d"))', {"a": "a", "b": "b", "d": "c"}),
        ('return rows.select(F.col("s.x").alias("x"), F.col("s.y"))', {"x": "s.x"}),
        ('return rows.select("*", "a", "_source")', {"a": "a"}),
        ('return rows.select(F.upper("a").alias("b"), F.lit("c"), G.col("d"), e, ["f"])', {}),
        ('return rows.groupBy("a", F.col("b").alias("c")).agg(F.sum("d").alias("e"))', {"a": "a", "c": "b"}),
        ('return rows.filter("a > 1").select("a")', None),
        ('return rows.select("a").distinct()', None),
        ('rows = other(rows)\n    return rows.select("a")', None),
        ('return other.select("a")', None),
        ("return rows", None),
        ("return None", None),
    ],
)
def test_only_plain_forms_of_a_function_tell_columns(body: str, sources: dict[str, str] | None) -> None:
    assert lineage.column_sources(MODULE.format(parameters="rows", body=body), "gold.x") == sources


def test_a_function_of_two_parameters_tells_none() -> None:
    source = MODULE.format(parameters="rows, others", body='return rows.select("a")')
    assert lineage.column_sources(source, "gold.x") is None


def test_a_second_decorator_tells_none() -> None:
    source = MODULE.format(parameters="rows", body='return rows.select("a")').replace("def x", "@wrapped\ndef x")
    assert lineage.column_sources(source, "gold.x") is None


def test_a_select_splits_no_rows_into_groups(lake: Lake) -> None:
    """Another column may be computed over other rows: `F.sum("amount").over(...)`."""
    node = lake.graph.node("gold.daily")
    assert lineage.groups(node, DAILY) == ("day", "shop")
    windowed = DAILY.replace('groupBy("day", "shop").agg(F', 'select("day", "shop", F')
    assert windowed != DAILY and lineage.groups(node, windowed) == ()


# --- slices


def test_a_slice_is_traced_to_the_uploads_of_its_rows_and_no_others(lake: Lake) -> None:
    assert traced(lake, "gold.daily", "day=2026-03-01") == {"a": 2, "b": 1}
    assert traced(lake, "gold.daily", "day=2026-03-02") == {"a": 1}
    assert traced(lake, "gold.daily", "day=2026-03-03") == {"b": 1}


def test_a_column_that_the_rows_are_grouped_by_narrows_the_slice(lake: Lake) -> None:
    assert traced(lake, "gold.daily", "day=2026-03-01", "shop=south") == {"a": 1}


def test_code_that_is_not_plain_or_is_newer_than_the_rows_narrows_nothing(lake: Lake) -> None:
    lake.write("jobs/gold/daily.py", DAILY + "\n# changed\n")
    assert traced(lake, "gold.daily", "day=2026-03-01", "shop=south") == {"a": 2, "b": 1}


def test_a_column_that_is_computed_is_traced_by_the_slices_of_its_rows(lake: Lake) -> None:
    assert traced(lake, "silver.lines", "line=tea") == {"a": 1, "b": 1}
    assert traced(lake, "silver.lines", "line=rice") == {"b": 1}


def test_slices_of_several_columns_are_not_mixed_with_each_other(lake: Lake) -> None:
    days = pa.array([date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 1)])
    lake.commit("gold.daily", pa.table({"day": days, "shop": ["south", "north", "north"], "amount": [7, 7, 9]}))
    assert traced(lake, "gold.daily", "amount=7") == {"a": 2}


def test_each_table_is_named_with_its_version_run_rows_and_the_commits_that_wrote_them(lake: Lake) -> None:
    steps = shown(lake, "gold.daily", "--slice", "day=2026-03-01")["steps"]
    assert [(s["table"], s["version"], s["run"], s["rows"], s["written_by"]) for s in steps] == [
        ("gold.daily", 0, "daily", 2, {"0": "daily"}),
        ("silver.sales", 1, "merged-b", 3, {"1": "merged-b", "0": "merged-a"}),
        ("bronze.sales", 1, "in-b", None, {}),
    ]


def test_each_upload_is_named_with_its_object_and_the_run_that_took_it_in(lake: Lake) -> None:
    result = shown(lake, "gold.daily", "--slice", "day=2026-03-01")["uploads"]
    assert [(item["version"], item["run"]) for item in result] == [(0, "in-a"), (1, "in-b")]
    assert all((lake.environment.folder / item["object"]).exists() for item in result)


def test_the_source_is_read_as_it_was_when_the_table_was_built(lake: Lake) -> None:
    late = lake.land("late")
    lake.bronze(late)
    lake.sales([("6", "north", 2, late)])
    assert traced(lake, "gold.daily", "day=2026-03-02") == {"a": 1}


def test_a_null_is_a_slice(lake: Lake) -> None:
    lake.commit("gold.daily", pa.table({"day": pa.nulls(1, pa.date32()), "shop": ["n"], "amount": [1]}))
    steps = shown(lake, "gold.daily", "--slice", "day=")["steps"]
    assert steps[0]["rows"] == 1


def test_several_driving_reads_are_all_followed_and_a_record_counts_once(lake: Lake) -> None:
    lake.write("jobs/gold/joined.py", JOINED)
    lake.commit("gold.joined", lake.ledger.open("gold.daily").to_pyarrow_dataset().to_table())
    result = shown(lake, "gold.joined", "--slice", "day=2026-03-01")
    assert [step["table"] for step in result["steps"]] == [
        "gold.joined",
        "gold.daily",
        "silver.sales",
        "bronze.sales",
        "silver.sales",
        "bronze.sales",
        "silver.lines",
    ]
    assert result["steps"][-1]["note"] == "read whole: any of its rows may be in the slice"
    assert traced(lake, "gold.joined", "day=2026-03-01") == {"a": 2, "b": 1}


def test_a_source_that_was_not_built_yet_gave_nothing(lake: Lake) -> None:
    lake.write("jobs/gold/joined.py", JOINED)
    at = {
        name: {"id": head.id, "version": head.version}
        for name in ("silver.sales", "silver.lines")
        if (head := lake.ledger.head(name))
    }
    position = {**at, "gold.daily": {"id": "", "version": -1}}
    lake.commit("gold.joined", pa.table({"day": [date(2026, 3, 2)]}), position)
    steps = shown(lake, "gold.joined", "--slice", "day=2026-03-02")["steps"]
    assert [step["table"] for step in steps] == ["gold.joined", "silver.sales", "bronze.sales", "silver.lines"]


def test_what_is_read_whole_is_named_and_not_traced(lake: Lake) -> None:
    lake.write("jobs/gold/whole.py", WHOLE)
    lake.commit("gold.whole", pa.table({"shop": ["north"]}))
    shown = invoke(lake, "gold.whole", "--slice", "shop=north").output
    assert "read whole: any of its rows may be in the slice" in shown
    assert "no uploads: a source that is read whole is not traced by slice" in shown


def test_a_slice_without_rows_says_where_it_ended(lake: Lake) -> None:
    shown = invoke(lake, "silver.lines", "--slice", "line=salt").output
    assert "no uploads: silver.lines has no such row at version 0" in shown


def test_a_person_sees_tables_and_uploads(lake: Lake) -> None:
    shown = invoke(lake, "gold.daily", "--slice", "day=2026-03-01").output
    assert "1 (merged-b), 0 (merged-a)" in shown and lake.land("a") in shown


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("gold.daily", "day", "'day' names no value"),
        ("gold.daily", "dya=2026-03-01", "Did you mean 'day'?"),
        ("gold.daily", "day=monday", "'monday' is not a value of day, which is date32"),
        ("silver.sales", "_state=live", "has no column '_state'"),
        ("bronze.sales", "store=x", "its rows are uploads"),
    ],
)
def test_a_slice_that_cannot_be_is_refused(lake: Lake, table: str, text: str, message: str) -> None:
    error = invoke(lake, table, "--slice", text).exception
    assert isinstance(error, UsageError) and message in str(error)


def test_a_table_that_is_not_built_is_told_so(tmp_path: Path) -> None:
    error = invoke(Lake(tmp_path), "gold.daily", "--slice", "day=2026-03-01").exception
    assert isinstance(error, UsageError) and "gold.daily is not built yet" in str(error)


def test_a_source_whose_files_were_vacuumed_ends_the_trace_with_the_reason(lake: Lake) -> None:
    delta = DeltaTable(lake.environment.table_uri("silver.sales"))
    delta.delete()
    delta.vacuum(0, enforce_retention_duration=False, dry_run=False)
    error = invoke(lake, "gold.daily", "--slice", "day=2026-03-01").exception
    assert isinstance(error, UsageError) and "its files were vacuumed" in str(error)
