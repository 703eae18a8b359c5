"""`headgate maintain`: compacts tables, and removes files that are no longer needed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table, progress
from headgate.cli.selection import selected, selection_options
from headgate.cli.work import spark_at_work, wait_option
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import Graph, load_graph
from headgate.planning.retention import upkeep_of
from headgate.views import results


@click.command("maintain")
@target_options
@selection_options
@click.option("--cluster", is_flag=True, help="Also sort tables by the keys that rows are looked up by: rewrites them.")
@click.option("--dry-run", is_flag=True, help="Only show the work.")
@wait_option
def command(
    target: Target, selectors: tuple[str, ...], exclude: tuple[str, ...], cluster: bool, dry_run: bool, no_wait: bool
) -> None:
    """Compact small files, and remove files and logs that neither dependents nor time travel need.

    No row changes, so the tables that read a maintained table have no work. Without --select quality.results is
    maintained too.
    """
    graph, ledger, now = load_graph(target.project), Ledger(target.environment), datetime.now(UTC)
    names = selected(target.environment, graph, selectors, exclude)
    if not selectors:
        names.append(results.TABLE)
    names = [name for name in names if ledger.open(name) is not None]
    if dry_run:
        _show_plan(target, ledger, graph, names, now)
        return
    from headgate.engine.verbs.maintain import maintain

    done = []
    with spark_at_work(target, wait=not no_wait) as session:
        for name in names:
            progress(name)
            upkeep = upkeep_of(ledger, graph, target.environment, name, now)
            done.append(maintain(session, ledger, graph, target.environment, upkeep, now, cluster=cluster))
    if target.as_json:
        print_json({"tables": [asdict(item) for item in done]})
        return
    numeric = ["files before", "files after", "removed files", "removed logs"]
    columns = ["table", *numeric, "kept for", "version", "skipped"]
    print_table(columns, [list(asdict(item).values()) for item in done], numeric=[*numeric, "version"])


def _show_plan(target: Target, ledger: Ledger, graph: Graph, names: list[str], now: datetime) -> None:
    plans = [upkeep_of(ledger, graph, target.environment, name, now) for name in names]
    rows = [
        {
            "table": plan.table,
            "files": plan.files,
            "crowded_partitions": plan.crowded,
            "logs": len(plan.logs),
            "kept_from": f"{plan.bound.time:%Y-%m-%d %H:%M}",
            "needed_by": plan.bound.needed_by,
        }
        for plan in plans
    ]
    if target.as_json:
        print_json({"tables": rows})
        return
    columns = ["table", "files", "crowded partitions", "logs to remove", "files kept from", "needed by"]
    print_table(columns, [list(row.values()) for row in rows], numeric=columns[1:4])
    click.echo("\nnothing was written: leave out --dry-run to do it")
