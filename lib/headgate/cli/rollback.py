"""`headgate rollback`: takes a table back to an earlier version."""

from __future__ import annotations

import click

from headgate.cli.history import counted
from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.cli.work import spark_at_work, wait_option
from headgate.errors import UsageError
from headgate.ledger.ledger import Commit, Ledger
from headgate.ledger.travel import version_before
from headgate.planning.graph import Graph, load_graph


@click.command("rollback")
@click.argument("table")
@click.option("--to", required=True, metavar="VERSION|RUN", help="The version, or the run whose commit, to go back to.")
@click.option("--dry-run", is_flag=True, help="Only show the commits that would be undone.")
@wait_option
@target_options
def command(target: Target, table: str, to: str, dry_run: bool, no_wait: bool) -> None:
    """Take TABLE back to an earlier version, with its position, quarantine and receipts.

    The next run processes the removed uploads again, and updates the tables that read it. To keep the old version,
    leave it out of the runs (`--exclude`) until its function or its contract is corrected.
    """
    graph, ledger = load_graph(target.project), Ledger(target.environment)
    name = graph.node(table).name
    head = ledger.head(name)
    if not head.exists:
        raise UsageError(f"{name} is not built yet", fix="headgate run")
    version = version_before(ledger, head, to)
    version_now = None
    if not dry_run:
        from headgate.engine.verbs.rollback import roll_back

        with spark_at_work(target, wait=not no_wait) as session:
            head = ledger.head(name)  # another run may have committed meanwhile
            version_now = roll_back(session, ledger, head, version)
    taken = [commit for commit in ledger.commits(name, version, head.version) if commit]
    _print(target, graph, name, version, taken, version_now)


def _print(target: Target, graph: Graph, name: str, version: int, taken: list[Commit], now: int | None) -> None:
    below = [node for node in graph.nodes if node in graph.descendants(name)]
    if target.as_json:
        commits = [commit.version for commit in taken]
        print_json({"table": name, "to": version, "taken_back": commits, "version": now, "descendants": below})
        return
    rows = [(c.version, c.operation, c.run or "", counted(c.counts)) for c in taken]
    print_table(["version", "operation", "run", "counts"], rows, ["version"])
    done = f"is at version {now}, with the rows of version {version}" if now is not None else f"would go to {version}"
    click.echo(f"\n{name} {done}")
    click.echo(f"read by: {', '.join(below) or 'no table'}")
    click.echo("next: headgate plan" if now is not None else "nothing was written: leave out --dry-run to do it")
