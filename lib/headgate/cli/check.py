"""`headgate check`: what can be judged before a run, and tables as they stand."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from headgate.check import Checked, check_project
from headgate.cli.options import place_options, print_json
from headgate.document import Problem, listed
from headgate.project import Project, find_project


@click.command("check")
@place_options
def command(folder: Path | None, env: str, as_json: bool) -> None:
    """Check contracts, suites, modules and environments, and that Athena can read gold: without data or Spark."""
    project = find_project(folder)
    _check_all(project, env, as_json=as_json)


def _check_all(project: Project, env: str, *, as_json: bool) -> None:
    checked = check_project(project, env)
    if as_json:
        print_json({"checked": checked.counts, "problems": [_as_dict(problem) for problem in checked.problems]})
    else:
        _print(checked)
    if checked.problems:
        sys.exit(2)


def _print(checked: Checked) -> None:
    for problem in checked.problems:
        click.echo(listed(problem).removeprefix("  "))
    number = len(checked.problems)
    looked_at = ", ".join(f"{count} {kind}" for kind, count in checked.counts.items())
    click.echo(f"\n{number} problem{'s' * (number != 1)}" if number else f"no problems: {looked_at}")


def _as_dict(problem: Problem) -> dict[str, str]:
    return {"where": str(problem.place), "path": problem.path, "what": problem.what, "fix": problem.fix}
