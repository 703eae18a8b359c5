"""The report of a run on one table: its status, counts and error."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headgate.engine.write.outcome import Outcome
from headgate.planning.plan import Work


@dataclass(frozen=True)
class Report:
    """The report of a run on a table. `status` is done, current, failed or skipped; `seconds` are wall time."""

    table: str
    status: str
    work: str = ""
    reason: str = ""
    rows_in: int = 0
    written: int = 0
    quarantined: int = 0
    version: int | None = None
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    quality: Sequence[
        Mapping[str, Any]
    ] = ()  # the results of the table's suite: `headgate.suites.quality.Result.as_dict`
    lost: str = ""  # the run and the commit that won the race for this work


def report_of(work: Work, outcome: Outcome | None, started: float) -> Report:
    """The report of a backfill or a replay, which commits nothing where no row differs."""
    if outcome is None or outcome.version == work.head.version:
        return Report(work.table, "current", work.kind.value, "nothing differs", version=work.head.version)
    return done(work, outcome, started)


def done(work: Work, outcome: Outcome, started: float) -> Report:
    """Returns the report of a table that was committed."""
    return Report(
        work.table,
        "done",
        work.kind.value,
        work.reason,
        outcome.rows_in,
        outcome.written,
        outcome.quarantined,
        outcome.version,
        since(started),
        dict(outcome.counts),
        quality=[result.as_dict() for result in outcome.quality],
    )


def version_of(work: Work) -> int | None:
    """Returns the version of the table that the work was planned against; None where it is not built."""
    return work.head.version if work.head.exists else None


def since(started: float) -> float:
    """Returns the seconds since `started`, a value of `time.monotonic`."""
    return round(time.monotonic() - started, 2)
