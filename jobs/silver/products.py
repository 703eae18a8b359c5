from pyspark.sql import DataFrame

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.products",
    reads={"uploads": Changes("bronze.products")},
    writes=Merge(keys=["product_id", "updated_at"]),
    tags=["nightly"],
)
def products(uploads: DataFrame) -> DataFrame:
    """One row per version of a product."""
    return uploads.select(
        "product_id",
        "updated_at",
        "name",
        "category",
        "brand",
        "list_price",
        "discontinued",
        SOURCE,
    )
