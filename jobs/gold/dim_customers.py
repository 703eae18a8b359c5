from pyspark.sql import DataFrame

from headgate import Affected, History, table


@table(
    "gold.dim_customers",
    reads={"versions": Affected("silver.customers", by=["customer_id"])},
    writes=History(keys=["customer_id"], sequence_by="updated_at", delete_when="deleted"),
    tags=["nightly"],
)
def dim_customers(versions: DataFrame) -> DataFrame:
    """One row per customer and time in which nothing about the customer changed.

    There is none for the time after a customer left.
    """
    return versions.select(
        "customer_id",
        "updated_at",
        "name",
        "email",
        "phone",
        "city",
        "tier",
        "marketing_consent",
        "deleted",
    )
