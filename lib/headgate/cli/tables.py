"""`headgate tables`: lists the tables and their versions."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.cli.selection import selected, selection_options
from headgate.ledger.ledger import Head, Ledger
from headgate.planning.graph import Graph, Node, load_graph
from headgate.table import Read


@click.command("tables")
@target_options
@selection_options
def command(target: Target, selectors: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """List the tables: their sources, how they are written, and their versions."""
    graph = load_graph(target.project)
    ledger = Ledger(target.environment)
    names = selected(target.environment, graph, selectors, exclude)
    rows = [describe(graph, graph.node(name), ledger.head(name)) for name in names]
    if target.as_json:
        print_json({"tables": rows})
        return
    columns = ["table", "version", "built at", "reads", "writes", "grain"]
    keys = ["table", "version", "built_at", "reads", "writes", "grain"]
    print_table(columns, [[row[key] for key in keys] for row in rows], numeric=["version"])


def describe(graph: Graph, node: Node, head: Head) -> dict:
    """A table as `tables` shows it; `version` is None where it is not built yet."""
    built = datetime.fromtimestamp(head.commit.timestamp / 1000, UTC) if head.commit else None
    contract = graph.contract_of(node.name) if node.layer == "bronze" else None
    return {
        "table": node.name,
        "version": head.version if head.exists else None,
        "built_at": f"{built:%Y-%m-%d %H:%M:%S}" if built else None,
        "reads": f"uploads ({contract.format})" if contract else ", ".join(map(_read, node.reads.values())),
        "writes": type(node.writes).__name__ if node.writes else "Append",
        "grain": node.grain,
        "module": f"{node.module}:{node.line}",
        "tags": list(node.tags),
        "owner": contract.owner if contract else None,
        "uri": head.uri,
    }


def _read(read: Read) -> str:
    return f"{type(read).__name__}({read.table})"
