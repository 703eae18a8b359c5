"""Inputs of kinds that public bug reports describe, end to end: two runs of one project, and what each table must hold.

Values of partitions, slices, keys and sequences are in `test_values`.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from headgate.cli import lineage, show
from headgate.engine.verbs.table_report import Report
from ingest_api.landing.direct import land_bytes
from tests.contracts import json_lines
from tests.engine.world import World, write_project

ID = "name: id, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1"
DAY, AT, NOTE = "name: day, logicalType: date", "name: at, logicalType: timestamp", "name: note, logicalType: string"
RATIO = 'name: ratio, logicalType: number, physicalType: "double"'
PRICE = 'name: price, logicalType: number, physicalType: "decimal(12,2)"'
NUMBER = 'name: revision, logicalType: integer, physicalType: "int"'
INNER = (
    "name: inner, physicalName: _inner obj, logicalType: object, "
    "properties: [{name: d, physicalName: D`1, logicalType: date}]"
)
DAYS = "name: days, logicalType: array, items: {logicalType: date}"


def contract(name: str, kind: str, *columns: str, **custom: str) -> str:
    text = json_lines(name, *columns).replace("value: jsonl}", f"value: {kind}}}")
    return text + "".join(
        f"  - {{property: headgate.csv.{key}, value: {json.dumps(value)}}}\n" for key, value in custom.items()
    )


CONTRACTS = {
    "scalars": contract("scalars", "jsonl", ID, DAY, AT, RATIO, PRICE, INNER, DAYS),
    "cells": contract("cells", "csv", f"{ID}, physicalName: Record ID", DAY, AT, RATIO, PRICE),
    "tills": contract("tills", "csv", ID, NOTE),
    "items": contract("items", "csv", ID, NOTE, escape="\\"),
    "ids": contract("ids", "csv", ID),
    "events": contract("events", "json_array", ID, NOTE),
    "lines": contract("lines", "jsonl", ID, NOTE),
    "devices": contract("devices", "parquet", ID, NOTE),
    "members": contract("members", "jsonl", ID, NOTE),
    "ops": contract("ops", "jsonl", ID, NOTE, NUMBER),
    "sales": contract("sales", "jsonl", ID, DAY, NOTE, PRICE, NUMBER),
    "changes": contract("changes", "jsonl", ID, NOTE, AT, PRICE),
}
WRITES = {
    "ops": """Merge(["id"], sequence_by="revision", delete_when="note = 'D'")""",
    "sales": 'Merge(["id"], sequence_by="revision")',
    "changes": "Append()",
}
SILVER = '''
from headgate import SOURCE, Append, Changes, Merge, table

@table("silver.{name}", reads={{"uploads": Changes("bronze.{name}")}}, writes={writes})
def {name}(uploads):
    """One row per id."""
    return uploads
'''
GOLD = '''
from pyspark.sql import functions as F
from headgate import Affected, History, Replace, table

@table("gold.{name}", reads={{"rows": Affected("silver.{source}", by=["{by}"])}}, writes={writes})
def {name}(rows):
    """One row per slice."""
    return {rows}
'''
BY_DAY = 'Replace(by=["day"])'
SUM = 'rows.groupBy("day").agg(F.sum("price").alias("{}"))'
TABLES = {  # name: source, by, write, rows
    "daily": ("sales", "day", 'Replace(by=["day"], partition_by=["day"])', SUM.format("total")),
    "dotted": ("sales", "day", BY_DAY, SUM.format("total.sum")),
    "spaced": ("sales", "day", BY_DAY, SUM.format("total sum")),
    "inside": (
        "sales",
        "day",
        BY_DAY,
        'rows.groupBy("day").agg(F.first(F.struct(F.col("id").alias("a b"))).alias("s"))',
    ),
    "pivoted": ("sales", "day", BY_DAY, 'rows.groupBy("day").pivot("note").agg(F.sum("price"))'),
    "outside": ("sales", "day", BY_DAY, 'rows.select(F.date_add("day", 1).alias("day")).distinct()'),
    "unknown": ("sales", "dya", 'Replace(by=["dya"])', 'rows.select(F.col("day").alias("dya"))'),
    "history": ("changes", "id", """History(["id"], sequence_by="at", delete_when="note = 'gone'")""", "rows"),
}
#: Upload -> its bytes.
UPLOADS: dict[str, list[bytes]] = {
    "tills": [
        b"\xef\xbb\xbfid,note\nt1,a\n\xef\xbb\xbfid,note\nt2,c\n",
        b"id,note\nt4,d\n\xef\xbb\xbft5,e\n",
        b"id,note\nt6,d\nid,note\nt7,e\n",
        "id,note\nt8,Köln\n".encode("utf-16"),
        "id,größe\nt9,x\n".encode("cp1252"),
    ],
    "items": [
        b'id,note\np1,"10\\" hose"\np2,"a, b"\np3,"C:\\new\\temp"\np4,D:\\data\np5,\\N\n',
        b'id,note\np6,"10" hose"\n',
        b'id,note\np7,"a ""b"" c"\n',
    ],
    "ids": [b'id\nx\n\ny\n""\n'],
    "events": [
        b'[{"id": "1", "note": "a"}, {"id": "2", "note": "line\nbreak"}, {"id": "3"}]',
        b'[{"id": "4"}, {"id": "5", "note": "C:\\q"}, {"id": "6"}]',
    ],
    "lines": ['{"id": "1"}\n{"id": "2"}'.encode("utf-16-be")],
}
SCALARS: dict[str, tuple[str, Any, Any]] = {  # id: column, what is sent, and the value; Ellipsis where it is rejected
    "day": ("day", "2026-03-01", "2026-03-01"),
    "day with time": ("day", "2026-03-01T10:00", "2026-03-01"),
    "number as day": ("day", 9131, ...),
    "small number as day": ("day", 5000, ...),
    "number as moment": ("at", 4711, ...),
    "number inside": ("inner", {"d": 9131}, ...),
    "day inside": ("inner", {"d": "2026-03-01"}, "{'d': datetime.date(2026, 3, 1)}"),
    "number in list": ("days", ["2026-03-01", 4711], ...),
    "range": ("day", "2026-03-01 to 2026-03-07", ...),
    "remark": ("day", "2026-03-01 (tbc)", ...),
    "hour 25": ("day", "2026-03-01T25:00:00", ...),
    "zone name": ("at", "2026-03-29 02:30:00 Europe/Berlin", ...),
    "short zone name": ("at", "2026-03-01 10:00:00 CST", ...),
    "without seconds": ("at", "2026-03-01T10:00Z", "2026-03-01 10:00:00+00:00"),
    "offset": ("at", "2026-03-01T10:00+0100", "2026-03-01 09:00:00+00:00"),
    "offset of hours": ("at", "2026-03-01T10:00 -05", "2026-03-01 15:00:00+00:00"),
    "last moment": ("at", "9999-12-31T23:59:59Z", "9999-12-31 23:59:59+00:00"),
    "beyond": ("at", "9999-12-31T23:59:59-05:00", ...),
    "before": ("at", "0001-01-01T00:00:00+02:00", ...),
    "suffix D": ("ratio", "12D", ...),
    "suffix f": ("ratio", "3f", ...),
    "hexadecimal": ("ratio", "0x1p4", ...),
    "out of range": ("ratio", "1e400", ...),
    "underscore": ("ratio", "1_000", ...),
    "spaces": ("ratio", " 7 ", "7.0"),
    "not a number": ("ratio", "NaN", "nan"),
    "infinity": ("ratio", "Infinity", "inf"),
    "price": ("price", "12.50", "12.50"),
    "arabic digits": ("price", "١٢.٥٠", ...),
    "wide digits": ("price", "１２.５０", ...),
    "minus sign": ("price", "−12.50", ...),
}
CELLS = {name: case for name, case in SCALARS.items() if isinstance(case[1], str)}


@dataclass(frozen=True)
class Cases:
    """The lake after two runs, and their reports."""

    world: World
    first: Mapping[str, Report]
    second: Mapping[str, Report]

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in self.world.rows(table)}

    def reasons(self, table: str) -> list[str]:
        rejected = [row for row in self.world.raw_rows(table) if row.get("_state") == "rejected"]
        return [f"{r['column']} {r['rule']} {r['value']}" for row in rejected for r in row["_rejected"]["reasons"]]

    def command(self, command: Any, *args: str) -> Result:
        place = ["--project", str(self.world.project.root)]
        environ = {"HEADGATE_LAKE": str(self.world.lake)}
        return CliRunner().invoke(command, [*args, *place], env=environ)


def files_of_project() -> dict[str, str]:
    files = {"conf/environments/local.yaml": "lake: lake\nengine: local\n"}
    for name, text in CONTRACTS.items():
        files[f"conf/datasets/{name}.yaml"] = text
        files[f"jobs/silver/{name}.py"] = SILVER.format(name=name, writes=WRITES.get(name, 'Merge(["id"])'))
    for name, (source, by, writes, rows) in TABLES.items():
        files[f"jobs/gold/{name}.py"] = GOLD.format(name=name, source=source, by=by, writes=writes, rows=rows)
    return files


def sale(name: str, day: int, note: str, price: str, revision: int = 1) -> dict[str, Any]:
    return {"id": name, "day": f"2026-03-{day:02d}", "note": note, "price": price, "revision": revision}


@pytest.fixture(scope="module")
def cases(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Cases:
    root = tmp_path_factory.mktemp("cases")
    world = World(spark, write_project(root, files_of_project()), root / "lake")
    for dataset, bodies in UPLOADS.items():
        for number, body in enumerate(bodies):
            world.land(dataset, body, key=f"{dataset}-{number}")
    world.records("scalars", [{"id": name, column: value} for name, (column, value, _) in SCALARS.items()], key="s")
    world.records("cells", [{"id": name, column: value} for name, (column, value, _) in CELLS.items()], key="c")
    for number, body in enumerate(parquet_files()):
        world.land("devices", body, key=f"devices-{number}")
    land_at_once(world)
    world.records("sales", [sale("s1", 1, "card", "5.00"), sale("s2", 2, "cash", "7.00")], key="sales-1")
    history = [("a", "here", 1, 1), ("a", "gone", 2, 1), ("a", "here", 2, 2)]  # id, note, day, price
    history += [("b", "here", 1, 1), ("b", "gone", 2, 1), ("b", "gone", 2, 3)]
    changes = [
        {"id": name, "note": note, "at": f"2026-03-{day:02d}T00:00:00Z", "price": price}
        for name, note, day, price in history
    ]
    world.records("changes", changes, key="changes")
    first = world.run()
    world.records("sales", [sale("s1", 1, "voucher", "6.00", 2), sale("s2", 2, "cash", "8.00", 2)], key="sales-2")
    return Cases(world, first, world.run())


def land_at_once(world: World) -> None:
    """Four uploads of a key, and a deleted one, by the receiver's own code, one after the other within a moment."""
    for number, name in enumerate(("first", "second", "third", "final")):
        for dataset, record in (
            ("members", {"id": "A", "note": name}),
            ("ops", {"id": "A", "note": "D" if name == "final" else "U", "revision": 1}),
        ):
            contract = world.graph.contract_of(f"bronze.{dataset}")
            body = json.dumps(record).encode()
            land_bytes(world.environment, contract, "store-1", f"{name}-{number}", body, False)


