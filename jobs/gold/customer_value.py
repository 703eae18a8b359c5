from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table
from jobs.common.members import member


@table(
    "gold.customer_value",
    reads={
        "sales": Affected("gold.fct_sales", by=["customer_id"]),
        "customers": Affected("gold.dim_customers", by=["customer_id"]),
    },
    writes=Replace(by=["customer_id"]),
    tags=["nightly"],
)
def customer_value(sales: DataFrame, customers: DataFrame) -> DataFrame:
    """One row per customer with sales and currency.

    Sales without a customer count for nobody. City and tier are 'unknown' until the customer is sent, and again
    once the customer has left.
    """
    bought = (
        sales.filter("customer_id IS NOT NULL")
        .groupBy("customer_id", "currency")
        .agg(
            F.countDistinct("transaction_id").alias("transactions"),
            F.sum("quantity").alias("units"),
            F.sum("amount").cast("decimal(18,2)").alias("revenue"),
            F.min("sale_date").alias("first_bought_on"),
            F.max("sale_date").alias("last_bought_on"),
        )
    )
    current = customers.filter("is_current").select("customer_id", "city", "tier", "is_current")
    return bought.join(current, "customer_id", "left").select(
        "customer_id",
        "currency",
        *member("city", "tier"),
        "transactions",
        "units",
        "revenue",
        "first_bought_on",
        "last_bought_on",
    )
