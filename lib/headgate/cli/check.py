"""`headgate check`: checks before a run, and checks of current tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.checks.project import Checked, check_project
from headgate.cli.options import Target, place_options, print_json
from headgate.cli.output import print_table, progress
from headgate.cli.selection import selected
from headgate.cli.work import spark_that_looks
from headgate.contracts.environment import load_environment
from headgate.document import Problem, listed
from headgate.errors import UsageError
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import Graph, load_graph
from headgate.project import Project, find_project
from headgate.suites.suite import Suite, load_suites

if TYPE_CHECKING:
    from headgate.engine.verbs.table_check import TableCheck
    from headgate.suites.quality import Result

_COLUMNS = ["expectation", "severity", "result", "judged", "failing", "observed", "examples"]
_WIDTH = 60


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--dataset", help="With FILES: the dataset that they are for.")
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="TABLE",
    help="Check the current table with its whole suite, with Spark. A name, a pattern with *, tag:NAME. Repeatable.",
)
@click.option("--profile", metavar="TABLE", help="Propose a suite from a table's rows, with Spark, for you to edit.")
@click.option(
    "--docs",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Build GX's Data Docs in a folder, from the suites and their results for the last batches.",
)
@place_options
def command(
    files: tuple[Path, ...],
    dataset: str | None,
    tables: tuple[str, ...],
    profile: str | None,
    docs: Path | None,
    folder: Path | None,
    env: str,
    as_json: bool,
) -> None:
    """Check contracts, suites, modules and environments, and that Athena can read gold: without data or Spark.

    With FILES: check files before they are sent, by the contract of --dataset. With --table: check current tables
    with their suites. With --profile: print a proposed suite. With --docs: build pages of the results.
    """
    project = find_project(folder)
    if files or dataset:
        from headgate.cli.check_file import check_files

        check_files(project, env, files, dataset, as_json)
        return
    if sum(map(bool, (tables, profile, docs))) > 1:
        raise UsageError("--table, --profile and --docs exclude each other", where="check", fix="use one of them")
    if not (tables or profile or docs):
        _check_all(project, env, as_json=as_json)
        return
    target = Target(project, load_environment(project, env), as_json)
    if profile:
        _propose(target, profile)
    elif docs:
        _build_docs(target, docs)
    else:
        _check_tables(target, tables)


# --- the project


def _check_all(project: Project, env: str, *, as_json: bool) -> None:
    checked = check_project(project, env)
    if as_json:
        print_json({"checked": checked.counts, "problems": [_problem(problem) for problem in checked.problems]})
    else:
        _print_problems(checked)
    if checked.problems:
        sys.exit(2)


def _print_problems(checked: Checked) -> None:
    for problem in checked.problems:
        click.echo(listed(problem).removeprefix("  "))
    number = len(checked.problems)
    looked_at = ", ".join(f"{count} {kind}" for kind, count in checked.counts.items())
    click.echo(f"\n{number} problem{'s' * (number != 1)}" if number else f"no problems: {looked_at}")


def _problem(problem: Problem) -> dict[str, str]:
    return {"where": str(problem.place), "path": problem.path, "what": problem.message, "fix": problem.fix}


# --- tables


def _check_tables(target: Target, selectors: Sequence[str]) -> None:
    """Checks every selected table that has a suite. The exit code is 1 if a critical expectation fails.

    Where no selected table is built and has a suite, it prints so and ends with 0: a first nightly run is no failure.
    """
    graph = load_graph(target.project)
    suites, nothing = _suites(target, graph, selectors)
    if nothing:
        if target.as_json:
            print_json({"tables": []})
        else:
            click.echo(f"nothing to check: {nothing}")
        return
    from headgate.engine.verbs.table_check import check_table

    results = []
    with spark_that_looks(target) as session:
        for suite in suites:
            progress(f"judging {suite.table}")
            results.append(check_table(session, target.project, target.environment, graph, suite))
    if target.as_json:
        print_json({"tables": [_table(item) for item in results]})
    else:
        for item in results:
            _print_table(item)
    if any(item.fails for item in results):
        sys.exit(1)


def _suites(target: Target, graph: Graph, selectors: Sequence[str]) -> tuple[list[Suite], str]:
    """The suites of the selected tables that are built, and why there are none ("" where there are some).

    Raises UsageError where a table is selected by its name and no selected table has a suite.
    """
    names, suites = selected(target.environment, graph, selectors, ()), load_suites(target.project)
    wanted = [name for name in names if name in suites]
    if not wanted:
        reason = f"no suite of {', '.join(names) or 'any table'} in conf/expectations"
        if any(name in selectors for name in names):
            raise UsageError(reason, fix=f"propose a suite: headgate check --profile {names[0]}")
        return [], reason
    ledger = Ledger(target.environment)
    built = [suites[name] for name in wanted if ledger.head(name).exists]
    return built, "" if built else f"{', '.join(wanted)}: not built yet"


def _table(check: TableCheck) -> dict[str, Any]:
    results = [result.as_dict() for result in check.results]
    return {"table": check.table, "version": check.version, "fails": check.fails, "results": results}


def _print_table(check: TableCheck) -> None:
    click.echo(f"{check.table}, version {check.version}")
    print_table(_COLUMNS, [_row(result) for result in check.results], numeric=("judged", "failing"))
    click.echo()


def _row(result: Result) -> tuple[Any, ...]:
    details = "ok" if result.success else "fails"
    examples = "; ".join(result.examples)
    shown = examples if len(examples) <= _WIDTH else f"{examples[: _WIDTH - 1]}…"
    return (result.expectation, result.severity, details, result.judged, result.unexpected, result.observed, shown)


# --- a proposal


def _propose(target: Target, table: str) -> None:
    """Prints a suite proposed from the live rows of a table, always as JSON."""
    node = load_graph(target.project).node(table)
    if node.layer == "bronze":
        raise UsageError(f"{table} holds records as they were sent", fix="name the table that reads it")
    version = Ledger(target.environment).head(table).version
    if version < 0:
        raise UsageError(f"{table} is not built yet", fix=f"headgate run -s +{table}")
    from headgate.engine.read.changes import live
    from headgate.engine.read.table_reader import read_at
    from headgate.engine.verbs.profile import proposed

    with spark_that_looks(target) as session:
        rows = live(read_at(session, target.environment.table_uri(table), version))
        click.echo(proposed(node, rows), nl=False)


# --- pages


def _build_docs(target: Target, folder: Path) -> None:
    """Builds GX's Data Docs. Raises UsageError if the folder has other files, or if there is no suite."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "expectations").is_dir():
        raise UsageError("the folder holds something else", where=str(folder), fix="name a new or an empty folder")
    suites = load_suites(target.project)
    if not suites:
        raise UsageError(
            "there is no suite in conf/expectations", fix="propose a suite: headgate check --profile TABLE"
        )
    from headgate.engine.verbs.data_docs import build_site

    progress("starting Great Expectations")
    site = build_site(suites.values(), Ledger(target.environment), folder)
    if target.as_json:
        print_json({"index": site.index, "suites": site.suites, "batches": site.batches})
    else:
        click.echo(f"{site.index}: {site.suites} suites, {site.batches} batches")
