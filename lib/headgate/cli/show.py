"""`headgate show`: rows of a table, or of its quarantine."""

from __future__ import annotations

import csv
import json
import sys
from typing import Any

import click

from headgate.cli.options import Target, target_options
from headgate.cli.output import print_table
from headgate.graph import load_graph
from headgate.ledger import Ledger

_WIDTH = 40


@click.command("show")
@click.argument("table")
@click.option("--limit", default=20, show_default=True, help="How many rows; 0 for all.")
@click.option(
    "--format", "shape", type=click.Choice(["table", "json", "csv"]), help="[default: table; json with --json]"
)
@target_options
def command(target: Target, table: str, limit: int, shape: str | None) -> None:
    """Print rows of TABLE; `quarantine.TABLE` prints the records it rejected, with every reason.

    json prints one object a line, csv nested values as JSON.
    """
    from headgate import rows

    graph, ledger = load_graph(target.project), Ledger(target.environment)
    name = graph.node(table.removeprefix(rows.QUARANTINE)).name
    read = rows.quarantined_rows if table.startswith(rows.QUARANTINE) else rows.live_rows
    found = read(ledger, name, limit or None)
    _PRINTERS[shape or ("json" if target.as_json else "table")](found.column_names, found.to_pylist())


def _as_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    print_table(columns, [[_cut(_text(row[name])) for name in columns] for row in rows])


def _as_json(columns: list[str], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json.dumps(row, default=str, ensure_ascii=False))


def _as_csv(columns: list[str], rows: list[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_text(row[name]) for name in columns] for row in rows])


_PRINTERS = {"table": _as_table, "json": _as_json, "csv": _as_csv}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _cut(text: str) -> str:
    plain = text.replace("\n", "\\n")
    return plain if len(plain) <= _WIDTH else plain[: _WIDTH - 1] + "…"
