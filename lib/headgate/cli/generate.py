"""`headgate generate`: seeded retail uploads, to files or to a running receiver."""

import gzip
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from headgate.cli.options import print_json
from headgate.errors import StorageError, UsageError
from headgate.generate import DATASETS, KEY_STYLES, KINDS, GeneratedUpload, Spec, estimated_bytes, facts, uploads

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")

# Delivers one upload; True where the receiver had it already.
Deliver = Callable[[GeneratedUpload], bool]


@dataclass
class Tally:
    """What was delivered, by kind; bytes before compression."""

    uploads: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    replayed: int = 0

    def count(self, upload: GeneratedUpload, replayed: bool) -> None:
        self.uploads[upload.kind] += 1
        self.rows[upload.kind] += upload.rows
        self.bytes[upload.kind] += len(upload.body)
        self.replayed += replayed

    def of(self, *kinds: str) -> dict[str, int]:
        """Uploads, rows and bytes of these kinds together."""
        columns = {"uploads": self.uploads, "rows": self.rows, "bytes": self.bytes}
        return {name: sum(counts[kind] for kind in kinds) for name, counts in columns.items()}


@click.command()
@click.option(
    "--dataset", "datasets", multiple=True, type=click.Choice(DATASETS), help="What to make; may be repeated."
)
@click.option(
    "--stores", type=int, default=Spec.stores, show_default=True, help="Number of stores: store-1, store-2 ..."
)
@click.option("--days", type=int, default=Spec.days, show_default=True, help="Number of business days.")
@click.option(
    "--first-day", type=click.DateTime(["%Y-%m-%d"]), default=str(Spec.first_day), show_default=True, help="First day."
)
@click.option("--transactions", type=int, help=f"Per store and day, on average.  [default: {Spec.transactions}]")
@click.option("--size", help="About so many bytes in all, such as 500MB, instead of --transactions.")
@click.option("--uploads", type=int, default=Spec.uploads, show_default=True, help="Batches per store and day.")
@click.option("--late", type=float, default=Spec.late, show_default=True, help="Share of batches sent on a later day.")
@click.option("--repeated", type=float, default=Spec.repeated, show_default=True, help="Share of batches sent twice.")
@click.option(
    "--corrected", type=float, default=Spec.corrected, show_default=True, help="Share of sales revised later."
)
@click.option("--broken", type=float, default=Spec.broken, show_default=True, help="Share of lines that are damaged.")
@click.option("--customers", type=int, help="How many are sent.  [default: all that sales name]")
@click.option("--products", type=int, help="How many are sent.  [default: all that sales name]")
@click.option("--random-ids", is_flag=True, help="Random transaction ids instead of day, store and number.")
@click.option("--keys", type=click.Choice(KEY_STYLES), default=Spec.keys, show_default=True, help="Idempotency keys.")
@click.option(
    "--seed", type=int, default=Spec.seed, show_default=True, help="The same seed and options: the same bytes."
)
@click.option("--gzip", "compress", is_flag=True, help="Compress what is written or sent.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Write to DIR/<dataset>/<day sent>/<store>-<n>.")
@click.option("--url", help="Send to the receiver at this address.")
@click.option("--key-template", help="With --url: each store's key, such as 'demo-{store}'.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    folder: Path | None, url: str | None, key_template: str | None, compress: bool, as_json: bool, **options: Any
) -> None:
    """Make realistic retail uploads: to files, or to a running receiver."""
    spec = spec_of(**options)
    deliver = _delivery(folder, url, key_template, spec, compress)
    tally = Tally()
    with _progress(spec) as advance:
        for upload in uploads(spec):
            tally.count(upload, deliver(upload))
            advance(len(upload.body))
    _print(spec, tally, as_json)


