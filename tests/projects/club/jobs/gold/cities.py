from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Replace, Snapshot, table


@table("gold.cities", reads={"members": Snapshot("gold.members")}, writes=Replace())
def cities(members: DataFrame) -> DataFrame:
    """One row per city in which a member is now."""
    return members.filter("is_current").groupBy("city").agg(F.count("*").alias("members"))