def parquet_files() -> list[bytes]:
    """A join's output with a column that comes twice; UUIDs; JSON as a text with that meaning."""
    twice = pa.Table.from_arrays([pa.array(["o1"]), pa.array(["a"]), pa.array(["b"])], names=["id", "note", "note"])
    number = pa.array([uuid.UUID("550e8400-e29b-41d4-a716-446655440000").bytes], pa.binary(16))
    uuids = pa.table({"id": pa.ExtensionArray.from_storage(pa.uuid(), number), "note": ["x"]})
    text = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}']))
    return [_parquet(table) for table in (twice, uuids, pa.table({"id": ["d3"], "note": text}))]


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@pytest.mark.parametrize("name", SCALARS)
def test_a_scalar_is_read_by_the_grammar_or_rejected(cases: Cases, name: str) -> None:
    column, sent, expected = SCALARS[name]
    check_scalar(cases, "silver.scalars", name, column, expected)
    if isinstance(sent, str):
        check_scalar(cases, "silver.cells", name, column, expected)


def check_scalar(cases: Cases, table: str, name: str, column: str, expected: Any) -> None:
    row = cases.rows(table).get(name)
    if expected is ...:
        assert row is None, f"{table}: {row} was accepted"
        assert any(column in reason for reason in cases.reasons(table))
    else:
        assert row is not None, cases.reasons(table)
        assert str(row[column]) == expected


