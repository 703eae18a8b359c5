"""Checks for missing and duplicate records, from the stored objects and tables only, without Spark.

`reconcile` yields `Check`s. A check that needs more than stored bytes, such as recomputed slices,
yields its own checks. Only `headgate.cli` imports this package.
"""

from headgate.reconcile.checks import Reconciler
from headgate.reconcile.finding import Check, Finding, Kind, Level, Tally

__all__ = ["Check", "Finding", "Kind", "Level", "Reconciler", "Tally"]
