from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table
from jobs.common.members import member


@table(
    "gold.product_performance",
    reads={
        "sales": Affected("gold.fct_sales", by=["product_id"]),
        "products": Affected("gold.dim_products", by=["product_id"]),
    },
    writes=Replace(by=["product_id"]),
    tags=["nightly"],
)
def product_performance(sales: DataFrame, products: DataFrame) -> DataFrame:
    """One row per sold product and currency.

    Name, category and brand are 'unknown' until the product is sent.
    """
    sold = sales.groupBy("product_id", "currency").agg(
        F.countDistinct("transaction_id").alias("transactions"),
        F.sum("quantity").alias("units"),
        F.sum("amount").cast("decimal(18,2)").alias("revenue"),
        F.min("sale_date").alias("first_sold_on"),
        F.max("sale_date").alias("last_sold_on"),
    )
    current = products.filter("is_current").select("product_id", "name", "category", "brand", "is_current")
    return sold.join(current, "product_id", "left").select(
        "product_id",
        "currency",
        *member("name", "category", "brand"),
        "transactions",
        "units",
        "revenue",
        "first_sold_on",
        "last_sold_on",
    )
