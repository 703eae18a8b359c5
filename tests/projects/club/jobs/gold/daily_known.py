from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, Snapshot, table


@table(
    "gold.daily_known",
    reads={"visits": Affected("silver.visits", by=["day"]), "cities": Snapshot("gold.cities")},
    writes=Replace(by=["day"]),
)
def daily_known(visits: DataFrame, cities: DataFrame) -> DataFrame:
    """One row per day with visits, with the number of cities."""
    days = visits.groupBy("day").agg(F.count("*").alias("visits"))
    return days.crossJoin(cities.agg(F.count("*").alias("cities")))
