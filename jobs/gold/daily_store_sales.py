from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table

STORE_DAY = ["sale_date", "store_id", "currency"]


@table(
    "gold.daily_store_sales",
    reads={
        "sales": Affected("silver.transactions", by=["sale_date"]),
        "returns": Affected("silver.returns", by=["sale_date"]),
    },
    writes=Replace(by=["sale_date"], partition_by=["sale_date"]),
    tags=["nightly", "intraday"],
)
def daily_store_sales(sales: DataFrame, returns: DataFrame) -> DataFrame:
    """One row per store, day and currency with sales or returns."""
    sold = sales.groupBy(STORE_DAY).agg(
        F.count("*").alias("transactions"),
        F.sum(F.size("items")).alias("items"),
        F.sum("total").alias("revenue"),
        F.min("sold_at").alias("first_sale_at"),
        F.max("sold_at").alias("last_sale_at"),
    )
    taken_back = returns.groupBy(STORE_DAY).agg(F.sum("amount").alias("returned"))
    days = sold.join(taken_back, STORE_DAY, "full").fillna(0)
    return days.select(
        *STORE_DAY,
        "transactions",
        "items",
        F.col("revenue").cast("decimal(18,2)").alias("revenue"),
        F.col("returned").cast("decimal(18,2)").alias("returned"),
        (F.col("revenue") - F.col("returned")).cast("decimal(18,2)").alias("net_revenue"),
        "first_sale_at",
        "last_sale_at",
    )
