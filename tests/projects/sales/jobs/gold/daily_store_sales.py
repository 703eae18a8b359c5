from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table


@table(
    "gold.daily_store_sales",
    reads={"sales": Affected("silver.transactions", by=["sale_date"])},
    writes=Replace(by=["sale_date"], partition_by=["sale_date"]),
    tags=["nightly", "intraday"],
)
def daily_store_sales(sales: DataFrame) -> DataFrame:
    """One row per store and day with sales."""
    return sales.groupBy("sale_date", "store_id", "currency").agg(
        F.count("*").alias("transactions"),
        F.sum(F.size("items")).alias("items"),
        F.sum("total").cast("decimal(18,2)").alias("revenue"),
        F.min("sold_at").alias("first_sale_at"),
        F.max("sold_at").alias("last_sale_at"),
    )
