"""The results of a table's suite on its newest batches, read from the metadata of its commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from headgate.ledger.ledger import Commit, Ledger
from headgate.suites.expectation import SEVERITIES

#: The number of batches to return, and of commits to search for them.
BATCHES, _COMMITS = 6, 40


def trend(ledger: Ledger, table: str) -> list[dict[str, Any]]:
    """The table's newest batches that its suite judged, as `batch_of`; empty where there is none."""
    batches = (batch_of(commit) for commit in judged(ledger, table))
    return list(islice((batch for batch in batches if batch), BATCHES))


def judged(ledger: Ledger, table: str) -> Iterator[Commit]:
    """The table's newest commits whose batches a suite judged."""
    return (commit for commit in ledger.history(table, _COMMITS) if commit.metadata and commit.metadata.quality)


def batch_of(commit: Commit) -> dict[str, Any] | None:
    """Returns the suite's results on the batch of a commit, in numbers; None where no suite judged it.

    ok, failed: expectations, failed ones by severity. accepted: those that a person let pass. failing: the share of
    rows, from 0 to 1, that fail the row expectation that most rows fail; None where no row was judged.
    """
    metadata = commit.metadata
    if metadata is None or not metadata.quality:
        return None
    results = metadata.quality
    failed = Counter(result.severity for result in results if not result.success)
    shares = [(row.unexpected or 0) / row.judged for row in results if row.kind == "row" and row.judged]
    return {
        "version": commit.version,
        "run": metadata.run,
        "at": f"{commit.time:%Y-%m-%d %H:%M:%S}",
        "ok": len(results) - failed.total(),
        "failed": {severity: failed[severity] for severity in SEVERITIES},
        "accepted": len(metadata.accepted),
        "failing": max(shares, default=None),
    }
