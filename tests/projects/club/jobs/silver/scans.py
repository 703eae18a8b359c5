from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate import SOURCE, Append, Changes, table


@table("silver.scans", reads={"uploads": Changes("bronze.scans")}, writes=Append())
def scans(uploads: DataFrame) -> DataFrame:
    """One row per code of a scan."""
    return uploads.select("scan_id", F.posexplode("codes").alias("place", "code"), SOURCE)
