"""Freshness: whether a table is older than its suite promises. Only its log is read.

It is judged when someone looks, by `plan` and `status`: a batch that does not come is judged by nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from headgate.ledger.ledger import Commit, Ledger
from headgate.planning.graph import Node
from headgate.suites.suite import duration_of

#: So many commits of a table are looked through for the last that took in something.
_COMMITS = 200


@dataclass(frozen=True)
class Overdue:
    """A table that has had nothing new for longer than its suite promises. `since` is its newest news, in UTC.

    `at_least`: the log that was looked through does not go back to any news.
    """

    table: str
    since: datetime
    silent: timedelta
    promised: str
    at_least: bool = False

    @property
    def said(self) -> str:
        more = "more than " if self.at_least else ""
        return f"nothing new for {more}{_shown(self.silent)}, {self.promised} is promised"


def overdue(ledger: Ledger, node: Node, now: datetime) -> Overdue | None:
    """Why a table is not fresh; None where it is, where nothing is promised, or where it is not built yet."""
    if not node.fresh_within:
        return None
    since, at_least = _news(ledger, node.name)
    if since is None or now - since <= duration_of(node.fresh_within):
        return None
    return Overdue(node.name, since, now - since, node.fresh_within, at_least)


def _news(ledger: Ledger, table: str) -> tuple[datetime | None, bool]:
    """When the table last took in something new, and whether it was still earlier than that."""
    newer: Commit | None = None
    for commit in ledger.history(table, _COMMITS):
        if commit.metadata is None:  # a commit of another writer has no position
            continue
        if newer is not None and _is_news(newer, commit):
            return newer.time, False
        newer = commit
    return (newer.time, newer.version > 0) if newer else (None, False)


def _is_news(commit: Commit, before: Commit) -> bool:
    """Whether a commit wrote new data of its sources: a rebuild and a rollback do not."""
    after, previous = commit.metadata, before.metadata
    if after is None or after.rolled_back or not commit.changes_rows:
        return False
    return previous is None or after.position != previous.position


def _shown(time: timedelta) -> str:
    minutes = int(time / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} m"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // (24 * 60)} d"
