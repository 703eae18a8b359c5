"""`quality.results`: the results of suites, one row per expectation and batch, as a Delta table.

It is filled from the metadata of the tables' commits. After a run that was killed the next run continues after the
last version of each table that is recorded, so no result is lost. A batch that failed has no commit; its results are
only here and in the run's report. No decision depends on this table, and it is not part of the graph.
Written by `deltalake`, without a JVM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from headgate.contracts.environment import Environment
from headgate.errors import StorageError, UsageError
from headgate.lake.dataset import dataset_of
from headgate.ledger.ledger import Commit, Head, Ledger
from headgate.ledger.metadata import USER_METADATA, CommitMetadata
from headgate.ledger.position import Position, SourcePosition

TABLE = "quality.results"
#: The columns that fit a screen.
SHORT = ("table", "version", "at", "expectation", "severity", "success", "judged", "unexpected", "observed")

_SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("table", pa.string()),
        ("table_id", pa.string()),
        ("version", pa.int64()),
        ("at", pa.timestamp("us", "UTC")),
        ("expectation", pa.string()),
        ("type", pa.string()),
        ("columns", pa.list_(pa.string())),
        ("kind", pa.string()),
        ("severity", pa.string()),
        ("success", pa.bool_()),
        ("judged", pa.int64()),
        ("unexpected", pa.int64()),
        ("observed", pa.string()),
        ("examples", pa.list_(pa.string())),
        ("accepted_by", pa.string()),
        ("reason", pa.string()),
    ]
)
#: The most commits without a result that each run may read again.
_MOST_AGAIN = 20
#: Its log has the position of recorded results, so it is not cleaned.
_PROPERTIES = {"delta.enableExpiredLogCleanup": "false"}


@dataclass(frozen=True)
class Failed:
    """The results on a batch that its suite refused: the run committed nothing to `table`."""

    table: str
    run: str
    at: datetime
    results: Sequence[Mapping[str, Any]]


def record(environment: Environment, tables: Iterable[str], failed: Iterable[Failed]) -> int:
    """Adds the results of `tables` that are not recorded yet, and those of failed batches; gives how many rows.

    The position in the newest commit says up to which version each table is recorded. A table with another id is
    recorded from its first version. Raises the errors of `deltalake` and of the lake.
    """
    ledger = Ledger(environment)
    head = ledger.head(TABLE)
    if head.exists and head.commit is None:
        raise StorageError(f"the position of recorded results is unknown: {head.lost}", where=TABLE)
    recorded = dict(head.position.sources) if head.position else {}
    rows = [row for batch in failed for row in _of_failed(batch)]
    lag = 0
    for table in tables:
        since, upto = _range(ledger, table, recorded.get(table))
        commits = ledger.commits(table, since, upto.version)
        rows += [row for commit in commits for row in _of_commit(table, upto.id, commit)]
        lag = max(lag, upto.version - since)
        recorded[table] = upto
    if rows or lag > _MOST_AGAIN:
        _append(ledger, head, rows, recorded)
    return len(rows)


def newest(ledger: Ledger, limit: int | None, version: int | None = None) -> pa.Table:
    """What is recorded, the newest first; within a batch in its suite's order. Raises UsageError where nothing is."""
    delta = ledger.open(TABLE, version)
    if delta is None:
        raise UsageError(f"{TABLE} is not built yet", fix="it is, with the first run of a table that has a suite")
    return dataset_of(delta).to_table().sort_by([("at", "descending")]).slice(0, limit)


def _range(ledger: Ledger, table: str, recorded: SourcePosition | None) -> tuple[int, SourcePosition]:
    """Returns the version after which a table is not recorded yet, and the table's id and newest version."""
    delta = ledger.open(table)
    if delta is None:
        return -1, SourcePosition("", -1)
    at = SourcePosition(str(delta.metadata().id), int(delta.version()))
    return (recorded.version if recorded and recorded.id == at.id else -1), at


def _of_commit(table: str, id_: str, commit: Commit | None) -> list[dict[str, Any]]:
    """The rows of a commit; none where it has no results, or was cleaned up."""
    if commit is None or commit.metadata is None:
        return []
    batch = {"run": commit.run, "table": table, "table_id": id_, "version": commit.version, "at": commit.time}
    accepted = {acceptance.expectation: acceptance for acceptance in commit.metadata.accepted}
    rows = []
    for result in commit.metadata.quality:
        by = accepted.get(result.expectation)
        rows.append({**result.as_dict(), **batch, "accepted_by": by and by.by, "reason": by and by.reason})
    return rows


def _of_failed(batch: Failed) -> list[dict[str, Any]]:
    return [{**result, "run": batch.run, "table": batch.table, "at": batch.at} for result in batch.results]


def _append(ledger: Ledger, head: Head, rows: list[dict[str, Any]], recorded: Mapping[str, SourcePosition]) -> None:
    """A commit by compare-and-swap: of two runs that record the same results, the second fails."""
    from deltalake import CommitProperties, Transaction, write_deltalake

    metadata = CommitMetadata(table=TABLE, planned=head.version, position=Position(recorded))
    properties = CommitProperties(
        custom_metadata={USER_METADATA: metadata.to_json()},
        app_transactions=[Transaction(TABLE, head.txn + 1)],
        max_commit_retries=None if head.exists else 0,  # a concurrent CREATE that loses would append version 1
    )
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    if head.exists:
        write_deltalake(ledger.open(TABLE, head.version), table, mode="append", commit_properties=properties)
    else:
        write_deltalake(
            head.uri,
            table,
            mode="error",
            configuration=_PROPERTIES,
            commit_properties=properties,
            storage_options=ledger.storage_options,
        )
