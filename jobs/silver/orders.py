from pyspark.sql import DataFrame

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.orders",
    reads={"uploads": Changes("bronze.orders")},
    writes=Merge(keys=["order_id", "revised_at", "line"]),
    tags=["nightly", "intraday"],
)
def orders(uploads: DataFrame) -> DataFrame:
    """One row per line of each revision of an order.

    A revision may have fewer lines than the previous revision: the current order consists of all lines of its newest
    revision.
    """
    return uploads.select(
        "order_id",
        "revised_at",
        "line",
        "ordered_at",
        "customer_id",
        "store_id",
        "product_id",
        "quantity",
        "unit_price",
        "status",
        SOURCE,
    )