def test_every_record_is_a_row_or_in_quarantine(cases: Cases) -> None:
    for table, sent in (("silver.scalars", SCALARS), ("silver.cells", CELLS)):
        assert len(cases.rows(table)) + len(cases.world.rejected(table)) == len(sent)


def test_a_column_may_have_another_name_in_the_upload_and_a_reason_has_that_name(cases: Cases) -> None:
    assert "_inner obj.D`1 type: date 9131" in cases.reasons("silver.scalars")
    assert len(cases.rows("silver.cells")) > 5  # its header has `Record ID`


def test_joined_csv_files_give_no_header_and_no_mark_as_a_row(cases: Cases) -> None:
    assert set(cases.rows("silver.tills")) == {"t1", "t2", "t4", "t6", "t7"}


def test_another_encoding_is_named(cases: Cases) -> None:
    reasons = "\n".join(cases.reasons("silver.tills"))
    assert "UTF-16" in reasons
    assert "not UTF-8" in reasons
    (reason,) = map(str.strip, cases.reasons("silver.lines"))
    assert reason.startswith("unparsable upload UTF-16")


def test_an_escape_alters_no_other_character_and_text_after_a_quote_is_refused(cases: Cases) -> None:
    notes = {name: row["note"] for name, row in cases.rows("silver.items").items()}
    assert notes == {"p1": '10" hose', "p2": "a, b", "p3": r"C:\new\temp", "p4": r"D:\data", "p5": r"\N"}
    assert [reason.split()[0] for reason in cases.reasons("silver.items")] == ["unparsable", "unparsable"]


