"""Takes a table back to an earlier version, its position along with it: the next run goes on from there.

A RESTORE does not move the table's transaction version, so a run that was planned before it could still commit
after it; `planned` in each commit's metadata tells, and such a table is rebuilt.
"""

from __future__ import annotations

import logging

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from headgate import faults
from headgate.engine.delta.carried import carrying, taken_over
from headgate.engine.read.author_errors import cause_of
from headgate.errors import StorageError, UsageError
from headgate.ledger.ledger import Head, Ledger

log = logging.getLogger(__name__)


def roll_back(session: SparkSession, ledger: Ledger, head: Head, to: int) -> int:
    """Restores version `to` of a table in one commit that carries the position it had; gives the new version.

    Raises UsageError where that position is not known, StorageError where the version's files are gone.
    """
    owner, lost = ledger.position_at(head.table, to)
    if owner is None or owner.metadata is None:
        raise UsageError(
            f"the position of {head.table} at version {to} is not known: {lost}",
            fix=f"rebuild the table instead: headgate run --rebuild -s {head.table}",
        )
    faults.point(f"before_commit:{head.table}")
    with carrying(session, taken_over(owner.metadata, head, rolled_back=(head.version, to), changes_rows=True)):
        try:
            DeltaTable.forPath(session, head.uri).restoreToVersion(to)
        except Exception as error:
            raise StorageError(
                f"version {to} cannot be restored: {cause_of(error)}",
                where=head.table,
                fix="its files may have been vacuumed: choose a later version, or headgate run --rebuild",
            ) from error
    faults.point(f"after_commit:{head.table}")
    version = ledger.head(head.table).version
    log.info("%s: version %d restored as version %d", head.table, to, version)
    return version
