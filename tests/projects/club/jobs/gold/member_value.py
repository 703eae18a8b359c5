from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import Affected, Replace, table


@table(
    "gold.member_value",
    reads={
        "visits": Affected("silver.visits", by=["member_id"]),
        "members": Affected("gold.members", by=["member_id"]),
    },
    writes=Replace(by=["member_id"]),
)
def member_value(visits: DataFrame, members: DataFrame) -> DataFrame:
    """One row per member with visits; the city is unknown until the member is there."""
    spent = visits.groupBy("member_id").agg(
        F.count("*").alias("visits"),
        F.sum("amount").cast("decimal(18,2)").alias("amount"),
    )
    current = members.filter("is_current").select("member_id", F.coalesce("city", F.lit("nowhere")).alias("city"))
    return spent.join(current, "member_id", "left").select(
        "member_id",
        F.coalesce("city", F.lit("unknown")).alias("city"),
        "visits",
        "amount",
    )
