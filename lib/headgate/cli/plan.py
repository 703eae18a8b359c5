"""`headgate plan`: the tables that have work."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from headgate.cli.catalog import drift, drift_lines
from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.cli.selection import selected, selection_options
from headgate.cli.work import spark_that_looks
from headgate.planning.freshness import overdue
from headgate.planning.graph import Graph, load_graph
from headgate.planning.plan import Kind, Planner, Work
from headgate.planning.state import NOT_DECLARED, note, undeclared

if TYPE_CHECKING:
    from headgate.engine.verbs.schema_changes import SchemaChange


@click.command("plan")
@target_options
@selection_options
@click.option(
    "--schema", is_flag=True, help="Start Spark, and compare the outputs of functions with the current tables."
)
def command(target: Target, selectors: tuple[str, ...], exclude: tuple[str, ...], schema: bool) -> None:
    """Show which tables have work, without starting Spark and without writing anything."""
    graph = load_graph(target.project)
    names = selected(target.environment, graph, selectors, exclude)
    if schema:
        _show_schemas(target, graph, names)
        return
    planner = Planner(target.environment, graph)
    show(target, graph, planner, planner.plan(names))


def _show_schemas(target: Target, graph: Graph, names: list[str]) -> None:
    """Prints, for each table, the columns that the next run would find changed or added."""
    from headgate.engine.verbs.schema_changes import schema_changes

    with spark_that_looks(target) as session:
        result = schema_changes(session, target.project, target.environment, graph, names)
    if target.as_json:
        print_json({"tables": [vars(item) for item in result]})
    else:
        _print_schemas(result)
    if any(item.error for item in result):
        sys.exit(1)


def _print_schemas(result: Sequence[SchemaChange]) -> None:
    for item in result:
        if item.columns:
            click.echo(f"{item.table}: not built yet, with the columns {', '.join(item.columns)}")
        added = [f"{column} is added, null in old rows" for column in item.added]
        for text in filter(None, (*item.changed, *item.unlike_contract, *added, item.error)):
            click.echo(f"{item.table}: {text}")
        if item.changed:
            click.echo(f"  to do: headgate run --rebuild -s {item.table}")
    if not any(item.changed or item.unlike_contract or item.added or item.error or item.columns for item in result):
        click.echo("no output changes")


def show(target: Target, graph: Graph, planner: Planner, works: list[Work]) -> None:
    """Prints a plan, with notes: built by older code, overdue, not declared."""
    late = {work.table: overdue(planner.ledger, graph.node(work.table), planner.now()) for work in works}
    silent = {table: item.said if item else None for table, item in late.items()}
    notes = {work.table: note(graph, graph.node(work.table), work) for work in works}
    left = undeclared(target.environment.object_store(), graph)
    catalog = drift(target, graph)
    if target.as_json:
        tables = [{**as_dict(work), "note": notes[work.table], "overdue": silent[work.table]} for work in works]
        print_json({"tables": tables, "undeclared": left, "catalog": catalog})
        return
    print_table(["table", "work", "why"], [(work.table, work.kind.value, work.reason) for work in works])
    details = [f"{table}: {text}" for table, text in notes.items() if text]
    details += [f"{table}: overdue: {text}" for table, text in silent.items() if text]
    details += [f"{table}: {NOT_DECLARED}" for table in left]
    details += drift_lines(catalog)
    if details:
        click.echo("\n" + "\n".join(details))
    click.echo(next_step(works))


def as_dict(work: Work) -> dict:
    """A table's work as `--json` shows it."""
    version = work.head.version if work.head.exists else None
    return {
        "table": work.table,
        "work": work.kind.value,
        "reason": work.reason,
        "version": version,
        "uploads": len(work.landed),
        "sources": {n: vars(source) for n, source in work.sources.items()},
    }


def next_step(works: list[Work]) -> str:
    """Returns the commands that go on from a plan; a table that is refused needs a decision first."""
    refused = [work.table for work in works if work.kind is Kind.REFUSED]
    steps = []
    if any(work.is_work and work.kind is not Kind.REFUSED for work in works):
        steps.append("headgate run" + (f" --exclude {' --exclude '.join(refused)}" if refused else ""))
    if refused:
        steps.append(f"take the changes of the contract back, or headgate run --rebuild -s {' -s '.join(refused)}")
    return f"\nnext: {'; '.join(steps)}" if steps else "\nnothing to do"
