"""The retailer's whole model by hand: the baseline of `hand.py`, with every dataset and every gold table.

Small tables are appended, deduplicated and merged; gold is rebuilt
from all of silver each time. It trusts its files: only sales are checked for broken lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import hand
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

STORE_DAY = ["sale_date", "store_id", "currency"]


@dataclass(frozen=True)
class Dataset:
    """The format of a dataset's files, its key, and its order of versions."""

    format: str
    schema: str
    keys: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ("received_at",)


_CSV = {"header": "true", "multiLine": "true", "escape": '"'}
DATASETS = {
    "stores": Dataset(
        "csv",
        "store_id string, name string, address string, city string, opened_on date, closed_on date",
        ("store_id",),
        _CSV,
    ),
    "products": Dataset(
        "csv",
        "product_id string, updated_at timestamp, name string, category string, brand string, "
        "list_price decimal(12,2), discontinued boolean",
        ("product_id", "updated_at"),
        _CSV,
    ),
    "customers": Dataset(
        "json",
        "customer_id string, updated_at timestamp, name string, email string, phone string, city string, "
        "tier string, marketing_consent boolean, deleted boolean",
        ("customer_id", "updated_at"),
        {"multiLine": "true"},
    ),
    "orders": Dataset(
        "csv",
        "order_id string, line int, revised_at timestamp, ordered_at timestamp, customer_id string, store_id string, "
        "product_id string, quantity int, unit_price decimal(12,2), status string",
        ("order_id", "revised_at", "line"),
        _CSV,
    ),
    "returns": Dataset(
        "json",
        "return_id string, revised_at timestamp, returned_at timestamp, transaction_id string, line int, "
        "product_id string, store_id string, customer_id string, quantity int, amount decimal(12,2), "
        "currency string, reason string",
        ("return_id",),
        order=("revised_at", "received_at"),
    ),
}


def build(spark: SparkSession, lake: Path) -> None:
    """Reads the uploads since the last time, in every dataset, and rebuilds gold."""
    for name, dataset in DATASETS.items():
        hand.make(f"silver.{name}", lambda name=name, dataset=dataset: load(spark, lake, name, dataset))
    hand.build_silver(spark, lake)
    for name, rows in GOLD.items():
        hand.make(f"gold.{name}", lambda name=name, rows=rows: write_gold(rows(Lake(spark, lake)), lake, name))


# --- the small datasets


def load(spark: SparkSession, lake: Path, name: str, dataset: Dataset) -> None:
    """Appends the new files' rows to bronze as they are, and merges the newest of each key into silver."""
    bronze, silver = str(lake / "bronze_of" / name), str(lake / "silver_of" / name)
    files = hand.new_files(spark, lake / "landing" / name, bronze)
    if not files:
        return
    raw = spark.read.format(dataset.format).schema(dataset.schema).options(**dataset.options).load(files)
    received_at = F.col("_metadata.file_modification_time").alias("received_at")
    rows = raw.select("*", hand.file_path(), received_at).localCheckpoint()
    rows.write.format("delta").mode("append").save(bronze)
    known = rows.dropna(subset=list(dataset.keys))
    merge(spark, hand.newest(known, dataset.keys, (*dataset.order, "file")), silver, dataset)


def merge(spark: SparkSession, rows: DataFrame, path: str, dataset: Dataset) -> None:
    """A row replaces an older row of its key."""
    if not DeltaTable.isDeltaTable(spark, path):
        rows.write.format("delta").save(path)
        return
    same = " AND ".join(f"t.{key} = s.{key}" for key in dataset.keys)
    theirs, ours = (", ".join(f"{side}.{name}" for name in dataset.order) for side in "st")
    into = DeltaTable.forPath(spark, path).alias("t").merge(rows.alias("s"), same)
    into.whenMatchedUpdateAll(f"({theirs}) >= ({ours})").whenNotMatchedInsertAll().execute()


# --- gold


@dataclass(frozen=True)
class Lake:
    """The tables that gold is made from."""

    spark: SparkSession
    folder: Path

    def read(self, *names: str) -> DataFrame:
        return self.spark.read.format("delta").load(str(self.folder.joinpath(*names)))


def write_gold(rows: DataFrame, lake: Path, name: str) -> None:
    """Rewrites the whole table; partitioned by day if it has a day."""
    path = str(lake / hand.GOLD / name)
    if "sale_date" in rows.columns:
        hand.save(rows, "overwrite", path)
    else:
        rows.write.format("delta").mode("overwrite").save(path)


def dim_customers(lake: Lake) -> DataFrame:
    tracked = ("name", "email", "phone", "city", "tier", "marketing_consent")
    return history(lake.read("silver_of", "customers"), "customer_id", tracked, F.coalesce("deleted", F.lit(False)))


