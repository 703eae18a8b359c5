"""`headgate status`: the state of the project on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.planning.graph import load_graph
from headgate.planning.plan import Planner
from headgate.planning.state import NOT_DECLARED
from headgate.views.status import status
from headgate.views.unreadable import in_words


@click.command("status")
@target_options
def command(target: Target) -> None:
    """Show failures, pending work, tables built by older code, quarantined records, and the next command."""
    graph = load_graph(target.project)
    result = status(target.environment, graph, Planner(target.environment, graph))
    if target.as_json:
        print_json(result)
        return
    for heading, lines in _screen(result):
        for number, line in enumerate(lines):
            click.echo(f"{heading if number == 0 else '':<12}  {line}")
    click.echo(f"\nnext: {result['next']}" if result["next"] else "\nnothing to do")


def _screen(document: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each heading with its lines; a heading without lines is not shown."""
    yield document["environment"], [document["lake"]]
    yield "last run", [_run(document["run"]) if document["run"] else "none is reported"]
    yield "watch", [_watch(item) for item in document["watch"]]
    yield "failed", [f"{item['table']}: {item['reason']} (run {item['run']})" for item in document["failed"]]
    yield "behind", [f"{item['table']}: {item['work']} {item['reason']}".rstrip() for item in document["behind"]]
    yield "stale", [f"{item['table']}: {item['reason']}" for item in document["stale"]]
    yield "overdue", [f"{item['table']}: {item['reason']}" for item in document["overdue"]]
    yield "quarantined", [_quarantined(item) for item in document["quarantine"]]
    yield "quality", [_quality(item) for item in document["quality"]]
    yield "landing", [_landing(item) for item in document["landing"]]
    yield "not declared", [f"{name}: {NOT_DECLARED}" for name in document["undeclared"]]


def _run(run: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in run["tables"].items())
    return f"{run['run']}, ended {run['ended']}: {counts}"


def _watch(state: Mapping[str, Any]) -> str:
    """An application of `headgate run --watch`: what it does, and the tables that it retries."""
    name = f"process {state['process']} on {state['host']}"
    if state["gone"]:
        return f"{name}: gone since about {state['at']}; start it again: headgate run --watch"
    problem = f": {state['problem'].splitlines()[0]}" if state["problem"] else ""
    retries = "".join(f"; retries {table} at {item['retry_at']}" for table, item in state["failing"].items())
    return f"{name}: {state['state']}{problem}, {state['runs']:,} runs since {state['started']}{retries}"


def _quarantined(counts: Mapping[str, Any]) -> str:
    last = f"{_share(counts['last'])} in the last batch, " if counts["last"] else ""
    whole = f"; {in_words(counts['whole'])}" if counts["whole"]["uploads"] else ""
    return f"{counts['table']}: {last}{_share(counts['all'])} in all{whole}"


def _share(counts: Mapping[str, int]) -> str:
    records, rejected = counts["records"], counts["rejected"]
    return f"{rejected:,} of {records:,} records" + (f" ({rejected / records:.1%})" if records else "")


def _quality(table: Mapping[str, Any]) -> str:
    """The last batch, and the share of rows that failed in it and in those before."""
    last, *before = table["batches"]
    number = last["ok"] + sum(last["failed"].values())
    failed = [f"{count} {severity} failed" for severity, count in last["failed"].items() if count]
    accepted = [f"{last['accepted']} accepted"] if last["accepted"] else []
    text = ", ".join([f"{last['ok']} of {number} expectations ok", *failed, *accepted])
    shares = [_percent(batch["failing"]) for batch in (last, *before)]
    row = f"; rows failing {shares[0]}" + (f", before {' '.join(shares[1:])}" if before else "")
    return f"{table['table']}: {text}{row}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _landing(dataset: Mapping[str, Any]) -> str:
    newest = f"newest upload {dataset['newest']}" if dataset["newest"] else "no uploads"
    return f"{dataset['dataset']}: {newest}, {dataset['waiting']:,} waiting"
