"""`headgate history`: a table's commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.ledger.ledger import Commit, Ledger
from headgate.ledger.metadata import CommitMetadata
from headgate.planning.graph import load_graph
from headgate.views import results

#: Counts by which a run checks itself; the others say the same to a person.
_BALANCE = ("unread", "refused", "rows", "replacing")


@click.command("history")
@click.argument("table")
@click.option("--limit", default=20, type=click.IntRange(0), show_default=True, help="How many commits; 0 for all.")
@target_options
def command(target: Target, table: str, limit: int) -> None:
    """Print the commits of TABLE, newest first: the run, its code, its position in each source, and its counts."""
    name = table if table == results.TABLE else load_graph(target.project).node(table).name
    history = list(Ledger(target.environment).history(name, limit or None))
    commits = [describe(commit) for commit in history]
    if target.as_json:
        print_json({"table": name, "commits": commits})
        return
    if not commits:
        click.echo(f"{name} is not built yet: headgate run -s {name}")
        return
    columns = {
        **{name: [commit[name] for commit in commits] for name in ("version", "at", "operation", "run")},
        "code": [_short(commit["code"]) for commit in commits],
        "read up to": [_read(commit.metadata) for commit in history],
        "counts": [_counts(commit) for commit in commits],
    }
    if any(commit["quality"] for commit in commits):
        columns["expectations"] = [_expectations(commit) for commit in commits]
    print_table(list(columns), list(zip(*columns.values(), strict=True)), numeric=["version"])


def describe(commit: Commit) -> dict[str, Any]:
    """A commit as `--json` shows it. `run` and `code` are None for a commit made by others."""
    metadata = commit.metadata or CommitMetadata()
    position, replay = metadata.position, metadata.replay
    return {
        "version": commit.version,
        "at": f"{datetime.fromtimestamp(commit.timestamp / 1000, UTC):%Y-%m-%d %H:%M:%S}",
        "operation": commit.operation,
        "run": commit.run,
        "code": metadata.code,
        "position": position.as_dict() if position else None,
        "counts": metadata.counts or _metrics(commit),
        "replay": replay.as_dict() if replay else None,
        "quality": [result.as_dict() for result in metadata.quality],
        "accepted": [acceptance.as_dict() for acceptance in metadata.accepted],
    }


def _counts(commit: dict[str, Any]) -> str:
    """What a commit counted; of a replay first how many records it released."""
    if (replay := commit["replay"]) is None:
        return counted(commit["counts"])
    where = f" where {replay['where']}" if replay["where"] else ""
    return f"replay{where}: released={replay['released']} {counted(commit['counts'])}"


def _expectations(commit: dict[str, Any]) -> str:
    """The failed expectations of the batch, and who accepted them."""
    accepted = {item["expectation"]: f" (accepted by {item['by']}: {item['reason']})" for item in commit["accepted"]}
    failed = [result["expectation"] for result in commit["quality"] if not result["success"]]
    details = [f"{name} failed{accepted.get(name, '')}" for name in failed]
    return "; ".join(details) or (f"{len(commit['quality'])} ok" if commit["quality"] else "")


def _short(code: str | None) -> str:
    """A code hash as people compare it: long enough to tell two versions of a module apart."""
    return code[:8] if code else ""


def _metrics(commit: Commit) -> dict[str, int]:
    """What Delta counted, where Headgate counted nothing itself."""
    wanted = {
        "numOutputRows": "inserted",
        "numDeletedRows": "deleted",
        "numTargetRowsInserted": "inserted",
        "numTargetRowsUpdated": "updated",
        "numTargetRowsDeleted": "deleted",
    }
    return {label: int(commit.metrics[name]) for name, label in wanted.items() if name in commit.metrics}


def _read(metadata: CommitMetadata | None) -> str:
    """The position of a commit: a source and its version, or when landing was listed."""
    if metadata is None or metadata.position is None:
        return ""
    position = metadata.position
    if position.listed_at is not None:
        return f"landing {position.listed_at.isoformat()}"
    return ", ".join(f"{name} {at.version}" for name, at in position.sources.items())


def counted(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in counts.items() if value and name not in _BALANCE)
