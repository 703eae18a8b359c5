"""Gold that Athena could not read is refused before it is committed (invariant 9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.project import Project
from tests.engine.world import World, sale, write_project

GOLD = "gold.daily_store_sales"


@pytest.fixture
def returning(spark, sales_project: Project, tmp_path: Path) -> Callable[[str], World]:
    """The sales project, whose gold table has one more column: an SQL expression with its alias."""

    def world(column: str) -> World:
        names = ["conf/environments/local.yaml", "conf/datasets/transactions.yaml", "jobs/silver/transactions.py"]
        files = {name: (sales_project.root / name).read_text() for name in names}
        files["jobs/gold/daily_store_sales.py"] = f'''
            from pyspark.sql import functions as F

            from headgate import Affected, Replace, table


            @table(
                "{GOLD}",
                reads={{"sales": Affected("silver.transactions", by=["sale_date"])}},
                writes=Replace(by=["sale_date"], partition_by=["sale_date"]),
            )
            def daily_store_sales(sales):
                """One row per day."""
                return sales.groupBy("sale_date").agg(F.count("*").alias("n")).selectExpr("*", "{column}")
            '''
        result = World(spark, write_project(tmp_path / "project", files), tmp_path / "lake")
        result.upload([sale(1)], key="a")
        return result

    return world


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("TIMESTAMP_NTZ'2026-01-01 00:00:00' AS at", "at is timestamp_ntz"),
        ("parse_json('{}') AS raw", "raw is variant"),
        ("n AS Total", "Total has upper case"),
        ("NULL AS nothing", "nothing is void"),
    ],
)
def test_a_column_that_athena_cannot_read_is_refused_and_nothing_is_written(returning, column, reason):
    world = returning(column)
    report = world.run()[GOLD]
    assert (report.status, report.error["code"]) == ("failed", "batch-refused")
    assert f"Athena could not read the table: {reason}" in report.error["what"]
    assert world.version(GOLD) == -1
    assert world.objects(GOLD) == set()


def test_a_table_with_a_feature_that_athena_does_not_read_is_not_written_to(world):
    world.upload([sale(1)], key="a")
    world.run_well()
    path = world.path(GOLD)
    world.spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    before = world.version(GOLD)
    world.upload([sale(2)], key="b")
    report = world.run()[GOLD]
    assert report.status == "failed"
    assert "needs a reader of version 3 (features: deletionVectors" in report.error["what"]
    assert world.version(GOLD) == before
