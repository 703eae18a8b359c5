"""`headgate generate`: seeded uploads for the datasets of a project, to files, to a receiver or into the lake."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from headgate.cli.delivery import Deliver, to_files, to_lake, to_receiver
from headgate.cli.options import Target, print_json, target_options
from headgate.contracts.contract import Contract, load_contracts
from headgate.errors import UsageError, suggestion
from headgate.generate import KEY_STYLES, KINDS, GeneratedUpload, Request, unbreakable, uploads
from headgate.generate.project_generator import ProjectGenerator, check_settings, load_generator

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_DEFAULT_STORES = 3
_COLUMNS = ("uploads", "rows", "broken", "bytes")


@dataclass
class Tally:
    """What was delivered, by kind of upload; bytes are before compression."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in _COLUMNS})
    replayed: int = 0

    def add(self, upload: GeneratedUpload, replayed: bool) -> None:
        """Counts a delivered upload."""
        for name, value in zip(_COLUMNS, (1, upload.rows, upload.broken, len(upload.body)), strict=True):
            self.counts[name][upload.kind] += value
        self.replayed += replayed

    def of(self, *kinds: str) -> dict[str, int]:
        """Returns uploads, rows, broken rows and bytes of these kinds together."""
        return {name: sum(counts[kind] for kind in kinds) for name, counts in self.counts.items()}

    @property
    def kinds(self) -> list[str]:
        """The kinds of which there are uploads."""
        return [kind for kind in KINDS if self.counts["uploads"][kind]]


