"""Mistakes in table functions: each names file and line, fails its own table, and stops the tables that read it.

A single project has all of them and the retailer's own tables, and a single run covers them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from headgate.engine.verbs.table_report import Report
from headgate.project import Project
from tests.contracts import json_lines
from tests.engine.world import World, sale

PROPERTIES = (
    "name: id, logicalType: string, required: true, primaryKey: true",
    "name: code, logicalType: string",
    "name: day, logicalType: string",
    "name: parts, logicalType: array, items: {logicalType: string}",
)
MODULE = '''\
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import SOURCE, Affected, Changes, Merge, Replace, table


@table("{name}", reads={{"rows": {read}}}, writes={writes})
def declared(rows: DataFrame) -> DataFrame:
    """One row per thing."""
    return (
        {body}
    )
'''
DECLARED = "@table("

#: A Merge table of a dataset of its own -> its write, and the result of its function.
MERGES = {
    "dropping": ('Merge(keys=["id"])', 'rows.select("id", "code")'),
    "exploding": ('Merge(keys=["id", "part"])', 'rows.select("id", F.explode("parts").alias("part"), SOURCE)'),
    "dated": ('Merge(keys=["id"])', 'rows.select("id", F.to_date("day").alias("day"), SOURCE)'),
    "cast": ('Merge(keys=["id"])', 'rows.select("id", SOURCE, F.col("day").cast("date").alias("day"))'),
    "cased": ('Merge(keys=["id"], delete_when="gone = 1")', 'rows.select("id", SOURCE)'),
    "coded": ('Merge(keys=["code"])', 'rows.select("code", "id", SOURCE)'),
    "parted": ('Merge(keys=["id", "part"])', 'rows.select("id", F.explode("parts").alias("part"), SOURCE).limit(1)'),
}
#: A Replace table over the sales -> the result of its function.
REPLACES = {
    "random": 'rows.select("sale_date", F.rand().alias("n"))',
    "stamped": 'rows.select("sale_date", F.current_timestamp().alias("at"))',
    "numbered": 'rows.select("sale_date", F.monotonically_increasing_id().alias("n"))',
    "missing": 'rows.select("sale_date", "totl")',
    "own": 'rows.select("sale_date", F.lit(1).alias("_mine"))',
    "nothing": "rows.printSchema()",
    "text": "rows.columns",
    "python": 'rows.select({}["column"])',
    "only": 'rows.select("sale_date").distinct()',
    "elsewhere": 'rows.select("store_id")',
    "doubled": 'rows.select("sale_date", "total", F.lit(1).alias("TOTAL"))',
    "sourced": 'rows.withColumn("_source", F.lit(1))',
    "counted": 'rows.select("sale_date", F.col("transaction_id").cast("int").alias("n"))',
}
#: The report of a failed table: the line of its module, and parts of message and fix.
SAID: dict[str, tuple[str, str, str]] = {
    "silver.dropping": (DECLARED, "the column _source was dropped", "add SOURCE to the select"),
    "silver.exploding": (DECLARED, "Merge accepts one", "explode them in a second table"),
    "silver.dated": ("rows.select", "31.12.2026", "declare the column's type in the contract"),
    "silver.cast": ("rows.select", "31.12.2026", "declare the column's type in the contract"),
    "silver.cased": (DECLARED, "`gone`", ""),
    "gold.random": (DECLARED, "uses rand: a rerun would give other rows", "take the value from the data"),
    "gold.stamped": (DECLARED, "uses current_timestamp: a rerun would give other rows", "take the value from the data"),
    "gold.numbered": (DECLARED, "uses monotonically_increasing_id", ""),
    "gold.missing": ("rows.select", "`totl`", "nothing was written"),
    "gold.own": (DECLARED, "'_mine' begins with '_'", "rename it"),
    "gold.nothing": (DECLARED, "returned NoneType", "return a DataFrame"),
    "gold.text": (DECLARED, "returned list", "return a DataFrame"),
    "gold.python": ("rows.select", "KeyError: 'column'", ""),
    "gold.only": (DECLARED, "all columns are in partition_by", "return another column"),
    "gold.elsewhere": (DECLARED, "names 'sale_date', which the function does not return", ""),
    "gold.doubled": (DECLARED, "two columns have the same name", ""),
    "gold.sourced": (DECLARED, "_source does not belong into this table", "drop it"),
    "gold.counted": ("rows.select", "cannot be cast", "declare the column's type in the contract"),  # in its write
}


def write_module(project: Project, name: str, read: str, writes: str, body: str) -> None:
    path = project.jobs / (name.replace(".", "/") + ".py")
    path.write_text(MODULE.format(name=name, read=read, writes=writes, body=body))


def write_project(sales_project: Project, root: Path) -> Project:
    """The sales project, with an additional table per mistake."""
    for folder in ("conf", "jobs"):
        shutil.copytree(sales_project.root / folder, root / folder)
    project = Project(root)
    for name, (writes, body) in MERGES.items():
        (project.datasets / f"{name}.yaml").write_text(json_lines(name, *PROPERTIES))
        write_module(project, f"silver.{name}", f'Changes("bronze.{name}")', writes, body)
    by_day = 'Replace(by=["sale_date"], partition_by=["sale_date"])'
    for name, body in REPLACES.items():
        write_module(project, f"gold.{name}", 'Affected("silver.transactions", by=["sale_date"])', by_day, body)
    by_id = 'Replace(by=["id"])'
    write_module(project, "gold.child", 'Affected("silver.dated", by=["id"])', by_id, "rows")
    write_module(project, "gold.grandchild", 'Affected("gold.child", by=["id"])', by_id, "rows")
    return project


@dataclass
class Ran:
    """The reports of one run over every mistake."""

    world: World
    reports: dict[str, Report]

    def error(self, table: str) -> dict[str, str]:
        report = self.reports[table]
        assert report.status == "failed"
        assert report.error is not None
        return report.error

    def line_of(self, table: str, text: str) -> str:
        """`file:line` of the first line of a table's module that holds `text`."""
        module = self.world.graph.node(table).module
        lines = (self.world.project.root / module).read_text().splitlines()
        return f"{module}:{next(n for n, line in enumerate(lines, 1) if text in line)}"


