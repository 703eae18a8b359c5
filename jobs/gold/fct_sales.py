from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table


@table(
    "gold.fct_sales",
    reads={"items": Affected("silver.transaction_items", by=["sale_date"])},
    writes=Replace(by=["sale_date"], partition_by=["sale_date"]),
    tags=["nightly", "intraday"],
)
def fct_sales(items: DataFrame) -> DataFrame:
    """One row per sold item.

    It carries ids only, so that no late customer or product makes it wrong.
    """
    paid = F.col("quantity") * F.col("unit_price") - F.col("discount")
    return items.select(
        "sale_date",
        "transaction_id",
        "line",
        "store_id",
        "customer_id",
        "product_id",
        "quantity",
        "unit_price",
        "discount",
        paid.cast("decimal(18,2)").alias("amount"),
        "currency",
    )
