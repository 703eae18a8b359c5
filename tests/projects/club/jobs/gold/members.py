from pyspark.sql import DataFrame

from headgate import Affected, History, table


@table(
    "gold.members",
    reads={"versions": Affected("silver.members", by=["member_id"])},
    writes=History(keys=["member_id"], sequence_by="at", track=["city"], delete_when="gone"),
)
def members(versions: DataFrame) -> DataFrame:
    """One row per member and time in one city."""
    return versions
