from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.returns",
    reads={"uploads": Changes("bronze.returns")},
    writes=Merge(keys=["return_id"], sequence_by="revised_at", partition_by=["sale_date"]),
    tags=["nightly", "intraday"],
)
def returns(uploads: DataFrame) -> DataFrame:
    """One row per return, as last revised.

    `sale_date` is the day on whose sales it counts: that of the return.
    """
    return uploads.select(
        "return_id",
        "revised_at",
        "returned_at",
        F.to_date("returned_at").alias("sale_date"),
        "transaction_id",
        "line",
        "product_id",
        "store_id",
        "customer_id",
        "quantity",
        "amount",
        "currency",
        "reason",
        SOURCE,
    )
