from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from headgate import Affected, Replace, table


@table(
    "gold.fct_orders",
    reads={"lines": Affected("silver.orders", by=["order_id"])},
    writes=Replace(by=["order_id"]),
    tags=["nightly", "intraday"],
)
def fct_orders(lines: DataFrame) -> DataFrame:
    """One row per order, as of its newest revision.

    What the lines of an order have in common is taken from the first.
    """
    of_order = Window.partitionBy("order_id")
    newest = lines.withColumn("newest", F.max("revised_at").over(of_order)).filter("revised_at = newest")
    orders = newest.groupBy("order_id", "revised_at").agg(
        F.min_by(F.struct("ordered_at", "customer_id", "store_id", "status"), "line").alias("first"),
        F.count("*").alias("lines"),
        F.sum("quantity").alias("quantity"),
        F.sum(F.col("quantity") * F.col("unit_price")).cast("decimal(18,2)").alias("amount"),
    )
    return orders.select(
        "order_id",
        F.to_date("first.ordered_at").alias("order_date"),
        "first.ordered_at",
        "revised_at",
        "first.status",
        "first.customer_id",
        "first.store_id",
        "lines",
        "quantity",
        "amount",
    )
