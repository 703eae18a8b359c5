"""The baseline: a simple, good solution in plain PySpark and Delta.

Raw lines to bronze, typed and cleaned to silver, items, and daily sales. It knows nothing of
Headgate. It takes the care that gives right numbers with this data (a decimal that does not fit,
text that is not UTF-8, corrections, cancelled sales), and no more: a bad line is dropped without
a trace, no row knows where it came from, and a crash between two commits is nobody's concern.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

# `total` has room for digits that it should not have: from_json would round them in silence.
RECORD = """
    transaction_id string, revised_at timestamp, store_id string, sold_at timestamp, register int,
    receipt_number bigint, customer_id string, payment_method string, currency string, total decimal(14,4),
    voided boolean,
    items array<struct<
        line: int, product_id: string, quantity: int, unit_price: decimal(12,2), discount: decimal(12,2)
    >>,
    _corrupt string
"""
REQUIRED = ("transaction_id", "revised_at", "store_id", "sold_at", "currency", "total", "items")
TABLES = ("bronze", "transactions", "items")
GOLD = "gold_of"  # the folder of the gold tables
MONEY = "decimal(12,2)"
T = TypeVar("T")


def build(spark: SparkSession, lake: Path) -> None:
    """Reads the uploads since the last time."""
    sales = build_silver(spark, lake)
    gold = str(lake / GOLD / "daily_store_sales")
    make("gold.daily_store_sales", lambda: overwrite(daily_sales(spark.read.format("delta").load(sales)), gold))


def build_silver(spark: SparkSession, lake: Path) -> str:
    """Sales and their items, from bronze; gives where the sales are."""
    tables = {name: str(lake / name) for name in TABLES}
    bronze = tables["bronze"]
    landing = lake / "landing" / "transactions"
    batch = make("bronze.transactions", lambda: load_bronze(spark, new_files(spark, landing, bronze), bronze))
    touched = make("silver.transactions", lambda: write_sales(spark, batch, tables["transactions"]))
    make("silver.transaction_items", lambda: write_items(spark, touched, tables))
    return tables["transactions"]


def make(table: str, step: Callable[[], T]) -> T:
    """Runs a step. That it is a function of its own lets its time be taken by the table's name."""
    return step()


def new_files(spark: SparkSession, landing: Path, bronze: str) -> list[str]:
    """The files landed in a dataset's folder that its bronze does not have."""
    landed = {str(path) for path in landing.rglob("*.*")}
    if DeltaTable.isDeltaTable(spark, bronze):
        known = spark.read.format("delta").load(bronze).select("file").distinct().collect()
        landed -= {row["file"] for row in known}
    return sorted(landed)


def load_bronze(spark: SparkSession, files: list[str], bronze: str) -> DataFrame:
    """Appends each line as it is; gives the rows of this load."""
    load = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}"
    lines = spark.read.text(files).where("value <> ''")
    rows = lines.select(F.col("value").alias("raw"), file_path(), F.lit(load).alias("load"))
    rows.write.format("delta").mode("append").save(bronze)
    return spark.read.format("delta").load(bronze).where(F.col("load") == load)


def file_path() -> Column:
    """The file that a row was read from."""
    return F.regexp_replace("_metadata.file_path", "^file:/*", "/").alias("file")


def clean(bronze: DataFrame) -> DataFrame:
    """The typed records that are whole, the newest of each transaction."""
    parsed = bronze.where("is_valid_utf8(raw)").select(
        F.from_json("raw", RECORD, {"columnNameOfCorruptRecord": "_corrupt"}).alias("record")
    )
    whole = parsed.select("record.*").where("_corrupt IS NULL").drop("_corrupt").dropna(subset=list(REQUIRED))
    exact = whole.where(F.col("total") == F.col("total").try_cast(MONEY))
    typed = exact.withColumns({"total": F.col("total").cast(MONEY), "sale_date": F.to_date("sold_at")})
    return newest(typed, ("transaction_id",), ("revised_at",))


def newest(rows: DataFrame, keys: tuple[str, ...], order: tuple[str, ...]) -> DataFrame:
    """One row a key: the greatest in an order."""
    newest_first = Window.partitionBy(*keys).orderBy(*(F.col(name).desc() for name in order))
    return rows.withColumn("rank", F.row_number().over(newest_first)).where("rank = 1").drop("rank")


def write_sales(spark: SparkSession, batch: DataFrame, path: str) -> DataFrame | None:
    """One row per transaction; gives the ids that the batch touches, None where the table is made."""
    if not DeltaTable.isDeltaTable(spark, path):
        save(clean(batch).where("NOT coalesce(voided, false)"), "overwrite", path)
        return None
    sales = clean(batch).localCheckpoint()  # computed once for the MERGE and the later steps
    merge_sales(spark, sales, path)
    return sales.select("transaction_id")


def write_items(spark: SparkSession, touched: DataFrame | None, tables: dict[str, str]) -> None:
    """One row per item; those of touched transactions are replaced."""
    sales = spark.read.format("delta").load(tables["transactions"])
    if touched is None:
        save(items_of(sales), "overwrite", tables["items"])
        return
    target = DeltaTable.forPath(spark, tables["items"]).alias("t")
    target.merge(touched.alias("s"), "t.transaction_id = s.transaction_id").whenMatchedDelete().execute()
    save(items_of(sales.join(touched, "transaction_id", "left_semi")), "append", tables["items"])


def merge_sales(spark: SparkSession, sales: DataFrame, path: str) -> None:
    """The newer version of a transaction wins; a cancelled transaction is deleted."""
    merge = DeltaTable.forPath(spark, path).alias("t").merge(sales.alias("s"), "t.transaction_id = s.transaction_id")
    newer = "s.revised_at > t.revised_at"
    merge = merge.whenMatchedDelete(f"{newer} AND s.voided").whenMatchedUpdateAll(newer)
    merge.whenNotMatchedInsertAll("NOT coalesce(s.voided, false)").execute()


def items_of(sales: DataFrame) -> DataFrame:
    """One row per item."""
    items = sales.select("transaction_id", "store_id", "sale_date", F.explode("items").alias("item"))
    discount = F.coalesce("item.discount", F.lit(0).cast(MONEY))
    return items.select(
        "transaction_id",
        "store_id",
        "sale_date",
        "item.line",
        "item.product_id",
        "item.quantity",
        "item.unit_price",
        discount.alias("discount"),
    )


def save(rows: DataFrame, mode: str, path: str) -> None:
    """Writes by day, each day's rows brought together first: few files, and faster."""
    rows.repartition("sale_date").write.format("delta").mode(mode).partitionBy("sale_date").save(path)


def daily_sales(sales: DataFrame) -> DataFrame:
    """Daily sales by store, from all of silver: a correction may have moved a sale to another day."""
    return sales.groupBy("sale_date", "store_id", "currency").agg(
        F.count("*").alias("transactions"),
        F.sum(F.size("items")).alias("items"),
        F.sum("total").cast("decimal(18,2)").alias("revenue"),
        F.min("sold_at").alias("first_sale_at"),
        F.max("sold_at").alias("last_sale_at"),
    )


def overwrite(daily: DataFrame, path: str) -> None:
    """Few rows a day: they need not be brought together."""
    daily.write.format("delta").mode("overwrite").partitionBy("sale_date").save(path)
