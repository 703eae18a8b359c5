"""Adds attributes of a dimension to a fact, also if the fact came first."""

from pyspark.sql import Column
from pyspark.sql import functions as F

#: The attributes of a member that is not in its dimension (yet).
UNKNOWN = "unknown"


def member(*names: str) -> list[Column]:
    """Text columns of a dimension's current row that was joined from the left: 'unknown' where there is none."""
    return [F.when(F.col("is_current"), F.col(name)).otherwise(F.lit(UNKNOWN)).alias(name) for name in names]
