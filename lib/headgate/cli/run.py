"""`headgate run`: builds the tables that have work."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table, progress
from headgate.cli.selection import selected, selection_options
from headgate.cli.work import spark_at_work
from headgate.errors import HeadgateError
from headgate.graph import Graph, load_graph
from headgate.plan import Planner

if TYPE_CHECKING:
    from headgate.engine.run import Report

_SMALL_BYTES = 64 * 2**20
_COLUMNS = ["table", "status", "work", "rows in", "written", "quarantined", "version", "seconds"]


@click.command("run")
@target_options
@selection_options
@click.option("--rebuild", is_flag=True, help="Build the selected tables anew from all they read (bronze is kept).")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--no-wait", is_flag=True, help="Fail at once where another run writes to the lake.")
def command(
    target: Target,
    selectors: tuple[str, ...],
    exclude: tuple[str, ...],
    rebuild: bool,
    dry_run: bool,
    no_wait: bool,
) -> None:
    """Build the tables that have work. A table that fails stops what reads it, and nothing else."""
    graph = load_graph(target.project)
    names = selected(target.environment, graph, selectors, exclude)
    planner = Planner(target.environment, graph)
    works = planner.plan(names)
    if dry_run:
        from headgate.cli import plan

        plan.show(target, graph, works)
        return
    if not works or (not rebuild and not any(work.is_work for work in works)):
        _print_nothing(target, works)
        return
    small = not rebuild and planner.bytes_of(works) <= _SMALL_BYTES
    run, reports = _run(target, graph, names, rebuild=rebuild, wait=not no_wait, small=small)
    _print(target, run, reports)
    if any(report.status in ("failed", "skipped") for report in reports):
        sys.exit(1)


def _run(
    target: Target, graph: Graph, names: Sequence[str], *, rebuild: bool, wait: bool, small: bool
) -> tuple[str, list[Report]]:
    """The run's id, and what it did to each table."""
    from headgate.engine.run import Runner

    with spark_at_work(target, wait=wait, small=small) as session:
        runner = Runner(target.project, target.environment, graph, session, progress, rebuild=rebuild)
        return runner.run_id, runner.run(names)


def _print_nothing(target: Target, works: Sequence) -> None:
    if target.as_json:
        print_json({"tables": [{"table": work.table, "status": "current", "reason": work.reason} for work in works]})
    else:
        click.echo(f"nothing to do: {'every table is current' if works else 'no table is selected'}")


def _print(target: Target, run: str, reports: Sequence[Report]) -> None:
    if target.as_json:
        print_json({"run": run, "tables": [asdict(report) for report in reports]})
        return
    print_reports(run, reports)


def print_reports(run: str, reports: Sequence[Report]) -> None:
    """A table of reports, the run's name, and each failure whole."""
    rows = [
        (r.table, r.status, r.work, r.rows_in, r.written, r.quarantined, r.version, f"{r.seconds:.1f}") for r in reports
    ]
    print_table(_COLUMNS, rows, numeric=_COLUMNS[3:])
    click.echo(f"\nrun {run}")
    for report in reports:
        if report.error:
            click.echo(f"\nerror[{report.error['code']}] {report.table}: {_told(report.error)}", err=True)
        elif report.status == "skipped":
            click.echo(f"\n{report.table}: skipped, {report.reason}", err=True)


def _told(error: dict[str, str]) -> str:
    return str(HeadgateError(error["what"], where=error["where"], fix=error["fix"]))
