from pyspark.sql import DataFrame

from headgate import SOURCE, Changes, Merge, table


@table(
    "silver.visits",
    reads={"uploads": Changes("bronze.visits")},
    writes=Merge(keys=["visit_id"], sequence_by="revision", delete_when="void", partition_by=["day"]),
)
def visits(uploads: DataFrame) -> DataFrame:
    """One row per visit, as last revised."""
    return uploads.select("visit_id", "revision", "member_id", "day", "amount", "void", SOURCE)
