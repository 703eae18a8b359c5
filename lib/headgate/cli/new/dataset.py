"""`headgate new dataset`: proposes a contract from a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from headgate.cli.new.writing import write_new
from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.contracts.contract import Contract, load_contract
from headgate.errors import HeadgateError
from headgate.propose.contract_text import check_names, contract_text, dataset_name
from headgate.propose.inference import Column, Inferred, infer
from headgate.propose.sample import DEFAULT_RECORDS, Sample, read_sample

_FORMATS = ("csv", "jsonl", "json", "parquet")
_DEFAULT_STORE = "store-1"
_SHOWN = 5  # records that cannot be read


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The dataset's name.  [default: the file's name, without a date at its end]")
@click.option("--owner", default="unknown", show_default=True, help="The team that owns the dataset.")
@click.option("--format", "format_", type=click.Choice(_FORMATS), help="The file's format.  [default: by its suffix]")
@click.option(
    "--records", type=click.IntRange(min=1), default=DEFAULT_RECORDS, show_default=True, help="Read at most this many."
)
@click.option("--dry-run", is_flag=True, help="Print the contract; write nothing.")
@target_options
def dataset(
    target: Target, file: Path, name: str | None, owner: str, format_: str | None, records: int, dry_run: bool
) -> None:
    """Propose a contract for the dataset of FILE: CSV, JSON lines, JSON or Parquet, also as .gz.

    Writes conf/datasets/NAME.yaml with types, required columns and a key. A file that exists is never overwritten.
    """
    sample = read_sample(file, records, format_)
    inferred = infer(sample)
    dataset = name or dataset_name(file.name.partition(".")[0])
    check_names(dataset, inferred, sample)
    text = contract_text(dataset, sample, inferred, owner)
    path = target.project.datasets / f"{dataset}.yaml"
    if not dry_run:
        write_new(path, text)
        _check(path, target)
    _print(target, file, dataset, path, text, sample, inferred, dry_run)


def _check(path: Path, target: Target) -> Contract:
    """The written contract. Raises HeadgateError, and removes the file, where it is not valid: a defect of Headgate."""
    try:
        return load_contract(path, target.project)
    except HeadgateError:
        path.unlink()
        raise


def _print(
    target: Target,
    file: Path,
    dataset: str,
    path: Path,
    text: str,
    sample: Sample,
    inferred: Inferred,
    dry_run: bool,
) -> None:
    following = next_commands(target, file, dataset)
    shown = target.project.relative(path)
    if target.as_json:
        answer = {"dataset": dataset, "file": shown, "written": not dry_run, **_findings(sample, inferred)}
        print_json({**answer, "contract": text, "next": following})
        return
    if dry_run:
        click.echo(text, nl=False)
        return
    click.echo(f"created  {shown}  ({len(sample.records):,} records read{'' if sample.whole else ', not all'})\n")
    _print_columns(inferred)
    if sample.broken:
        click.echo(f"\nrecords that cannot be read, which a run would quarantine: {len(sample.broken):,}")
        for line in [*sample.broken[:_SHOWN], *["..."] * (len(sample.broken) > _SHOWN)]:
            click.echo(f"  {line}")
    click.echo("\nRead the contract and correct it. Then:")
    for line in following:
        click.echo(f"  {line}")


def _print_columns(inferred: Inferred) -> None:
    key = inferred.keys[0] if inferred.keys else ()
    rows = [
        (column.name, _type_of(column), _yes(column.required), _yes(column.name in key), _remark(column))
        for column in inferred.columns
    ]
    print_table(["column", "type", "required", "key", "remark"], rows)


def _remark(column: Column) -> str:
    """The remarks without their details, which are in the contract."""
    return "; ".join(note.partition(";")[0] for note in column.notes)


def _findings(sample: Sample, inferred: Inferred) -> dict[str, Any]:
    """What --json prints about the file."""
    return {
        "records": len(sample.records),
        "broken": list(sample.broken),
        "whole": sample.whole,
        "format": sample.format,
        "columns": [_as_dict(column) for column in inferred.columns],
        "key": list(inferred.keys[0]) if inferred.keys else [],
        "key_candidates": [list(key) for key in inferred.keys],
    }


def next_commands(target: Target, file: Path, dataset: str) -> list[str]:
    """Returns the commands that upload the file and make its first table."""
    store = next(iter(target.environment.receiver.store_keys), _DEFAULT_STORE)
    return [
        f"headgate upload {shlex.quote(str(file))} --dataset {dataset} --store {store} --direct",
        f"headgate new table {dataset} --from {dataset}",
        "headgate run",
    ]


def _type_of(column: Column) -> str:
    return column.physical_type or column.logical_type


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _as_dict(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": _type_of(column),
        "required": column.required,
        "remarks": list(column.notes),
        **({"properties": [_as_dict(child) for child in column.properties]} if column.properties else {}),
        **({"items": _as_dict(column.items)} if column.items else {}),
    }
