"""Gold must be readable by Athena: checked before anything is written (`headgate.checks.athena` has the rules)."""

from __future__ import annotations

from pyspark.sql import DataFrame

from headgate.checks.athena import unreadable_columns, unreadable_protocol
from headgate.engine.write.outcome import Job
from headgate.errors import BatchRefused
from headgate.ledger.ledger import schema_of

_GOLD = "gold"


def require_athena(rows: DataFrame, job: Job) -> None:
    """Raises BatchRefused where a gold table would have columns, or has a protocol, that Athena cannot read.

    rows: the table's rows as they would be committed; only their schema is looked at.
    """
    if job.node.layer != _GOLD:
        return
    partitions = job.node.writes.partition_by if job.node.writes else ()
    columns = unreadable_columns(schema_of(rows.schema.json()), partitions)
    if columns:
        raise BatchRefused(
            f"Athena could not read the table: {'; '.join(f'{name} {reason}' for name, reason in columns)}",
            where=f"{job.node.module}:{job.node.line}",
            fix="correct the function, and the table's contract if it has one; nothing was written",
        )
    _require_protocol(job)


def _require_protocol(job: Job) -> None:
    """Refuses a table that something else has given a feature which Athena does not read. A rebuild replaces it."""
    head = job.work.head
    delta = job.committer.ledger.open(job.node.name, head.version) if head.exists else None
    if delta is None:
        return
    protocol = delta.protocol()
    features, properties = protocol.reader_features or (), delta.metadata().configuration
    if reasons := unreadable_protocol(protocol.min_reader_version, features, properties):
        raise BatchRefused(
            f"Athena cannot read the table: {'; '.join(reasons)}",
            where=job.node.name,
            fix="restore an earlier version (headgate rollback), or drop the feature in Spark: "
            f"ALTER TABLE delta.`{head.uri}` DROP FEATURE <name>; nothing was written",
        )
