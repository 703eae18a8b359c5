from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, History, table


@table(
    "gold.dim_products",
    reads={"versions": Affected("silver.products", by=["product_id"])},
    writes=History(keys=["product_id"], sequence_by="updated_at"),
    tags=["nightly"],
)
def dim_products(versions: DataFrame) -> DataFrame:
    """One row per product and time in which nothing about it changed.

    A discontinued product is still sold, returned and reported on: that is an attribute, not a delete.
    """
    return versions.select(
        "product_id",
        "updated_at",
        "name",
        "category",
        "brand",
        "list_price",
        F.coalesce("discontinued", F.lit(False)).alias("discontinued"),
    )
