"""Nothing is missing, nothing is there twice: held against the stored bytes and tables alone, without Spark.

`reconcile` yields `Check`s. A check that needs more than stored bytes, such as one that computes slices again,
yields its own beside them. `headgate.cli` alone imports this.
"""

from headgate.reconcile.checks import Reconciler
from headgate.reconcile.finding import Check, Finding, Kind, Level, Tally

__all__ = ["Check", "Finding", "Kind", "Level", "Reconciler", "Tally"]
