from pyspark.sql import DataFrame

from headgate import SOURCE, Changes, Merge, table


@table("silver.first_scans", reads={"scans": Changes("silver.scans")}, writes=Merge(keys=["code"]))
def first_scans(scans: DataFrame) -> DataFrame:
    """One row per code that came first in a scan, with the newest such scan."""
    return scans.filter("place = 0").select("code", "scan_id", SOURCE)
