"""Notifications on SNS: the outcome of a schedule's run, with its cause and the next command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.contracts.automation import Schedule
from headgate.planning.manifest import Manifest

_LONGEST_SUBJECT = 100  # of SNS
_LONGEST_CAUSE = 4000


@dataclass(frozen=True)
class Notification:
    """A message for people. `kind` is success, failure, recovery, quarantine or late."""

    kind: str
    subject: str
    body: str


@dataclass(frozen=True)
class LastOutcome:
    """How the schedule's last run ended, kept between runs so that a failure is reported once and a recovery too."""

    failed: bool = False
    cause: str = ""  # a digest

    @classmethod
    def from_json(cls, text: str | None) -> LastOutcome:
        """Reads the text of `to_json`; any other text is an outcome without failure."""
        try:
            return cls(**json.loads(text or "{}"))
        except (ValueError, TypeError):
            return cls()

    def to_json(self) -> str:
        """The outcome as JSON text."""
        return json.dumps({"failed": self.failed, "cause": self.cause})


def outcome_of(failures: Mapping[str, str]) -> LastOutcome:
    """The outcome to keep. `failures` are the messages of the failed tasks by task id.

    Only the reasons make the digest: ids of jobs differ between two runs that fail for the same reason.
    """
    reasons = sorted("\n".join(_reasons(text)) for text in failures.values())
    digest = hashlib.sha256(json.dumps([sorted(failures), reasons]).encode()).hexdigest() if failures else ""
    return LastOutcome(bool(failures), digest)


def notifications(
    manifest: Manifest,
    schedule: Schedule,
    run: str,
    failures: Mapping[str, str],
    outcomes: Iterable[Mapping[str, Any]],
    last: LastOutcome,
) -> list[Notification]:
    """The notifications after a run. `outcomes` are the results of the run's jobs (`Outcome.as_dict`).

    A failure that the last run had too, with the same cause, is not sent again.
    """
    messages = []
    tables = [table for outcome in outcomes for table in outcome.get("tables", ())]
    title = f"{manifest.environment} {schedule.name}"
    if failures:
        if "failure" in schedule.notify and outcome_of(failures) != last:
            messages.append(_failure(manifest, title, run, failures, tables))
    elif last.failed and "recovery" in schedule.notify:
        messages.append(Notification("recovery", f"recovered: {title}", _digest(run, tables)))
    elif "success" in schedule.notify:
        messages.append(Notification("success", f"success: {title}", _digest(run, tables)))
    if rejected := _above_share(tables, manifest.quarantine_share):
        messages.append(_quarantine(manifest, title, run, rejected))
    return [Notification(m.kind, m.subject[:_LONGEST_SUBJECT], m.body) for m in messages]


def _failure(
    manifest: Manifest, title: str, run: str, failures: Mapping[str, str], tables: Sequence[Mapping[str, Any]]
) -> Notification:
    failed = [table["table"] for table in tables if table.get("status") == "failed"]
    lines = [f"run {run}"]
    for task, message in failures.items():
        lines += [f"\ntask {task}:", message[:_LONGEST_CAUSE]]
    select = "".join(f" -s {table}+" for table in failed)
    lines.append(f"\nnext: headgate status --env {manifest.environment}")
    lines.append(f"when mended: headgate run --env {manifest.environment}{select}")
    return Notification("failure", f"failed: {title}" + (f": {', '.join(failed)}" if failed else ""), "\n".join(lines))


def _digest(run: str, tables: Sequence[Mapping[str, Any]]) -> str:
    done = [table for table in tables if table.get("status") == "done"]
    lines = [f"run {run}", f"{len(done)} tables changed"]
    for table in done:
        lines.append(f"  {table['table']}: {table.get('written') or 0:,} rows written, version {table.get('version')}")
    return "\n".join(lines)


def _quarantine(manifest: Manifest, title: str, run: str, rejected: Sequence[Mapping[str, Any]]) -> Notification:
    lines = [f"run {run}", f"more than {manifest.quarantine_share:.0%} of the records were rejected:"]
    for table in rejected:
        lines.append(f"  {table['table']}: {table['quarantined']:,} of {table['rows_in']:,}")
        lines.append(f"next: headgate show quarantine.{table['table']} --env {manifest.environment}")
    return Notification("quarantine", f"quarantine: {title}", "\n".join(lines))


def _above_share(tables: Iterable[Mapping[str, Any]], share: float) -> list[Mapping[str, Any]]:
    return [t for t in tables if t.get("rows_in") and (t.get("quarantined") or 0) > share * t["rows_in"]]


def _reasons(message: str) -> list[str]:
    """The lines of a failure message that are the same if it happens again: without job ids and logs."""
    return [line for line in message.splitlines() if not line.startswith(("job ", "log: "))]
