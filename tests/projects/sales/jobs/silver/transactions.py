from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.transactions",
    reads={"uploads": Changes("bronze.transactions")},
    writes=Merge(keys=["transaction_id"], sequence_by="revised_at", delete_when="voided", partition_by=["sale_date"]),
    tags=["nightly", "intraday"],
)
def transactions(uploads: DataFrame) -> DataFrame:
    """One row per transaction, as last revised, with its items nested."""
    return uploads.select(
        "transaction_id",
        "revised_at",
        "store_id",
        "sold_at",
        F.to_date("sold_at").alias("sale_date"),
        "register",
        "receipt_number",
        "customer_id",
        "payment_method",
        "currency",
        "total",
        "voided",
        "items",
        SOURCE,
    )
