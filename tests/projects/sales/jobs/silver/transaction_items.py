from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table


@table(
    "silver.transaction_items",
    reads={"transactions": Affected("silver.transactions", by=["transaction_id"])},
    writes=Replace(by=["transaction_id"], partition_by=["sale_date"]),
    tags=["nightly", "intraday"],
)
def transaction_items(transactions: DataFrame) -> DataFrame:
    """One row per item of a transaction."""
    items = transactions.withColumn("item", F.explode("items"))
    return items.select(
        "transaction_id",
        "store_id",
        "sale_date",
        F.col("item.line").alias("line"),
        F.col("item.product_id").alias("product_id"),
        F.col("item.quantity").alias("quantity"),
        F.col("item.unit_price").alias("unit_price"),
        F.coalesce("item.discount", F.lit(0).cast("decimal(12,2)")).alias("discount"),
    )
