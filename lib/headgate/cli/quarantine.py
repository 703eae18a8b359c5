"""`headgate quarantine`: lists and replays the rejected records of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table, progress
from headgate.cli.run import exit_if_failed, print_reports
from headgate.cli.show import print_rows, rows_options
from headgate.cli.work import spark_at_work, spark_that_looks, wait_option
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import Graph, Node, load_graph
from headgate.planning.plan import Kind, Planner
from headgate.views import quarantine, unreadable

if TYPE_CHECKING:
    from headgate.engine.verbs.replay import Replayed
    from headgate.engine.verbs.table_report import Report

_NUMBERS = ("open", "superseded")
_WHERE = f"Records that meet an SQL condition on {', '.join(quarantine.COLUMNS)}."


@click.group()
def command() -> None:
    """Show the records that tables rejected, and take them through again."""


@command.command("list")
@target_options
def list_(target: Target) -> None:
    """Print how many records each table holds in quarantine, and for which reasons.

    superseded: the table has a newer row of the record's key. open: it has none, or the key is unknown.
    """
    graph, ledger = load_graph(target.project), Ledger(target.environment)
    results = [quarantine.totals(ledger, graph.node(name)) for name in quarantine.tables(graph, ledger)]
    if target.as_json:
        print_json({"tables": results})
        return
    columns = ["table", *_NUMBERS]
    print_table(columns, [[item[name] for name in columns] for item in results], _NUMBERS)
    for item in results:
        _print_reasons(f"{item['table']}: why", item["reasons"], _NUMBERS)
        if item["whole"]["uploads"]:
            click.echo(f"\n{item['table']}: {unreadable.in_words(item['whole'])}, each counted as one record")
            click.echo(f'  which: headgate quarantine show {item["table"]} --where "{unreadable.WHERE}"')
            click.echo("  to do: correct the contract or the reader, then replay: the uploads are split again")


@command.command()
@click.argument("table")
@click.option("--where", default="", metavar="SQL", help=_WHERE)
@rows_options
@target_options
def show(target: Target, table: str, where: str, limit: int, shape: str | None) -> None:
    """Print the records that TABLE rejected, the newest first.

    table shows the columns that fit a screen; json prints one object a line, csv nested values as JSON.
    """
    node = _node(load_graph(target.project), table)
    rejected = quarantine.rejected(Ledger(target.environment), node, where=where, limit=limit or None)
    print_rows(target, rejected, shape, quarantine.SHORT)


@command.command()
@click.argument("table")
@click.option("--where", default="", metavar="SQL", help=_WHERE)
@click.option("--dry-run", is_flag=True, help="Only tell how many would pass, and why the others would stay.")
@wait_option
@target_options
def replay(target: Target, table: str, where: str, dry_run: bool, no_wait: bool) -> None:
    """Take the rejected records of TABLE through again: after its contract, suite or function was corrected.

    Records keep their order, so a newer row of the same key stays. Records that pass leave the quarantine in the commit
    that merges them; records that fail stay, with their new reasons. It can be repeated.
    """
    graph = load_graph(target.project)
    planner = Planner(target.environment, graph)
    node = _node(graph, table)
    some = quarantine.rejected(planner.ledger, node, where=where, limit=1)  # a wrong condition is said before Spark
    planner.backfilled(node.name, Kind.REPLAY)
    if some.num_rows == 0:
        _print_nothing(target, node)
        return
    from headgate.engine.verbs.run import Runner

    session_for = spark_that_looks(target) if dry_run else spark_at_work(target, wait=not no_wait)
    with session_for as session:
        runner = Runner(target.project, target.environment, graph, session, progress)
        report, result = runner.replay(node.name, where=where, dry_run=dry_run)
    _print_replay(target, runner.run_id, report, result, dry_run=dry_run)
    exit_if_failed([report])


def _node(graph: Graph, table: str) -> Node:
    return graph.node(table.removeprefix(quarantine.PREFIX))


def _print_nothing(target: Target, node: Node) -> None:
    if target.as_json:
        print_json({"run": None, "tables": [], "records": 0, "released": 0, "stay": 0, "reasons": []})
    else:
        click.echo(f"nothing to do: {node.name} holds no such record in quarantine")


def _print_replay(target: Target, run: str, report: Report, replayed: Replayed | None, *, dry_run: bool) -> None:
    if target.as_json:
        counts = {name: getattr(replayed, name, None) for name in ("records", "released", "stay", "reasons")}
        print_json({"run": run, "tables": [asdict(report)], **counts})
        return
    if report.status != "current":
        print_reports(run, [report])
    if replayed is None:
        return
    would = "would " if dry_run else ""
    left = f"{replayed.released:,} {would}leave the quarantine, {replayed.stay:,} {would}stay"
    click.echo(f"{replayed.records:,} records: {left}")
    _print_reasons("why they stay", replayed.reasons, ("records",))
    click.echo(f"\n{_next_step(report, replayed, dry_run=dry_run)}")


def _next_step(report: Report, replayed: Replayed, *, dry_run: bool) -> str:
    if dry_run:
        return "nothing was written: leave out --dry-run to do it"
    if report.status == "current":
        return "nothing was written: nothing differs"
    return (
        "next: headgate run (updates the tables that read it)"
        if replayed.released
        else "no record was released: see the new reasons"
    )


def _print_reasons(title: str, reasons: Iterable[Mapping[str, Any]], numbers: tuple[str, ...]) -> None:
    """A line a reason; a record with several counts in each."""
    columns = ["column", "rule", *numbers]
    if rows := [[reason[name] for name in columns] for reason in reasons]:
        click.echo(f"\n{title}")
        print_table(columns, rows, numbers)
