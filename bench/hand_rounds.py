"""The peer of `latency`: the same uploads through the same 7 or 3 tables, in plain PySpark and Delta.

As a command, with PROJECT, LAKE and TABLES, it builds one round in a process of its own, with Headgate's session.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hand
import whole
from common import environment_on
from pyspark.sql import SparkSession

from headgate.engine.runtime.session import start_session
from headgate.project import Project

#: Tables that the 7 tables read and to which these uploads add nothing: they stay empty, as they do for Headgate.
_EMPTY = {
    "silver_of/returns": whole.DATASETS["returns"].schema + ", received_at timestamp",
    f"{hand.GOLD}/dim_products": "product_id string, name string, category string, brand string, is_current boolean",
    f"{hand.GOLD}/dim_customers": "customer_id string, city string, tier string, is_current boolean",
}
_GOLD = (whole.fct_sales, whole.daily_store_sales, whole.product_performance, whole.customer_value)


def prepare(spark: SparkSession, lake: Path) -> None:
    """Makes the empty tables."""
    for path, schema in _EMPTY.items():
        spark.createDataFrame([], schema).write.format("delta").save(str(lake / path))


def link_landed(landing: Path, lake: Path) -> None:
    """The landed files that a lake does not have yet, as hard links."""
    for path in landing.rglob("*.jsonl"):
        target = lake / "landing" / path.relative_to(landing)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


def build(spark: SparkSession, lake: Path, tables: int) -> None:
    """Reads the uploads since the last time, through 7 tables or 3."""
    if tables == 7:
        hand.build_silver(spark, lake)
        for rows in _GOLD:
            whole.write_gold(rows(whole.Lake(spark, lake)), lake, rows.__name__)
        return
    bronze, sales = (str(lake / name) for name in ("bronze", "transactions"))
    batch = hand.load_bronze(spark, hand.new_files(spark, lake / "landing" / "transactions", bronze), bronze)
    hand.write_sales(spark, batch, sales)
    daily = hand.daily_sales(spark.read.format("delta").load(sales))
    hand.overwrite(daily, str(lake / hand.GOLD / "daily_store_sales"))


def main(project: str, lake: str, tables: str) -> None:
    """Builds a round; the first one makes the empty tables too."""
    session = start_session(environment_on(Project(Path(project)), Path(lake)), small=True)
    if not (Path(lake) / next(iter(_EMPTY))).exists():
        prepare(session, Path(lake))
    build(session, Path(lake), int(tables))
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
