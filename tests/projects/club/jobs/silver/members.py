from pyspark.sql import DataFrame

from headgate import SOURCE, Changes, Merge, table


@table("silver.members", reads={"uploads": Changes("bronze.members")}, writes=Merge(keys=["member_id", "at"]))
def members(uploads: DataFrame) -> DataFrame:
    """One row per version of a member, including those at which a member left."""
    return uploads.select("member_id", "at", "city", "level", "gone", SOURCE)
