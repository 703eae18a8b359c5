"""Maintenance: compacts small files, and removes files that are no longer needed.

No row changes, so dependents have no work. Its commits have a copy of the table's position, which is
valid only if no other commit came between. A run that commits meanwhile wins, and the table is maintained next time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from headgate.contracts.environment import Environment
from headgate.engine.delta.carried import carrying, taken_over
from headgate.engine.delta.races import is_race
from headgate.ledger.ledger import Head, Ledger
from headgate.ledger.metadata import CommitMetadata
from headgate.ledger.record_table import KEY
from headgate.planning.graph import Graph
from headgate.planning.retention import Upkeep, expired_logs, remove_logs
from headgate.table import Merge, slices_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Done:
    """What was done. Files are counts; `skipped` says why nothing was compacted."""

    table: str
    files_before: int
    files_after: int
    removed_files: int
    removed_logs: int
    kept_for: str
    version: int
    skipped: str = ""


def maintain(
    session: SparkSession,
    ledger: Ledger,
    graph: Graph,
    environment: Environment,
    upkeep: Upkeep,
    now: datetime,
    *,
    cluster: bool = False,
) -> Done:
    """Compacts a table if it helps (with `cluster` all of it, sorted by keys), and removes old files."""
    session = session.newSession()
    session.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    # On S3 Delta leaves it out by default, because its own LogStore could lose another's commit there: ours cannot.
    session.conf.set("spark.databricks.delta.vacuum.logging.enabled", "true")
    skipped = ""
    if upkeep.crowded or cluster:
        skipped = _compact(session, ledger, graph, upkeep.head, cluster)
    removed = _vacuum(session, ledger, upkeep, now)
    delta = ledger.open(upkeep.table)
    delta.create_checkpoint()
    logs = expired_logs(environment, upkeep.table, upkeep.bound)
    remove_logs(environment, logs)
    files = len(delta.file_uris())
    log.info(
        "%s: %d files, before %d; removed %d files and %d log files%s",
        *(upkeep.table, files, upkeep.files, removed, len(logs)),
        f"; not compacted: {skipped}" if skipped else "",
    )
    return Done(upkeep.table, upkeep.files, files, removed, len(logs), upkeep.bound.needed_by, delta.version(), skipped)


def _compact(session: SparkSession, ledger: Ledger, graph: Graph, head: Head, cluster: bool) -> str:
    """Gives why not, where another writer came first."""
    optimize = DeltaTable.forPath(session, head.uri).optimize()
    keys = _keys(graph, head.table)
    try:
        with carrying(session, _copied(ledger.head(head.table))):
            if cluster and keys:
                optimize.executeZOrderBy(*keys)
            else:
                optimize.executeCompaction()
    except Exception as error:
        if is_race(error):
            return "another run wrote meanwhile: left for the next time"
        raise
    return ""


def _keys(graph: Graph, table: str) -> list[str]:
    """The columns by which rows are looked up, where they are not folders already. Merge looks by `_key`."""
    node = graph.nodes.get(table)  # quality.results is none of the graph
    writes = node.writes if node else None
    if isinstance(writes, Merge):
        return [KEY]
    by = slices_of(writes) if writes else ()
    return [] if writes is None or set(by) <= set(writes.partition_by) else list(by)


def _vacuum(session: SparkSession, ledger: Ledger, upkeep: Upkeep, now: datetime) -> int:
    """Removes the files that no version within the bound needs; gives how many."""
    hours = upkeep.bound.hours(now)
    if session.sql(f"VACUUM delta.`{upkeep.head.uri}` RETAIN {hours} HOURS DRY RUN").isEmpty():
        return 0
    with carrying(session, _copied(ledger.head(upkeep.table))):
        DeltaTable.forPath(session, upkeep.head.uri).vacuum(hours)
    ended = next((commit for commit in ledger.history(upkeep.table) if commit.operation == "VACUUM END"), None)
    return int(ended.metrics.get("numDeletedFiles", 0)) if ended else 0


def _copied(head: Head) -> CommitMetadata | None:
    """Returns the metadata of a maintenance commit: a copy of the table's position; None where it has none."""
    if head.metadata is None:
        return None
    return taken_over(head.metadata, head, copied_from=head.version, changes_rows=False)