def spec_of(datasets: tuple[str, ...], first_day: datetime, size: str | None, **rest: Any) -> Spec:
    """The Spec of the command's options. Raises UsageError."""
    if size is not None and rest["transactions"] is not None:
        raise UsageError("--size and --transactions exclude each other", where="generate", fix="give one of them")
    return Spec(
        datasets=datasets or Spec.datasets,
        first_day=first_day.date(),
        size=None if size is None else size_in_bytes(size),
        **{name: value for name, value in rest.items() if value is not None},
    )


def size_in_bytes(text: str) -> int:
    """`500MB`, `1.5 GiB` or `2000` in bytes. Raises UsageError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or match.group(2).upper() not in _UNITS:
        raise UsageError(
            f"{text!r} is no size",
            where="generate: --size",
            fix="give a number and a unit (B, kB, MB, GB, KiB, MiB, GiB), such as 500MB",
        )
    return int(float(match.group(1)) * _UNITS[match.group(2).upper()])


def _delivery(folder: Path | None, url: str | None, key_template: str | None, spec: Spec, compress: bool) -> Deliver:
    if (folder is None) == (url is None):
        raise UsageError("say where to", where="generate", fix="give either --to DIR or --url ADDRESS")
    if folder is not None:
        return _to_files(folder, spec, compress)
    if not key_template:
        raise UsageError(
            "--url needs each store's key", where="generate", fix="add --key-template, such as 'demo-{store}'"
        )
    return _to_receiver(str(url), key_template, compress)


def _to_files(folder: Path, spec: Spec, compress: bool) -> Deliver:
    """Writes each upload to a file of its own. Raises UsageError where files of another time would be mixed in."""
    for dataset in spec.datasets:
        if any((folder / dataset).glob("*/*")):
            raise UsageError("has files already", where=str(folder / dataset), fix="name an empty or a new folder")
    numbers: Counter[Path] = Counter()

    def write(upload: GeneratedUpload) -> bool:
        stem = folder / upload.dataset / str(upload.sent_on) / upload.store
        numbers[stem] += 1
        suffix = f"{upload.suffix}.gz" if compress else upload.suffix
        _write(
            stem.with_name(f"{stem.name}-{numbers[stem]}{suffix}"), _packed(upload.body) if compress else upload.body
        )
        return False

    return write


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)


def _write(path: Path, body: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as error:
        raise StorageError(f"cannot write: {error.strerror}", where=str(path), fix="choose another --to") from error


def _to_receiver(url: str, key_template: str, compress: bool) -> Deliver:
    from headgate.client import send  # not needed for files

    def deliver(upload: GeneratedUpload) -> bool:
        receipt = send(
            url=url,
            key=key_template.replace("{store}", upload.store),
            dataset=upload.dataset,
            body=upload.body,
            idempotency_key=upload.key,
            content_type=upload.media_type,
            gzip=compress,
        )
        return receipt.replayed

    return deliver


@contextmanager
def _progress(spec: Spec) -> Iterator[Callable[[int], None]]:
    """Shows the bytes made on a terminal; gives the function that adds to them."""
    columns = (TextColumn("generate"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=estimated_bytes(spec))
        yield lambda size: progress.advance(task, size)
        progress.update(task, total=progress.tasks[task].completed)


def _print(spec: Spec, tally: Tally, as_json: bool) -> None:
    made = facts(spec)
    if as_json:
        kinds = {kind: tally.of(kind) for kind in KINDS if tally.uploads[kind]}
        print_json({**tally.of(*KINDS), "replayed": tally.replayed, "kinds": kinds, "facts": asdict(made)})
        return
    Console().print(_table(tally))
    if made.transactions:
        click.echo(f"{made.transactions:,} transactions: {made.broken:,} broken, {made.corrected:,} corrected later")
    if tally.replayed:
        click.echo(f"{tally.replayed:,} uploads were there already")


def _table(tally: Tally) -> Table:
    table = Table("kind")
    for name in ("uploads", "rows", "bytes"):
        table.add_column(name, justify="right")
    for kind in KINDS:
        if tally.uploads[kind]:
            table.add_row(kind, *(f"{count:,}" for count in tally.of(kind).values()))
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in tally.of(*KINDS).values()))
    return table
