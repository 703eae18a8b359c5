"""The quarantine of a small project: a corrected function, and a table written by `Append`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from headgate.engine.verbs.replay import Replayed
from headgate.suites.quality import Acceptance
from headgate.views import quarantine
from tests.engine.world import World, edit_project, expect, expectation, write_project

pytestmark = pytest.mark.long

CODES = {
    "conf/environments/local.yaml": "lake: lake\nengine: local\n",
    **{
        f"conf/datasets/{name}.yaml": f"""
            apiVersion: v3.1.0
            kind: DataContract
            id: {name}
            version: 1.0.0
            status: active
            team: {{name: tests}}
            schema:
              - name: {name}
                logicalType: object
                properties:
                  - {{name: code, logicalType: string}}
                  - {{name: label, logicalType: string, required: true}}
            customProperties:
              - {{property: headgate.format, value: jsonl}}
        """
        for name in ("codes", "lines")
    },
    "jobs/silver/codes.py": """
        from pyspark.sql import functions as F
        from headgate import SOURCE, Changes, Merge, table

        @table("silver.codes", reads={"rows": Changes("bronze.codes")}, writes=Merge(keys=["code"]))
        def codes(rows):
            '''One row per code.'''
            return rows.select(F.nullif("code", F.lit("-")).alias("code"), "label", SOURCE)
    """,
    "jobs/silver/lines.py": """
        from pyspark.sql import functions as F
        from headgate import SOURCE, Append, Changes, table

        @table("silver.lines", reads={"rows": Changes("bronze.lines")}, writes=Append())
        def lines(rows):
            '''One row per letter of a code.'''
            letters = F.explode(F.split("code", "")).alias("letter")
            return rows.select("label", letters, SOURCE)
    """,
    "jobs/silver/letters.py": """
        from headgate import SOURCE, Append, Changes, table

        @table("silver.letters", reads={"rows": Changes("silver.lines")}, writes=Append())
        def letters(rows):
            '''One row per letter of a code, again.'''
            return rows.select("letter", SOURCE)
    """,
}
NEEDED = "- {name: label, logicalType: string, required: true}"


@pytest.fixture
def codes(spark: SparkSession, tmp_path: Path) -> World:
    return World(spark, write_project(tmp_path / "project", CODES), tmp_path / "lake")


def replayed(world: World, table: str, where: str = "") -> Replayed:
    report, result = world.runner().replay(table, where=where)
    assert result is not None, report.error
    return result


def view(world: World, table: str) -> list[dict[str, Any]]:
    return quarantine.rejected(world.planner().ledger, world.graph.node(table)).to_pylist()


def test_a_record_that_a_corrected_function_can_place_is_released(codes: World) -> None:
    codes.records("codes", [{"code": "-", "label": "x"}, {"code": "a", "label": "y"}], key="first")
    codes.run_well("+silver.codes")
    [before] = view(codes, "silver.codes")
    assert (before["why"], before["key"], before["sequence"]) == ("code key is null", None, before["received"])
    edit_project(codes, codes.project.root, "jobs/silver/codes.py", 'F.nullif("code", F.lit("-"))', 'F.col("code")')
    assert replayed(codes, "silver.codes").released == 1
    assert [row["code"] for row in codes.rows("silver.codes")] == ["-", "a"]
    assert view(codes, "silver.codes") == []


def test_the_rows_of_a_released_record_reach_an_append_table_and_its_readers_once(codes: World) -> None:
    codes.records("lines", [{"code": "ab", "label": "x"}, {"code": "cd"}, {"code": "ef"}], key="first")
    codes.run_well("+silver.letters")
    assert [item["key"] for item in view(codes, "silver.lines")] == [None, None]
    edit_project(codes, codes.project.root, "conf/datasets/lines.yaml", NEEDED, NEEDED.replace(", required: true", ""))
    assert replayed(codes, "silver.lines", "record = 1").counts.inserted == 2
    assert replayed(codes, "silver.lines").counts.inserted == 2
    assert replayed(codes, "silver.lines").records == 0
    [counts] = codes.receipts("silver.lines").values()
    assert counts == {"records": 3, "unparsable": 0, "rejected": 0, "no_row": 0, "accepted": 3}
    assert codes.kinds() == {"silver.letters": "increment"}
    codes.run_well("silver.letters")
    for table in ("silver.lines", "silver.letters"):
        assert sorted(row["letter"] for row in codes.rows(table)) == list("abcdef")


def test_a_table_that_reads_no_upload_has_nothing_to_replay(codes: World) -> None:
    codes.records("lines", [{"code": "ab", "label": "x"}], key="first")
    codes.run_well("+silver.letters")
    report, result = codes.runner().replay("silver.letters")
    assert (report.status, result) == ("failed", None)
    assert "has no quarantine" in report.reason


def test_a_table_that_reads_no_uploads_has_nothing_to_reject_so_a_failing_row_fails_its_batch(codes: World) -> None:
    name = "expect_column_values_to_be_in_set(letter)"
    expect(
        codes,
        codes.project.root,
        "silver.letters",
        expectation(name.partition("(")[0], column="letter", value_set=["a"]),
    )
    codes.records("lines", [{"code": "ab", "label": "x"}], key="first")
    report = codes.run("+silver.letters")["silver.letters"]
    assert report.status == "failed"
    [result] = report.quality
    assert (result["expectation"], result["unexpected"]) == (name, 1)
    assert f"--accept-failed '{name}'" in report.error["fix"]
    report = codes.run("silver.letters", accepted=[Acceptance(name, "ada", "a new letter")])["silver.letters"]
    assert (report.status, report.quarantined) == ("done", 0)
    assert sorted(row["letter"] for row in codes.rows("silver.letters")) == ["a", "b"]
