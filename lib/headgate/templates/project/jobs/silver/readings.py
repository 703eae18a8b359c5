from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.readings",
    reads={"uploads": Changes("bronze.readings")},
    writes=Merge(keys=["reading_id"], sequence_by="revision", delete_when="withdrawn", partition_by=["measured_on"]),
)
def readings(uploads: DataFrame) -> DataFrame:
    """One row per measurement, in its newest revision."""
    return uploads.select(
        "reading_id",
        "revision",
        "sensor_id",
        "measured_at",
        F.to_date("measured_at").alias("measured_on"),
        "celsius",
        "withdrawn",
        SOURCE,
    )
