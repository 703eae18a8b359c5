"""Takes a table back to an earlier version, its position along with it: the next run goes on from there.

A RESTORE does not move the table's transaction version, so a run that was planned before it could still commit
after it; `planned` in each commit's metadata tells, and such a table is rebuilt.
"""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from headgate import faults
from headgate.engine.commit import carrying, new_run_id
from headgate.engine.function import cause_of
from headgate.errors import StorageError, UsageError
from headgate.ledger import Head, Ledger


def target_version(ledger: Ledger, head: Head, to: str) -> int:
    """The version that `to`, a version or a run's name, means. Raises UsageError where it is not before the head."""
    found = int(to) if to.isdigit() else ledger.version_of(head.table, to)
    if found is None:
        raise UsageError(f"no commit of {head.table} was made by run '{to}'", fix=f"headgate history {head.table}")
    if found >= head.version:
        raise UsageError(
            f"{head.table} is at version {head.version}: there is nothing to take back to version {found}",
            fix=f"headgate history {head.table} shows its versions",
        )
    return found


def roll_back(session: SparkSession, ledger: Ledger, head: Head, to: int) -> int:
    """Restores version `to` of a table in one commit that carries the position it had; gives the new version.

    Raises UsageError where that position is not known, StorageError where the version's files are gone.
    """
    owner, lost = ledger.position_at(head.table, to)
    if owner is None or owner.own is None:
        raise UsageError(
            f"the position of {head.table} at version {to} is not known: {lost}",
            fix=f"build it anew instead: headgate run --rebuild -s {head.table}",
        )
    own = {key: value for key, value in owner.own.items() if key not in ("counts", "copied_from")}
    told = {"run": new_run_id(), "planned": head.version, "rolled_back": [head.version, to], "changes_rows": True}
    faults.point(f"before_commit:{head.table}")
    with carrying(session, {**own, **told}):
        try:
            DeltaTable.forPath(session, head.uri).restoreToVersion(to)
        except Exception as error:
            raise StorageError(
                f"version {to} cannot be restored: {cause_of(error)}", where=head.table,
                fix="its files may have been vacuumed: choose a later version, or headgate run --rebuild",
            ) from error  # fmt: skip
    faults.point(f"after_commit:{head.table}")
    return ledger.head(head.table).version
