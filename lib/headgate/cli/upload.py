"""`headgate upload`: sends files to the receiver, or lands them by the receiver's own code."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import httpx

from headgate.cli.options import Target, print_json, target_options
from headgate.contracts.contract import Contract, load_contracts
from headgate.errors import HeadgateError, UploadRefused, UsageError, suggestion


@dataclass(frozen=True)
class Sent:
    """One uploaded file. `bytes` and `sha256` are the file's own."""

    file: str
    upload: str
    bytes: int
    sha256: str
    received: str
    replayed: bool


# Uploads the bytes of one file under an idempotency key; `compressed` where they are gzip.
Deliver = Callable[[str, bytes, str, bool], Sent]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dataset", required=True, help="The dataset that the files belong to.")
@click.option("--url", envvar="HEADGATE_URL", help="The receiver's address (HEADGATE_URL).")
@click.option("--key", envvar="HEADGATE_KEY", help="The store's key (HEADGATE_KEY).")
@click.option("--idempotency-key", help="For one file.  [default: the SHA-256 of the file's bytes]")
@click.option("--direct", is_flag=True, help="Land in the environment's lake, without a receiver.")
@click.option("--store", help="With --direct: the store that the files come from.")
@target_options
def command(
    target: Target, files: tuple[Path, ...], dataset: str, idempotency_key: str | None, direct: bool, **how: Any
) -> None:
    """Send FILES to the receiver; each becomes one upload, however often it is sent.

    Files that end in .gz are sent as they are, marked as gzip.
    """
    if idempotency_key is not None and len(files) > 1:
        raise UsageError("one idempotency key for several files", where="--idempotency-key", fix="send them one by one")
    contract = _contract(target, dataset)
    with httpx.Client() as http:
        deliver = _direct(target, contract, **how) if direct else _over_http(http, contract, **how)
        results = [_attempt(deliver, file, idempotency_key, target.as_json) for file in files]
    _finish(results, target.as_json)


def _contract(target: Target, dataset: str) -> Contract:
    contracts = load_contracts(target.project)
    if dataset not in contracts:
        raise UsageError(
            f"no dataset '{dataset}'.{suggestion(dataset, contracts)}",
            where="--dataset",
            fix=f"there are: {', '.join(sorted(contracts)) or 'none'}",
        )
    return contracts[dataset]


def _over_http(http: httpx.Client, contract: Contract, url: str | None, key: str | None, store: str | None) -> Deliver:
    from headgate.client import send

    if store is not None:
        raise UsageError("the key says which store it is", where="--store", fix="leave it out, or add --direct")
    if not url or not key:
        missing = "--url (HEADGATE_URL)" if not url else "--key (HEADGATE_KEY)"
        raise UsageError(f"{missing} is missing", where="upload", fix="give it, or land without a receiver: --direct")

    def deliver(name: str, body: bytes, idempotency_key: str, compressed: bool) -> Sent:
        media_type = contract.media_types[0]
        receipt = send(url, key, contract.dataset, body, idempotency_key, media_type, compressed=compressed, http=http)
        return Sent(name, receipt.upload, receipt.bytes, receipt.sha256, receipt.received, receipt.replayed)

    return deliver


def _direct(target: Target, contract: Contract, url: str | None, key: str | None, store: str | None) -> Deliver:
    """Lands by the receiver's own code, so that a retry over HTTP is a replay of it."""
    from ingest_api.landing.direct import land_bytes

    if not store:
        raise UsageError("--direct needs the store's name", where="upload", fix="add --store NAME")

    def deliver(name: str, body: bytes, idempotency_key: str, compressed: bool) -> Sent:
        landing = land_bytes(target.environment, contract, store, idempotency_key, body, compressed)
        receipt = landing.receipt
        return Sent(name, receipt.upload, receipt.bytes, receipt.sha256, receipt.received, landing.replayed)

    return deliver


def _attempt(deliver: Deliver, file: Path, idempotency_key: str | None, as_json: bool) -> Sent | HeadgateError:
    """Delivers one file and prints its line; a failure is returned, so that the other files go on."""
    try:
        body = _read(file)
        sent = deliver(str(file), body, idempotency_key or hashlib.sha256(body).hexdigest(), file.suffix == ".gz")
    except HeadgateError as error:
        if not as_json:
            click.echo(f"failed    {file}: {error}", err=True)
        return UploadRefused(error.what, where=str(file), fix=error.fix)
    if not as_json:
        click.echo(f"{'replayed' if sent.replayed else 'created '}  {sent.upload}  {sent.bytes:,} bytes  {file}")
    return sent


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UploadRefused(f"cannot be read: {error.strerror}", where=str(file)) from error


def _finish(results: list[Sent | HeadgateError], as_json: bool) -> None:
    """Prints the sum, and ends with 1 where a file failed."""
    sent = [result for result in results if isinstance(result, Sent)]
    failed = [result for result in results if isinstance(result, HeadgateError)]
    if as_json:
        print_json({"uploads": [asdict(one) for one in sent], "failed": [error.as_dict() for error in failed]})
    else:
        replayed = sum(one.replayed for one in sent)
        created = f"{len(sent) - replayed} created, {replayed} replayed"
        click.echo(f"{created}, {len(failed)} failed; {sum(one.bytes for one in sent):,} bytes", err=bool(failed))
    if failed:
        raise SystemExit(1)