@click.command()
@click.option("--dataset", "datasets", multiple=True, help="A dataset to make; may be repeated.  [default: all]")
@click.option("--stores", type=int, default=_DEFAULT_STORES, show_default=True, help="Number of stores that send.")
@click.option("--days", type=int, default=Request.days, show_default=True, help="Number of business days.")
@click.option(
    "--first-day",
    type=click.DateTime(["%Y-%m-%d"]),
    default=str(Request.first_day),
    show_default=True,
    help="The first business day.",
)
@click.option("--records", type=int, help=f"Per dataset, store and day, on average.  [default: {Request.records}]")
@click.option("--size", help="About this many bytes in all, such as 500MB, instead of --records.")
@click.option("--uploads", type=int, default=Request.uploads, show_default=True, help="Batches per store and day.")
@click.option("--late", type=float, default=Request.late, show_default=True, help="Share of batches sent days later.")
@click.option(
    "--repeated", type=float, default=Request.repeated, show_default=True, help="Share of batches sent twice."
)
@click.option(
    "--corrected", type=float, default=Request.corrected, show_default=True, help="Share of records corrected later."
)
@click.option("--broken", type=float, default=Request.broken, show_default=True, help="Share of records damaged.")
@click.option(
    "--keys", type=click.Choice(KEY_STYLES), default=Request.keys, show_default=True, help="Idempotency keys."
)
@click.option(
    "--seed", type=int, default=Request.seed, show_default=True, help="The same seed and options make the same bytes."
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An option of the project's generator.")
@click.option("--gzip", "compress", is_flag=True, help="Compress the uploads, where their contract allows gzip.")
@click.option("--to", type=click.Path(path_type=Path), help="Write files DIR/<dataset>/<day sent>/<store>-<n>.")
@click.option("--url", help="Send to the receiver at this address.")
@click.option("--key-template", help="With --url: each store's key, such as 'demo-{store}'.")
@click.option("--direct", is_flag=True, help="Land in the environment's lake, without a receiver.")
@target_options
def command(target: Target, to: Path | None, url: str | None, direct: bool, **options: Any) -> None:
    """Make plausible uploads for the datasets of the project, from their contracts.

    Use either --to, --url or --direct.
    """
    key_template, compress = options.pop("key_template"), options.pop("compress")
    contracts = load_contracts(target.project)
    generator = load_generator(target.project, target.environment.generator) if target.environment.generator else None
    request = request_of(contracts, tuple(target.environment.receiver.store_keys), **options)
    check_settings(request.settings, generator.OPTIONS if generator else {})
    deliver = _delivery(target, contracts, request, to, url, key_template, direct, compress)
    _warn(request, contracts, generator)
    tally = Tally()
    with _progress(request) as advance:
        for upload in uploads(request, contracts, generator):
            tally.add(upload, deliver(upload))
            advance(len(upload.body))
    _print(tally, target.as_json)


def request_of(
    contracts: Mapping[str, Contract],
    known_stores: tuple[str, ...],
    datasets: tuple[str, ...],
    stores: int,
    first_day: datetime,
    size: str | None,
    settings: tuple[str, ...],
    **rest: Any,
) -> Request:
    """Returns the Request of the command's options. Raises UsageError."""
    for dataset in datasets:
        if dataset not in contracts:
            raise UsageError(
                f"no dataset '{dataset}'.{suggestion(dataset, contracts)}",
                where="generate: --dataset",
                fix=f"the project has: {', '.join(sorted(contracts)) or 'none'}",
            )
    if not contracts:
        raise UsageError("the project has no dataset", where="generate", fix="write a contract in conf/datasets")
    if size is not None and rest["records"] is not None:
        raise UsageError("--size and --records exclude each other", where="generate", fix="use one of them")
    return Request(
        datasets=tuple(dict.fromkeys(datasets)) or tuple(contracts),
        stores=store_names(known_stores, stores),
        first_day=first_day.date(),
        size=None if size is None else size_in_bytes(size),
        settings=dict(_setting(text) for text in settings),
        **{name: value for name, value in rest.items() if value is not None},
    )


def store_names(known: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Returns the names of `count` stores: those with keys in the environment first, then store-1, store-2 ..."""
    others = (name for name in (f"store-{number}" for number in range(1, count + 1)) if name not in known)
    return (*known, *others)[: max(count, 0)]


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"'{text}' has no value", where="generate: --set", fix="write NAME=VALUE")
    return name, value


def size_in_bytes(text: str) -> int:
    """Returns `500MB`, `1.5 GiB` or `2000` in bytes. Raises UsageError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or match.group(2).upper() not in _UNITS:
        raise UsageError(
            f"{text!r} is not a size",
            where="generate: --size",
            fix="give a number and a unit (B, kB, MB, GB, KiB, MiB, GiB), such as 500MB",
        )
    return int(float(match.group(1)) * _UNITS[match.group(2).upper()])


def _delivery(
    target: Target,
    contracts: Mapping[str, Contract],
    request: Request,
    to: Path | None,
    url: str | None,
    key_template: str | None,
    direct: bool,
    compress: bool,
) -> Deliver:
    if sum((to is not None, url is not None, direct)) != 1:
        raise UsageError("the target is missing", where="generate", fix="use --to DIR, --url ADDRESS or --direct")
    if to is not None:
        return to_files(to, request.datasets, contracts, compress)
    if direct:
        return to_lake(target.environment, contracts, compress)
    if not key_template:
        raise UsageError(
            "--url needs each store's key", where="generate", fix="add --key-template, such as 'demo-{store}'"
        )
    return to_receiver(str(url), key_template, contracts, compress)


def _warn(request: Request, contracts: Mapping[str, Contract], generator: ProjectGenerator | None) -> None:
    """Warns on standard error where a contract makes an option ineffective."""
    from_contract = [name for name in request.datasets if generator is None or name not in generator.DATASETS]
    if request.broken and from_contract:
        for name in unbreakable(from_contract, contracts):
            click.echo(f"{name}: no broken records, because the contract accepts every record", err=True)
    for name in from_contract if request.corrected else ():
        if not contracts[name].key:
            click.echo(f"{name}: no corrected records, because the contract has no primaryKey", err=True)


@contextmanager
def _progress(request: Request) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how many bytes are made; yields the function that adds to them."""
    columns = (TextColumn("generate"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=request.size)
        yield lambda size: progress.advance(task, size)
        progress.update(task, total=progress.tasks[task].completed)


def _print(tally: Tally, as_json: bool) -> None:
    if as_json:
        kinds = {kind: tally.of(kind) for kind in tally.kinds}
        print_json({**tally.of(*KINDS), "replayed": tally.replayed, "kinds": kinds})
        return
    Console().print(_table(tally))
    if tally.replayed:
        click.echo(f"{tally.replayed:,} uploads were there already")


def _table(tally: Tally) -> Table:
    table = Table("kind")
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for kind in tally.kinds:
        table.add_row(kind, *(f"{count:,}" for count in tally.of(kind).values()))
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in tally.of(*KINDS).values()))
    return table
