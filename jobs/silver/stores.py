from pyspark.sql import DataFrame

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.stores",
    reads={"uploads": Changes("bronze.stores")},
    writes=Merge(keys=["store_id"]),
    tags=["nightly"],
)
def stores(uploads: DataFrame) -> DataFrame:
    """One row per store, as last exported."""
    return uploads.select("store_id", "name", "address", "city", "opened_on", "closed_on", SOURCE)
