from pyspark.sql import DataFrame

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.customers",
    reads={"uploads": Changes("bronze.customers")},
    writes=Merge(keys=["customer_id", "updated_at"]),
    tags=["nightly"],
)
def customers(uploads: DataFrame) -> DataFrame:
    """One row per version of a customer, those included that say that the customer left."""
    return uploads.select(
        "customer_id",
        "updated_at",
        "name",
        "email",
        "phone",
        "city",
        "tier",
        "marketing_consent",
        "deleted",
        SOURCE,
    )
