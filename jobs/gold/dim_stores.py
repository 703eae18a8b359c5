from pyspark.sql import DataFrame

from headgate import Affected, Replace, table


@table(
    "gold.dim_stores",
    reads={"stores": Affected("silver.stores", by=["store_id"])},
    writes=Replace(by=["store_id"]),
    tags=["nightly"],
)
def dim_stores(stores: DataFrame) -> DataFrame:
    """One row per store, as it is now."""
    return stores.select("store_id", "name", "address", "city", "opened_on", "closed_on")
