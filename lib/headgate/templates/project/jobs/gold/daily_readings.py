from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table


@table(
    "gold.daily_readings",
    reads={"readings": Affected("silver.readings", by=["measured_on"])},
    writes=Replace(by=["measured_on"], partition_by=["measured_on"]),
)
def daily_readings(readings: DataFrame) -> DataFrame:
    """One row per day and sensor."""
    return readings.groupBy("measured_on", "sensor_id").agg(
        F.count("*").alias("readings"),
        F.min("celsius").alias("lowest"),
        F.avg("celsius").cast("decimal(5,2)").alias("average"),
        F.max("celsius").alias("highest"),
    )
