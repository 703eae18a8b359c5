"""Attributes of a dimension beside a fact, also where the fact came first."""

from pyspark.sql import Column
from pyspark.sql import functions as F

#: What stands for the attributes of a member that its dimension does not have, or not yet.
UNKNOWN = "unknown"


def member(*names: str) -> list[Column]:
    """Text columns of a dimension's current row that was joined from the left: 'unknown' where there is none."""
    return [F.when(F.col("is_current"), F.col(name)).otherwise(F.lit(UNKNOWN)).alias(name) for name in names]
