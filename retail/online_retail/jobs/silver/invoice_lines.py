from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.invoice_lines",
    reads={"uploads": Changes("bronze.online_retail")},
    # The file says of no line which it is: its place in the upload does.
    writes=Merge(keys=["upload", "line"]),
)
def invoice_lines(uploads: DataFrame) -> DataFrame:
    """One row per line of an invoice, as it was sent."""
    return uploads.select(
        F.col("_source.upload").alias("upload"),
        F.col("_source.record").alias("line"),
        F.col("InvoiceNo").alias("invoice"),
        F.col("StockCode").alias("stock_code"),
        F.col("Description").alias("description"),
        F.col("Quantity").alias("quantity"),
        F.col("InvoiceDate").alias("invoiced_at"),
        F.col("UnitPrice").alias("unit_price"),
        F.col("CustomerID").alias("customer_id"),
        F.col("Country").alias("country"),
        SOURCE,
    )
