"""The state of a project on a screen: failures, tables with work, tables of older code, quarantine, late tables,
results of suites.

Reads only logs, receipts, run reports and listings: no JVM, no write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from headgate.contracts.environment import Environment
from headgate.lake import watchers
from headgate.lake.landing import newest_received
from headgate.ledger.ledger import Ledger
from headgate.planning.freshness import overdue
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import Kind, Planner, Work
from headgate.planning.state import note, undeclared
from headgate.views import reports, unreadable
from headgate.views.trend import trend

#: So many of a table's commits are looked through for the last that took in records.
_COMMITS = 20


def status(environment: Environment, graph: Graph, planner: Planner) -> dict[str, Any]:
    """Everything that `headgate status` shows, as plain values."""
    store = environment.object_store()
    works = planner.plan(graph.nodes)
    runs = reports.newest(store, reports.RUNS)
    failed = reports.failed(runs, graph.nodes)
    notes = ((work.table, note(graph, graph.node(work.table), work)) for work in works)
    stale = {table: text for table, text in notes if text}
    return {
        "environment": environment.name,
        "lake": environment.lake,
        "run": next(map(_run, runs), None),
        "watch": watchers.read_all(store, planner.now()),
        "failed": [_failed(name, report) for name, report in failed.items()],
        "behind": [_behind(work) for work in works if work.is_work or work.kind is Kind.AFTER],
        "stale": [{"table": name, "reason": text} for name, text in stale.items()],
        "overdue": list(_overdue(graph, planner)),
        "quarantine": [_quarantine(planner.ledger, node) for node in graph.nodes.values() if _rejects(node, works)],
        "quality": list(filter(None, (_quality(planner.ledger, node) for node in graph.nodes.values()))),
        "landing": [_landing(environment, work) for work in works if work.table.startswith("bronze.")],
        "undeclared": undeclared(store, graph),
        "next": next_command(graph, works, stale),
    }


def next_command(graph: Graph, works: Sequence[Work], stale: Iterable[str]) -> str | None:
    """What to type next; None where there is nothing to do."""
    if any(work.is_work for work in works):
        return "headgate run"
    if graph.contracts and not any(work.head.exists for work in works):
        return f"headgate upload FILE --dataset {min(graph.contracts)}"
    rebuilt = [name for name in stale if not name.startswith("bronze.")]
    return f"headgate run --rebuild {' '.join(f'-s {name}' for name in rebuilt)}" if rebuilt else None


def _run(report: reports.RunReport) -> dict[str, Any]:
    statuses = Counter(table["status"] for table in report.tables)
    return {"run": report.run, "ended": f"{report.ended:%Y-%m-%d %H:%M:%S}", "tables": dict(statuses)}


def _failed(name: str, report: Mapping[str, Any]) -> dict[str, Any]:
    return {"table": name, "reason": report.get("reason", ""), "run": report["run"], "error": report.get("error")}


def _overdue(graph: Graph, planner: Planner) -> Iterator[dict[str, Any]]:
    for node in graph.nodes.values():
        if late := overdue(planner.ledger, node, planner.now()):
            yield {"table": late.table, "reason": late.said, "since": f"{late.since:%Y-%m-%d %H:%M:%S}"}


def _behind(work: Work) -> dict[str, Any]:
    return {"table": work.table, "work": work.kind.value, "reason": work.reason, "uploads": len(work.landed)}


def _rejects(node: Node, works: Iterable[Work]) -> bool:
    """Whether the table is built and keeps a quarantine."""
    built = any(work.table == node.name and work.head.exists for work in works)
    return built and node.has_quarantine


def _quarantine(ledger: Ledger, node: Node) -> dict[str, Any]:
    """The records that a table took in and those it rejected: in its last batch, and by all receipts.

    whole: the uploads that it rejected as a whole, each of which the receipts count as one record.
    """
    whole = unreadable.totals(unreadable.unreadable_uploads(ledger, node))
    counts = {"last": _last_batch(ledger, node.name), "all": ledger.received(node.name)}
    return {"table": node.name, **counts, "whole": whole}


def _last_batch(ledger: Ledger, table: str) -> dict[str, int] | None:
    for commit in ledger.history(table, _COMMITS):
        counts = commit.metadata.record_counts if commit.metadata and not commit.metadata.replay else None
        if counts is not None:
            return {"records": counts.records, "rejected": counts.quarantined}
    return None


def _quality(ledger: Ledger, node: Node) -> dict[str, Any] | None:
    """The last batches that a table's suite checked, newest first; None without a suite or a batch."""
    batches = trend(ledger, node.name) if node.suite_hash else []
    return {"table": node.name, "batches": batches} if batches else None


def _landing(environment: Environment, work: Work) -> dict[str, Any]:
    dataset = work.table.partition(".")[2]
    times = [landed.received for landed in work.landed] + [newest_received(environment.object_store(), dataset)]
    newest = max((time for time in times if time), default=None)
    return {
        "dataset": dataset,
        "newest": f"{newest:%Y-%m-%d %H:%M:%S}" if newest else None,
        "waiting": len(work.landed),
    }
