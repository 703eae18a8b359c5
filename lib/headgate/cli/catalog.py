"""How verbs register gold in the Glue catalog, and how they show its drift."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.options import Target
from headgate.errors import HeadgateError, UsageError
from headgate.installed import require_installed
from headgate.planning.graph import Graph
from headgate.views.gold import LAYER, gold_tables

if TYPE_CHECKING:
    from headgate.aws.catalog.glue import GlueDatabase, Registration

_LOGGER = logging.getLogger(__name__)
_PAST = {"create": "created", "update": "updated", "remove": "removed", "current": "current"}
_ADVICE = {
    "foreign": "registered by something else and left alone: drop it in Glue, then register again",
    "undeclared": "not a table of the project any more; --prune removes it from the catalog",
}


def has_catalog(target: Target) -> bool:
    """Whether the environment names a Glue database."""
    return bool(target.environment.catalog.database)


def require_catalog(target: Target) -> None:
    """Raises UsageError where the environment has no catalog, or a lake that Athena cannot reach."""
    environment = target.environment
    where = target.project.relative(environment.path)
    if not has_catalog(target):
        raise UsageError(
            f"the environment '{environment.name}' has no catalog",
            where=where,
            fix="set catalog.database to the Glue database of gold",
        )
    if environment.is_folder:
        raise UsageError("Glue cannot register a lake in a folder", where=where, fix="name a lake on S3")


def registrations(target: Target, graph: Graph, *, dry_run: bool = False, prune: bool = False) -> list[Registration]:
    """Registers the built gold tables and returns what was done; with `dry_run` what would be done.

    Raises UsageError without a catalog, SetupError without boto3, AwsError.
    """
    require_catalog(target)
    from headgate.aws.clients import aws_errors

    with aws_errors(f"Glue database {target.environment.catalog.database}"):
        database, tables = _database(target), gold_tables(target.project, target.environment, graph)
        return database.compare(tables, prune=prune) if dry_run else database.register(tables, prune=prune)


def _database(target: Target) -> GlueDatabase:
    require_installed("boto3", extra="aws", where="catalog")
    from headgate.aws.catalog.glue import GlueDatabase
    from headgate.aws.clients import BotoClients

    catalog = target.environment.catalog
    return GlueDatabase(BotoClients(catalog.region).client("glue"), catalog.database, target.project.root.name)


def register_after(target: Target, graph: Graph, committed: Iterable[str]) -> dict[str, Any] | None:
    """Registers gold after a run that committed to gold tables; None where there is nothing to register.

    The rows are committed already, so a catalog that cannot be reached does not fail the run: `error` says why, and
    the next run or `headgate deploy --catalog-only` registers the tables.
    """
    if not has_catalog(target) or not any(table.startswith(LAYER) for table in committed):
        return None
    try:
        done = registrations(target, graph)
    except HeadgateError as error:
        _LOGGER.warning("catalog: %s", error.message)
        return {"error": error.as_dict()}
    return {"tables": [item.as_dict() for item in done if item.is_drift]}


def show_after(outcome: dict[str, Any] | None) -> None:
    """Prints what `register_after` returned, where anything was changed or failed."""
    if outcome is None:
        return
    if error := outcome.get("error"):
        click.echo(
            f"\ncatalog: not registered: {error['what']}\n"
            "  the rows are committed; to do: headgate deploy --catalog-only",
            err=True,
        )
        return
    for item in outcome["tables"]:
        click.echo(f"catalog: {item['table']}: {_ADVICE.get(item['action']) or _PAST[item['action']]}")


def drift(target: Target, graph: Graph) -> dict[str, Any] | None:
    """How the catalog differs from the lake; None without a catalog. `error` where it could not be compared."""
    if not has_catalog(target):
        return None
    try:
        compared = registrations(target, graph, dry_run=True)
    except HeadgateError as error:
        return {"error": error.as_dict()}
    return {"tables": [item.as_dict() for item in compared if item.is_drift]}


def drift_lines(outcome: dict[str, Any] | None) -> list[str]:
    """What `drift` returned, as lines for a person."""
    if outcome is None:
        return []
    if error := outcome.get("error"):
        return [f"catalog: not compared: {error['what']}"]
    lines = []
    for item in outcome["tables"]:
        advice = _ADVICE.get(item["action"]) or "to do: headgate deploy --catalog-only"
        message = "not registered" if item["action"] == "create" else "; ".join(item["differences"])
        lines.append(f"{LAYER}{item['table']}: catalog: {f'{message}; ' if message else ''}{advice}")
    return lines


def show_registrations(done: Sequence[Registration], database: str, *, dry_run: bool) -> None:
    """Prints each table with what was done, or with `dry_run` what would be done."""
    from headgate.cli.output import print_table

    def text(action: str) -> str:
        return action if dry_run or action not in _PAST else _PAST[action]

    rows = [(item.table, text(item.action), _ADVICE.get(item.action) or "; ".join(item.differences)) for item in done]
    print_table(["table", "would do" if dry_run else "done", "details"], rows)
    changed = sum(item.is_drift for item in done)
    click.echo(f"\nGlue database {database}: {len(done)} tables, {changed} {'to change' if dry_run else 'changed'}")