def dim_products(lake: Lake) -> DataFrame:
    rows = lake.read("silver_of", "products").withColumn("discontinued", F.coalesce("discontinued", F.lit(False)))
    return history(rows, "product_id", ("name", "category", "brand", "list_price", "discontinued"), F.lit(False))


def history(rows: DataFrame, key: str, tracked: tuple[str, ...], deleted: Column) -> DataFrame:
    """One row for each time in which nothing about a key changed; none after a delete."""
    in_time = Window.partitionBy(key).orderBy("updated_at")
    state = F.when(~deleted, F.struct(*tracked))
    marked = rows.select(key, *tracked, "updated_at", state.alias("state"))
    before = marked.withColumns({"was": F.lag("state").over(in_time), "number": F.row_number().over(in_time)})
    changed = before.where("number = 1 OR NOT (state <=> was)")
    ended = changed.withColumn("valid_to", F.lead("updated_at").over(in_time)).where("state IS NOT NULL")
    return ended.select(
        key, *tracked, F.col("updated_at").alias("valid_from"), "valid_to", F.isnull("valid_to").alias("is_current")
    )


def dim_stores(lake: Lake) -> DataFrame:
    return lake.read("silver_of", "stores").select("store_id", "name", "address", "city", "opened_on", "closed_on")


def fct_orders(lake: Lake) -> DataFrame:
    lines = lake.read("silver_of", "orders")
    revisions = lines.withColumn("newest", F.max("revised_at").over(Window.partitionBy("order_id")))
    amount = F.sum(F.col("quantity") * F.col("unit_price")).cast("decimal(18,2)")
    first = F.min_by(F.struct("ordered_at", "customer_id", "store_id", "status"), "line")
    orders = (
        revisions.where("revised_at = newest")
        .groupBy("order_id", "revised_at")
        .agg(first.alias("f"), F.count("*").alias("lines"), F.sum("quantity").alias("quantity"), amount.alias("amount"))
    )
    order_date = F.to_date("f.ordered_at").alias("order_date")
    return orders.select("order_id", order_date, "revised_at", "f.*", "lines", "quantity", "amount")


def fct_sales(lake: Lake) -> DataFrame:
    sales = lake.read("transactions").select("transaction_id", "customer_id", "currency")
    amount = (F.col("quantity") * F.col("unit_price") - F.col("discount")).cast("decimal(18,2)")
    return lake.read("items").join(sales, "transaction_id").withColumn("amount", amount)


def daily_store_sales(lake: Lake) -> DataFrame:
    sold, money = hand.daily_sales(lake.read("transactions")), "decimal(18,2)"
    returns = lake.read("silver_of", "returns").withColumn("sale_date", F.to_date("returned_at"))
    returned = returns.groupBy(STORE_DAY).agg(F.sum("amount").cast(money).alias("returned"))
    days = sold.join(returned, STORE_DAY, "full").fillna(0)
    return days.withColumn("net_revenue", (F.col("revenue") - F.col("returned")).cast(money))


def product_performance(lake: Lake) -> DataFrame:
    names = ("name", "category", "brand")
    return named(totals(lake, "product_id", "sold_on"), lake.read(hand.GOLD, "dim_products"), "product_id", names)


def customer_value(lake: Lake) -> DataFrame:
    bought = totals(lake, "customer_id", "bought_on").where("customer_id IS NOT NULL")
    return named(bought, lake.read(hand.GOLD, "dim_customers"), "customer_id", ("city", "tier"))


def totals(lake: Lake, key: str, when: str) -> DataFrame:
    """Sales by a column and currency."""
    return (
        lake.read(hand.GOLD, "fct_sales")
        .groupBy(key, "currency")
        .agg(
            F.countDistinct("transaction_id").alias("transactions"),
            F.sum("quantity").alias("units"),
            F.sum("amount").cast("decimal(18,2)").alias("revenue"),
            F.min("sale_date").alias(f"first_{when}"),
            F.max("sale_date").alias(f"last_{when}"),
        )
    )


def named(rows: DataFrame, dimension: DataFrame, key: str, names: tuple[str, ...]) -> DataFrame:
    """Adds the dimension's current columns to the rows; `unknown` for missing members."""
    current = dimension.where("is_current").select(key, *names, F.lit(True).alias("known"))
    filled = {name: F.when(F.col("known"), F.col(name)).otherwise("unknown") for name in names}
    return rows.join(current, key, "left").withColumns(filled).drop("known")


#: Name -> the table's rows; each may read those before it.
GOLD = {
    make_rows.__name__: make_rows
    for make_rows in (
        dim_customers,
        dim_products,
        dim_stores,
        fct_orders,
        fct_sales,
        daily_store_sales,
        product_performance,
        customer_value,
    )
}
