"""`headgate reconcile`: whether anything is missing, or there twice."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table, progress
from headgate.cli.selection import selected, selection_options
from headgate.errors import UsageError
from headgate.planning.graph import load_graph
from headgate.reconcile import Check, Finding, Level, Reconciler


@click.command("reconcile")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The first landing day to check. [default: all]"
)
@click.option("--digest", is_flag=True, help="Read every landed object, and compare its SHA-256 too.")
@click.option("--limit", default=10, show_default=True, help="How many findings of a kind to name; 0 for all.")
@click.option("--sweep", is_flag=True, help="Delete incomplete files in incoming/ that are older than a day.")
@click.option("--dry-run", is_flag=True, help="With --sweep: only list the files.")
@target_options
@selection_options
def command(
    target: Target,
    since: datetime | None,
    digest: bool,
    limit: int,
    sweep: bool,
    dry_run: bool,
    selectors: tuple[str, ...],
    exclude: tuple[str, ...],
) -> None:
    """Check that nothing is missing and nothing is there twice: landing, bronze, silver, gold.

    Reads only stored objects and tables, without Spark. The exit code is 1 if there is an error.
    """
    if dry_run and not sweep:
        raise UsageError("--dry-run goes with --sweep: nothing else is changed", fix="headgate reconcile")
    graph = load_graph(target.project)
    reconciler = Reconciler(
        target.environment, graph, since.date() if since else None, digest=digest, limit=limit, tell=progress
    )
    checks = list(reconciler.checks(selected(target.environment, graph, selectors, exclude)))
    checks += reconciler.leftovers(remove=sweep and not dry_run)
    errors = sum(check.count(Level.ERROR) for check in checks)
    if target.as_json:
        print_json({"errors": errors, "checks": [check.as_dict() for check in checks]})
    else:
        _print(checks, errors)
    if errors:
        sys.exit(1)


def _print(checks: list[Check], errors: int) -> None:
    levels = {"errors": Level.ERROR, "waiting": Level.WAITING, "notes": Level.NOTE}
    rows = [
        (check.name, check.table, *(_compared(check)), *(check.count(level) for level in levels.values()))
        for check in checks
    ]
    print_table(["check", "table", "compared", "of", *levels], rows, numeric=["compared", *levels])
    for check in checks:
        if check.not_checked:
            click.echo(f"\n{check.table}: not checked: {check.not_checked}")
        for finding in check.findings:
            _print_finding(check, finding)
    click.echo(f"\n{_summary(checks, errors)}")


def _summary(checks: list[Check], errors: int) -> str:
    details = f"{errors:,} error{'s' * (errors != 1)}" if errors else "nothing is missing, nothing is there twice"
    left = sum(bool(check.not_checked) for check in checks)
    return f"{details}; {left} table{'s' * (left != 1)} not checked" if left else details


def _compared(check: Check) -> tuple[int | None, str]:
    return (None, "not checked") if check.not_checked else (check.compared, check.unit)


def _print_finding(check: Check, finding: Finding) -> None:
    kind = finding.kind
    click.echo(f"\n{kind.level.value}  {check.table}: {kind.message}: {finding.count:,}{_by_day(finding)}")
    for name in finding.names:
        click.echo(f"  {name}")
    if finding.count > len(finding.names):
        click.echo(f"  ... {finding.count - len(finding.names):,} more: --limit 0")
    click.echo(f"  to do: {kind.fix}")


_SHOWN_DAYS = 7


def _by_day(finding: Finding) -> str:
    """The first days, each with its count."""
    days = [f"{day} {count:,}" for day, count in finding.days.items()]
    more = f", {len(days) - _SHOWN_DAYS} more days" if len(days) > _SHOWN_DAYS else ""
    return f" ({', '.join(days[:_SHOWN_DAYS])}{more})" if days else ""
