from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table


@table(
    "gold.daily",
    reads={"visits": Affected("silver.visits", by=["day"])},
    writes=Replace(by=["day"], partition_by=["day"]),
)
def daily(visits: DataFrame) -> DataFrame:
    """One row per day with visits, those without a day together."""
    return visits.groupBy("day").agg(
        F.count("*").alias("visits"),
        F.sum("amount").cast("decimal(18,2)").alias("amount"),
    )
