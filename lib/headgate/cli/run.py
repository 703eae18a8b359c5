"""`headgate run`: builds the tables that have work."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.catalog import register_after, show_after
from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.cli.run_progress import Show, shown_progress
from headgate.cli.run_warnings import warn_of_unreadable
from headgate.cli.selection import selected, selection_options
from headgate.cli.work import lake_to_itself, spark_at_work, spark_that_looks, submit_if_remote, wait_option
from headgate.errors import EXIT_RETRY, HeadgateError, UsageError, suggestion
from headgate.ledger.ledger import Ledger
from headgate.ledger.travel import moment_of
from headgate.planning.graph import Graph, load_graph
from headgate.planning.plan import Planner, Work, identity_of
from headgate.suites.quality import Acceptance, Result
from headgate.suites.suite import load_suites

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from headgate.engine.verbs.run import Runner
    from headgate.engine.verbs.table_report import Report

_SMALL_BYTES = 64 * 2**20
_COLUMNS = ["table", "status", "work", "rows in", "written", "quarantined", "version", "seconds"]


@click.command("run")
@target_options
@selection_options
@click.option(
    "--rebuild", is_flag=True, help="Build the selected tables again from all of their sources (bronze is kept)."
)
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option("--watch", "stays", is_flag=True, help="Stay up: run whenever uploads arrive, until SIGTERM or Ctrl-C.")
@wait_option
@click.option(
    "--accept-failed",
    "accept",
    multiple=True,
    metavar="EXPECTATION",
    help="Publish although this expectation of a selected table's suite fails; with --reason. Repeatable.",
)
@click.option(
    "--reason", metavar="TEXT", help="With --accept-failed: the reason. The commit records it with your name."
)
@click.option("--as-of", metavar="TIME", help="Reproduce: build from bronze as of TIME, in the lake of --into.")
@click.option("--into", metavar="LAKE", help="With --as-of: another lake, an empty folder or s3:// address.")
def command(
    target: Target,
    selectors: tuple[str, ...],
    exclude: tuple[str, ...],
    rebuild: bool,
    dry_run: bool,
    stays: bool,
    no_wait: bool,
    accept: tuple[str, ...],
    reason: str | None,
    as_of: str | None,
    into: str | None,
) -> None:
    """Build the tables that have work. If a table fails, only the tables that read it are skipped."""
    graph = load_graph(target.project)
    names = selected(target.environment, graph, selectors, exclude)
    if stays:
        _require_alone(
            {"--rebuild": rebuild, "--dry-run": dry_run, "--no-wait": no_wait, "--accept-failed": accept}
            | {"--reason": reason, "--as-of": as_of, "--into": into}
        )
        _stay(target, graph, names)
        return
    accepted = _acceptances(target, names, accept, reason)
    if as_of or into:
        _reproduce(target, graph, names, as_of, into, dry_run=dry_run)
        return
    planner = Planner(target.environment, graph)
    works = planner.plan(names)
    if dry_run:
        from headgate.cli import plan

        plan.show(target, graph, planner, works)
        return
    if not works or (not rebuild and not any(work.is_work for work in works)):
        _print_nothing(target, works)
        return
    submit_if_remote(target, identity_of(works))
    _build(target, graph, planner, works, accepted, rebuild=rebuild, wait=not no_wait)


def _stay(target: Target, graph: Graph, names: list[str]) -> None:
    """Watches landing and runs the tables that have work, until it is stopped. Prints the reports of each run."""
    from headgate.cli.watch.watcher import watch

    def show(run: str, reports: Sequence[Report]) -> None:
        done = (report.table for report in reports if report.status == "done")
        _print(target, run, reports, register_after(target, graph, done))

    watch(target, graph, names, show)


def _build(
    target: Target,
    graph: Graph,
    planner: Planner,
    works: Sequence[Work],
    accepted: Sequence[Acceptance],
    *,
    rebuild: bool,
    wait: bool,
) -> None:
    """Builds the tables of `works` and prints the reports. Waits for other runs first, if `wait`."""
    names = [work.table for work in works]
    with lake_to_itself(target, wait=wait) as waited:
        lost = {}
        if waited:
            planned, planner = works, Planner(target.environment, graph)
            works = planner.plan(names)
            lost = _lost(planned, works)
            if not rebuild and not any(work.is_work for work in works):
                _print_nothing(target, works, lost)
                return
        small = not rebuild and planner.bytes_of(works) <= _SMALL_BYTES
        with spark_that_looks(target, small=small) as session, shown_progress(target.as_json) as show:
            runner = _runner(target, graph, session, show, accepted, rebuild=rebuild)
            run, reports = runner.run_id, _run(runner, names)
    reports = [replace(r, lost=r.lost or lost.get(r.table, "")) if r.status == "current" else r for r in reports]
    catalog = register_after(target, graph, (r.table for r in reports if r.status == "done"))
    _print(target, run, reports, catalog)
    exit_if_failed(reports)


def _require_alone(others: Mapping[str, object]) -> None:
    """Raises UsageError where `--watch` comes with an option that is about a single run."""
    if wrong := [name for name, value in others.items() if value]:
        raise UsageError(f"--watch and {wrong[0]} do not go together", fix=f"run once with {wrong[0]}, without --watch")


def _run(runner: Runner, names: Sequence[str]) -> list[Report]:
    """Runs the tables. Ctrl-C says which were committed and how to go on, and ends with 130."""
    try:
        return runner.run(names)
    except KeyboardInterrupt:
        done = [f"{report.table} (version {report.version})" for report in runner.finished if report.status == "done"]
        click.echo(
            f"\ninterrupted: committed {', '.join(done) or 'no table'}; the other tables are unchanged.\n"
            "  to do: run again: it continues from there",
            err=True,
        )
        sys.exit(130)


def exit_if_failed(reports: Sequence[Report]) -> None:
    """Exits with 75 if a table failed and a retry may help, with 1 if tables failed and none will."""
    errors = [report.error for report in reports if report.status == "failed" and report.error]
    if any(error["retryable"] for error in errors):
        sys.exit(EXIT_RETRY)
    if any(report.status in ("failed", "skipped") for report in reports):
        sys.exit(1)


def _acceptances(
    target: Target, names: Sequence[str], expectations: Sequence[str], reason: str | None
) -> list[Acceptance]:
    """Returns an acceptance per expectation. Raises UsageError for an unknown expectation, or without a reason."""
    if not expectations and reason is None:
        return []
    if not expectations or not (reason or "").strip():
        raise UsageError("--accept-failed and --reason belong together", fix="say which expectation may fail, and why")
    suites = load_suites(target.project)
    known = [e.name for name in names if name in suites for e in suites[name].expectations]
    for name in expectations:
        if name not in known:
            raise UsageError(
                f"no selected table expects '{name}'.{suggestion(name, known)}",
                fix="the report of the failed run names it",
            )
    return [Acceptance(name, getpass.getuser(), str(reason).strip()) for name in expectations]


def _lost(planned: Sequence[Work], works: Sequence[Work]) -> dict[str, str]:
    """Of the tables that another run has committed to since they were planned: which run, and its commit."""
    results = {}
    for before, now in zip(planned, works, strict=True):
        run = now.head.commit.run if now.head.commit else None
        if run and now.head.version != before.head.version:
            results[now.table] = f"run {run} committed version {now.head.version} first"
    return results


def _runner(
    target: Target,
    graph: Graph,
    session: SparkSession,
    show: Show,
    accepted: Sequence[Acceptance] = (),
    *,
    rebuild: bool = False,
) -> Runner:
    from headgate.engine.verbs.run import Runner

    return Runner(target.project, target.environment, graph, session, on_step=show, rebuild=rebuild, accepted=accepted)


def _reproduce(
    target: Target, graph: Graph, names: list[str], as_of: str | None, into: str | None, *, dry_run: bool
) -> None:
    """Builds the tables from bronze as of a time, in another lake; this lake is only read."""
    if not (as_of and into):
        raise UsageError("--as-of and --into belong together", fix="headgate run --as-of 2026-03-01 --into FOLDER")
    from headgate.engine.verbs.reproduce import copy_bronze, versions_at

    versions = versions_at(Ledger(target.environment), graph, names, moment_of(as_of))
    if dry_run:
        print_table(["bronze table", "version"], list(versions.items()), ["version"])
        return
    other = replace(target, environment=target.environment.in_lake(target.project, into))
    with spark_at_work(other, wait=True, small=False) as session, shown_progress(target.as_json) as show:
        copy_bronze(session, graph, target.environment, other.environment, versions)
        runner = _runner(other, graph, session, show)
        run = runner.run([name for name in names if not name.startswith("bronze.")])
    _print(other, runner.run_id, run)
    exit_if_failed(run)


def _print_nothing(target: Target, works: Sequence[Work], lost: Mapping[str, str] | None = None) -> None:
    lost = lost or {}
    if target.as_json:
        tables = [{"table": w.table, "status": "current", "reason": lost.get(w.table, w.reason)} for w in works]
        print_json({"tables": tables})
        return
    for table, details in lost.items():
        click.echo(f"{table}: {details}")
    if not works:
        click.echo("nothing to do: no table is selected")
    elif any(work.head.exists for work in works):
        click.echo("nothing to do: every table is current")
    else:
        click.echo("nothing to do: no table is built, and there is nothing yet to build one from (headgate upload)")


def _print(target: Target, run: str, reports: Sequence[Report], catalog: dict[str, Any] | None = None) -> None:
    if target.as_json:
        done = {"run": run, "tables": [asdict(report) for report in reports]}
        print_json({**done, "catalog": catalog} if catalog else done)
        warn_of_unreadable(reports)
        return
    print_reports(run, reports)
    show_after(catalog)


def print_reports(run: str, reports: Sequence[Report]) -> None:
    """Prints a table of the work done, the run id, and the full text of each failure."""
    details = [report for report in reports if report.status != "current"]
    rows = [
        (r.table, r.status, r.work, r.rows_in, r.written, r.quarantined, r.version, f"{r.seconds:.1f}") for r in details
    ]
    print_table(_COLUMNS, rows, numeric=_COLUMNS[3:])
    for report in reports:
        if report.lost:
            click.echo(f"{report.table}: {report.lost}")
    if rest := len(reports) - len(details):
        click.echo(f"\n{rest} more table{'s' * (rest != 1)}: nothing to do")
    click.echo(f"\nrun {run}")
    warn_of_unreadable(reports)
    for report in reports:
        for result in report.quality:
            if not result["success"] and not report.error:
                click.echo(f"\n{_became(report, result)} {report.table}: {Result.from_dict(result).said}", err=True)
        if report.error:
            click.echo(f"\nerror[{report.error['code']}] {report.table}: {_told(report.error)}", err=True)
        elif report.status == "skipped":
            click.echo(f"\n{report.table}: skipped, {report.reason}", err=True)


def _became(report: Report, result: Mapping[str, Any]) -> str:
    """What a failure led to, in a word: rows of a table that rejects records are in its quarantine."""
    quarantined = report.quarantined and result["kind"] == "row" and result["severity"] == "critical"
    return "quarantined" if quarantined else result["severity"]


def _told(error: Mapping[str, Any]) -> str:
    return str(HeadgateError(error["what"], where=error["where"], fix=error["fix"]))