@pytest.fixture(scope="module")
def ran(spark: SparkSession, sales_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root = tmp_path_factory.mktemp("authors")
    world = World(spark, write_project(sales_project, root / "project"), root / "lake")
    world.upload([sale(1), sale(2, day=2)], key="sales")
    thing: dict[str, Any] = {"id": "a", "code": "A", "day": "2026-12-31", "parts": ["x", "y"]}
    for name in MERGES:
        things = [thing, {**thing, "id": "b", "code": None, "day": "31.12.2026", "parts": ["z"]}]
        world.land(name, "\n".join(map(json.dumps, things)).encode(), key="things")
    return Ran(world, world.run())


@pytest.mark.parametrize("table", SAID)
def test_a_mistake_fails_its_table_with_message_and_correction(ran, table):
    _, message, fix = SAID[table]
    assert message in ran.error(table)["what"]
    assert fix in ran.error(table)["fix"]


@pytest.mark.parametrize("table", SAID)
def test_a_mistake_names_the_authors_file_and_line(ran, table):
    assert ran.error(table)["where"] == ran.line_of(table, SAID[table][0])


@pytest.mark.parametrize("table", SAID)
def test_a_table_that_fails_writes_nothing(ran, table):
    assert ran.reports[table].version is None
    assert ran.world.raw_rows(table) == []


def test_a_failing_table_stops_its_direct_and_indirect_readers(ran):
    for table in ("gold.child", "gold.grandchild"):
        assert (ran.reports[table].status, ran.reports[table].reason) == ("skipped", "silver.dated failed")


def test_the_siblings_of_failing_tables_are_built(ran):
    built = {name for name, report in ran.reports.items() if report.status == "done" and not name.startswith("bronze.")}
    assert built >= {"silver.transactions", "silver.transaction_items", "gold.daily_store_sales", "silver.coded"}
    assert not built & SAID.keys()
    assert len(ran.world.rows("gold.daily_store_sales")) == 2


def test_a_record_whose_key_the_function_made_null_is_rejected_and_the_rest_passes(ran):
    assert [reasons for _, _, reasons in ran.world.rejected("silver.coded")] == [["code key is null"]]
    assert [row["code"] for row in ran.world.rows("silver.coded")] == ["A"]
    [receipt] = ran.world.receipts("silver.coded").values()
    assert receipt == {"records": 2, "unparsable": 0, "rejected": 1, "no_row": 0, "accepted": 1}


def test_a_function_that_gives_one_row_a_record_passes_though_it_could_give_more(ran):
    assert ran.reports["silver.parted"].status == "done"
    [receipt] = ran.world.receipts("silver.parted").values()
    assert (receipt["accepted"], receipt["no_row"]) == (1, 1)


def test_a_corrected_table_and_its_readers_are_built_by_the_next_run(ran):
    read = 'Changes("bronze.dated")'
    body = 'rows.select("id", F.try_to_timestamp("day").cast("date").alias("day"), SOURCE)'
    write_module(ran.world.project, "silver.dated", read, MERGES["dated"][0], body)
    again = World(ran.world.spark, ran.world.project, ran.world.lake)
    reports = again.run("silver.dated+")
    assert {name: report.status for name, report in reports.items()} == dict.fromkeys(reports, "done")
    assert [row["id"] for row in again.rows("gold.grandchild")] == ["a", "b"]