def test_a_blank_line_of_one_column_is_an_empty_value(cases: Cases) -> None:
    assert set(cases.rows("silver.ids")) == {"x", "y"}
    assert [reason.split()[:2] for reason in cases.reasons("silver.ids")] == [["id", "required"]] * 2


def test_one_bad_element_of_an_array_is_rejected_alone(cases: Cases) -> None:
    assert set(cases.rows("silver.events")) == {"1", "3", "4", "6"}
    assert len(cases.world.rejected("silver.events")) == 2


def test_parquet_with_a_column_twice_is_refused_and_uuid_and_json_are_text(cases: Cases) -> None:
    notes = {name: row["note"] for name, row in cases.rows("silver.devices").items()}
    assert notes == {"550e8400-e29b-41d4-a716-446655440000": "x", "d3": '{"a":1}'}
    assert "note" in cases.reasons("silver.devices")[0]


def test_of_uploads_within_a_second_the_last_one_wins(cases: Cases) -> None:
    assert cases.rows("silver.members")["A"]["note"] == "final"
    assert cases.rows("silver.ops") == {}


def test_a_replaced_partition_counts_its_rows(cases: Cases) -> None:
    assert [report["gold.daily"].written for report in (cases.first, cases.second)] == [2, 2]
    assert cases.second["gold.daily"].counts == {"inserted": 2, "deleted": 2}


@pytest.mark.parametrize(
    ("table", "what", "fix"),
    [
        ("gold.dotted", "the column name 'total.sum' has a character", "letters, digits and _"),
        ("gold.spaced", "the column name 'total sum' has a character", "letters, digits and _"),
        ("gold.inside", "the column name 'a b' has a character", "letters, digits and _"),
        ("gold.pivoted", "its columns depend on the data: ca", "pivot(column, [values])"),
        ("gold.outside", "gave a row of the slice day=2026-03-0", "as they are"),
        (
            "gold.unknown",
            "silver.sales has no column 'dya', which Affected(by=...) names. Did you mean 'day'?",
            "id, day",
        ),
    ],
)
def test_a_table_that_could_not_go_on_is_refused_at_its_first_build_with_advice(
    cases: Cases, table: str, what: str, fix: str
) -> None:
    for reports in (cases.first, cases.second):
        error = reports[table].error
        assert error is not None
        assert what in error["what"]
        assert fix in error["fix"]
        assert error["where"].startswith(f"jobs/gold/{table.removeprefix('gold.')}.py:")
    assert cases.world.version(table) == -1


def test_a_delete_at_the_instant_of_another_version_does_not_count(cases: Cases) -> None:
    rows = cases.world.rows("gold.history")
    intervals = sorted((r["id"], int(r["price"]), r["valid_from"].day, r["is_current"]) for r in rows)
    assert intervals == [("a", 1, 1, False), ("a", 2, 2, True), ("b", 1, 1, False)]


def test_show_prints_json_also_of_what_json_has_no_number_for(cases: Cases) -> None:
    printed = cases.command(show.command, "silver.scalars", "--format", "json", "--limit", "0")
    assert printed.exit_code == 0, printed.output

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    rows = [json.loads(line, parse_constant=refuse) for line in printed.output.splitlines()]
    assert {row["ratio"] for row in rows if isinstance(row["ratio"], str)} == {"NaN", "Infinity"}


def test_lineage_sees_a_row_beside_the_last_moment_of_time(cases: Cases) -> None:
    shown = cases.command(lineage.command, "silver.scalars", "--slice", "id=last moment")
    assert shown.exit_code == 0, shown.output
    assert "no such row" not in shown.output


def test_nothing_is_left_to_do(cases: Cases) -> None:
    failing = {name for name, report in cases.second.items() if report.error}
    assert {name for name in cases.world.kinds() if name not in failing} == set()
