"""Headgate, a Spark batch framework for EMR: uploads in, Delta tables out, nothing lost between.

The modules of this folder import neither pyspark nor boto3, so that a plan needs no JVM;
`engine` does the work on Spark, `cli` has a thin module per verb.
"""

from headgate.table import SOURCE, Affected, Append, Changes, History, Merge, Replace, Snapshot, table

__all__ = ["SOURCE", "Affected", "Append", "Changes", "History", "Merge", "Replace", "Snapshot", "table"]
__version__ = "0.1.0"
