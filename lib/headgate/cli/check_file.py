"""`headgate check FILE --dataset DATASET`: a file before it is sent, offline."""

from __future__ import annotations

from pathlib import Path

import click

from headgate.checks.file import FileReport, check_file
from headgate.cli.options import print_json
from headgate.contracts.contract import load_contracts
from headgate.contracts.environment import load_environment
from headgate.errors import UsageError, suggestion
from headgate.project import Project


def check_files(project: Project, env: str, files: tuple[Path, ...], dataset: str | None, as_json: bool) -> None:
    """Prints the problems of the files. The exit code is 1 if there is a problem."""
    contracts = load_contracts(project)
    if dataset is None or dataset not in contracts:
        raise UsageError(
            "--dataset is missing" if dataset is None else f"no dataset '{dataset}'.{suggestion(dataset, contracts)}",
            where="check",
            fix=f"name the dataset of the file: {', '.join(sorted(contracts))}",
        )
    most = load_environment(project, env).receiver.max_upload_bytes
    reports = [check_file(file, contracts[dataset], most) for file in files]
    if as_json:
        print_json({"dataset": dataset, "files": [report.as_dict() for report in reports]})
    else:
        for report in reports:
            _print(report)
    if not all(report.ok for report in reports):
        raise SystemExit(1)


def _print(report: FileReport) -> None:
    click.echo(f"{report.file}: {report.records:,} records, {'no problem' if report.ok else 'with problems'}")
    for problem, count in report.problems.most_common():
        click.echo(f"  {count:,} x {problem}")
    for record, problem in report.first:
        click.echo(f"  record {record}: {problem}")
    if report.ok:
        click.echo("  the run checks values: this checks that records can be read and have their required fields")
