"""`headgate show`: rows of a table, or of its quarantine."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.options import Target, target_options
from headgate.cli.output import json_text, print_table
from headgate.errors import UsageError
from headgate.ledger.ledger import Ledger
from headgate.ledger.travel import checked_version, moment_of, vacuumed, version_at
from headgate.planning.graph import load_graph

if TYPE_CHECKING:
    import pyarrow as pa

_WIDTH = 40


def rows_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--limit` and `--format`."""
    shapes = click.Choice(["table", "json", "csv"])
    verb = click.option("--format", "shape", type=shapes, help="[default: table; json with --json]")(verb)
    return click.option(
        "--limit", default=20, type=click.IntRange(min=0), show_default=True, help="How many rows; 0 for all."
    )(verb)


@click.command("show")
@click.argument("table")
@rows_options
@click.option("--version", type=int, help="As it was at a version.  [default: the newest]")
@click.option("--as-of", metavar="TIME", help="As it was at a time, such as 2026-03-01T18:00; in UTC without a zone.")
@target_options
def command(target: Target, table: str, limit: int, shape: str | None, version: int | None, as_of: str | None) -> None:
    """Print rows of TABLE; `quarantine.TABLE` prints its rejected records, `quality.results` the results of suites.

    json prints one object a line, csv nested values as JSON.
    """
    from headgate.views import quarantine, results, rows

    graph, ledger = load_graph(target.project), Ledger(target.environment)
    if table == results.TABLE:
        rejected = results.newest(ledger, limit or None, _version(ledger, table, version, as_of))
        print_rows(target, rejected, shape, results.SHORT)
        return
    node = graph.node(table.removeprefix(quarantine.PREFIX))
    version = _version(ledger, node.name, version, as_of)
    try:
        if table.startswith(quarantine.PREFIX):
            rejected = quarantine.rejected(ledger, node, limit=limit or None, version=version)
            print_rows(target, rejected, shape, quarantine.SHORT)
        else:
            print_rows(target, rows.live_rows(ledger, node.name, limit or None, version), shape)
    except FileNotFoundError:
        if version is None:
            raise
        raise vacuumed(node.name, version) from None


def _version(ledger: Ledger, table: str, version: int | None, as_of: str | None) -> int | None:
    """The requested version; None for the newest."""
    if version is not None and as_of is not None:
        raise UsageError("--version and --as-of exclude each other", where="show", fix="use one of them")
    if as_of is not None:
        return version_at(ledger, table, moment_of(as_of), datetime.now(UTC))
    return None if version is None else checked_version(ledger, table, version)


def print_rows(target: Target, rows: pa.Table, shape: str | None, short: Sequence[str] = ()) -> None:
    """Prints rows in the requested format; by default a table with the columns `short`, or JSON with `--json`."""
    shape = shape or ("json" if target.as_json else "table")
    columns = list(short) if short and shape == "table" else rows.column_names
    _PRINTERS[shape](columns, rows.to_pylist())


def _as_table(columns: list[str], rows: list[dict[str, Any]]) -> None:
    print_table(columns, [[_cut(_text(row[name])) for name in columns] for row in rows])


def _as_json(columns: list[str], rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(json_text(row))


def _as_csv(columns: list[str], rows: list[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_text(row[name]) for name in columns] for row in rows])


_PRINTERS = {"table": _as_table, "json": _as_json, "csv": _as_csv}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return json_text(value) if isinstance(value, list | dict) else str(value)


def _cut(text: str) -> str:
    plain = text.replace("\n", "\\n")
    return plain if len(plain) <= _WIDTH else plain[: _WIDTH - 1] + "…"
