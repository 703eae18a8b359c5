"""`headgate backfill`: computes chosen uploads, or chosen slices, again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table, progress
from headgate.cli.run import exit_if_failed, print_reports
from headgate.cli.work import spark_at_work, wait_option
from headgate.contracts.allowed import readable
from headgate.errors import UsageError, suggestion
from headgate.planning.graph import Node, load_graph
from headgate.planning.plan import Planner, Work
from headgate.table import slices_of

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("backfill")
@click.argument("table")
@click.option("--upload", "uploads", multiple=True, help="An upload's id. Repeatable.")
@click.option("--store", "stores", multiple=True, help="Uploads of this store. Repeatable.")
@click.option("--from", "first", type=_DAY, help="Uploads that landed on this day (UTC) or later.")
@click.option("--to", "last", type=_DAY, help="Uploads that landed on this day or before.")
@click.option(
    "--by",
    "slices",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Slices of a Replace or History table; VALUE may be FIRST..LAST, or empty for null. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Only show the uploads or slices.")
@wait_option
@target_options
def command(
    target: Target,
    table: str,
    uploads: tuple[str, ...],
    stores: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    slices: tuple[str, ...],
    dry_run: bool,
    no_wait: bool,
) -> None:
    """Recompute some uploads or slices of TABLE, after its function was corrected.

    It keeps the position of the table, writes only rows that differ, and can be repeated. For the whole table:
    headgate run --rebuild -s TABLE.
    """
    graph = load_graph(target.project)
    planner = Planner(target.environment, graph)
    node = graph.node(table)
    work = planner.backfilled(node.name)
    requested = _condition(node, slices, _types(planner, node, work))
    chosen = _chosen(planner, node, work, uploads, stores, first and first.date(), last and last.date())
    _require_a_choice(node, requested, chosen)
    if dry_run:
        _show(target, node, requested, chosen)
        return
    if not requested and not chosen:
        raise UsageError("no upload is chosen", fix="headgate backfill --dry-run shows the selection")
    from headgate.engine.verbs.run import Runner

    with spark_at_work(target, wait=not no_wait) as session:
        runner = Runner(target.project, target.environment, graph, session, progress)
        report = runner.backfill(node.name, uploads=[item["upload"] for item in chosen or []], condition=requested)
    if target.as_json:
        print_json({"run": runner.run_id, "tables": [asdict(report)]})
    else:
        print_reports(runner.run_id, [report])
        if report.status == "done":
            click.echo("\nnext: headgate run (updates the tables that read it)")
    exit_if_failed([report])


def _types(planner: Planner, node: Node, work: Work) -> dict[str, str]:
    """Column -> type as contracts name it, of the built table; columns of other types are left out."""
    schema = planner.ledger.schema(node.name, work.head.version) if work.head.exists else {}
    kinds = {name: str(kind).partition("(")[0] for name, kind in schema.items() if isinstance(kind, str)}
    return {name: _CONTRACT_TYPES[kind] for name, kind in kinds.items() if kind in _CONTRACT_TYPES}


_EXAMPLES = {"date": "2026-03-01", "timestamp": "2026-03-01T10:00:00Z", "boolean": "true"}
#: Types of Delta's log whose values are checked -> their names in contracts.
_CONTRACT_TYPES = {
    "integer": "int",
    "long": "bigint",
    "decimal": "decimal",
    "double": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}


def _condition(node: Node, slices: tuple[str, ...], types: Mapping[str, str]) -> str:
    """The slices as an SQL condition; several values of one column are alternatives.

    Raises UsageError for a column that is not one of the slices', or a value that its type cannot hold.
    """
    by = slices_of(node.writes) if node.writes else ()
    parts: dict[str, list[str]] = {}
    for text in slices:
        column, equals, value = text.partition("=")
        if not equals or column not in by:
            raise UsageError(
                f"--by {text}: {node.name} has slices of {list(by) or 'no columns'}.{suggestion(column, by)}",
                fix="write --by COLUMN=VALUE, with a column of the table's Replace(by=...) or History(keys=...)",
            )
        for part in filter(None, value.split("..")):
            if column in types and readable(part, types[column]) is None:
                kind = types[column]
                fix = f"write a {kind}, such as --by {column}={_EXAMPLES.get(kind, '1')}"
                raise UsageError(f"'{part}' is no {kind}", where=f"--by {text}", fix=fix)
        parts.setdefault(column, []).append(_one(column, value))
    return " AND ".join(f"({' OR '.join(options)})" for options in parts.values())


def _one(column: str, value: str) -> str:
    low, dots, high = value.partition("..")
    if not value:
        return f"`{column}` IS NULL"
    return f"`{column}` BETWEEN {_text(low)} AND {_text(high)}" if dots else f"`{column}` = {_text(low)}"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _chosen(
    planner: Planner,
    node: Node,
    work: Work,
    uploads: tuple[str, ...],
    stores: tuple[str, ...],
    first: date | None,
    last: date | None,
) -> list[dict[str, Any]] | None:
    """Returns the selected uploads that the table has read; None without a selection."""
    if not (uploads or stores or first or last):
        return None
    if node.writes is None or slices_of(node.writes):
        raise UsageError(
            f"{node.name} is not computed by upload", fix="choose slices by --by, or backfill the table that it reads"
        )
    bronze = node.bronze
    if bronze is None:
        raise UsageError(
            f"{node.name} does not read uploads itself", fix=f"headgate run --rebuild -s {node.name} computes all of it"
        )
    known = planner.ledger.receipts(bronze, work.sources[bronze].version)
    if missing := set(uploads) - {item["upload"] for item in known}:
        raise UsageError(f"{node.name} has read no upload {min(missing)}", fix="headgate receipt tells where it is")
    return [
        item
        for item in known
        if (not uploads or item["upload"] in uploads)
        and (not stores or item["store"] in stores)
        and (first is None or item["dt"] >= first)
        and (last is None or item["dt"] <= last)
    ]


def _require_a_choice(node: Node, condition: str, chosen: list[dict[str, Any]] | None) -> None:
    if condition and chosen is not None:
        raise UsageError("both slices and uploads are chosen", fix="choose either")
    if not condition and chosen is None:
        raise UsageError(
            "nothing is chosen",
            fix=f"--upload, --store, --from, --to or --by; all of it: headgate run --rebuild -s {node.name}",
        )


def _show(target: Target, node: Node, condition: str, chosen: list[dict[str, Any]] | None) -> None:
    if target.as_json:
        print_json({"table": node.name, "slices": condition or None, "uploads": chosen})
        return
    if condition:
        click.echo(f"{node.name}: the slices where {condition}")
    else:
        result = chosen or []
        print_table(["upload", "store", "landed on", "records"], [list(item.values()) for item in result], ["records"])
        click.echo(f"\n{node.name}: {len(result)} uploads, {sum(item['records'] for item in result):,} records")
    click.echo("nothing was written: leave out --dry-run to do it")
