from pyspark.sql import DataFrame

from headgate import SOURCE, Append, Changes, table


@table("silver.scan_log", reads={"scans": Changes("silver.scans")}, writes=Append())
def scan_log(scans: DataFrame) -> DataFrame:
    """One row per scanned code that is not empty."""
    return scans.filter("code <> ''").select("code", "scan_id", SOURCE)
