"""`headgate upload`: sends files to the receiver, from any folder, or lands them by the receiver's own code."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
import httpx

from headgate.cli.options import place_options, print_json
from headgate.errors import EXIT_RETRY, HeadgateError, UploadRefused, UsageError, suggestion
from headgate.lake.upload_identity import parse_upload_id
from headgate.views.known_bytes import advice

if TYPE_CHECKING:
    from headgate.views.progress import Progress

_SENT, _REFUSED = "sent", "refused"
_ASK_AGAIN_SECONDS = 3.0


@dataclass(frozen=True)
class Sent:
    """One uploaded file. `bytes` and `sha256` are the file's own; `state` is set where the bytes were known already."""

    file: str
    upload: str
    bytes: int
    sha256: str
    received: str
    replayed: bool
    state: str = ""
    advice: str = ""


class Delivery(Protocol):
    """A way to upload a file: over HTTP, or directly into the lake."""

    def deliver(self, file: Path, idempotency_key: str) -> Sent:
        """Uploads a file. Raises HeadgateError."""


@click.command("upload")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--dataset", required=True, help="The dataset that the files belong to.")
@click.option("--url", envvar="HEADGATE_URL", help="The receiver's address (HEADGATE_URL).")
@click.option("--key", envvar="HEADGATE_KEY", help="The store's key (HEADGATE_KEY).")
@click.option("--idempotency-key", help="For one file.  [default: the SHA-256 of the file's bytes]")
@click.option(
    "--watch",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Send each file that appears in FOLDER, and move it to FOLDER/sent or FOLDER/refused. Ends with Ctrl-C.",
)
@click.option("--every", default=5.0, show_default=True, help="With --watch: seconds between two looks.")
@click.option("--once", is_flag=True, help="With --watch: look once, for a scheduler.")
@click.option("--direct", is_flag=True, help="Land in the environment's lake, without a receiver.")
@click.option("--store", help="With --direct: the store that the files come from.")
@place_options
def command(
    files: tuple[Path, ...], dataset: str, idempotency_key: str | None, watch: Path | None, as_json: bool, **how: Any
) -> None:
    """Send FILES to the receiver; each becomes one upload, however often it is sent.

    Needs no project. Files that end in .gz are sent as they are, marked as gzip. A large file that was cut goes on
    where it was cut.
    """
    every, once = how.pop("every"), how.pop("once")
    _check(files, idempotency_key, watch)
    with _delivery(dataset, as_json, **how) as delivery:
        if watch is not None:
            _watch(delivery, watch, every, once, as_json)
            return
        results = [_attempt(delivery, file, idempotency_key or "", as_json) for file in files]
    _finish(results, as_json)


def _check(files: tuple[Path, ...], idempotency_key: str | None, watch: Path | None) -> None:
    if bool(files) == (watch is not None):
        raise UsageError("no files" if not files else "files and --watch", where="upload", fix="name FILES or --watch")
    if idempotency_key is not None and len(files) != 1:
        raise UsageError(
            "an idempotency key for several files", where="--idempotency-key", fix="send the files separately"
        )


@contextmanager
def _delivery(
    dataset: str,
    as_json: bool,
    direct: bool,
    url: str | None,
    key: str | None,
    store: str | None,
    folder: Path | None,
    env: str,
) -> Iterator[Delivery]:
    if direct:
        yield _Direct(folder, env, dataset, store)
        return
    if store is not None:
        raise UsageError("the key says which store it is", where="--store", fix="leave it out, or add --direct")
    if not url or not key:
        missing = "--url (HEADGATE_URL)" if not url else "--key (HEADGATE_KEY)"
        raise UsageError(f"{missing} is missing", where="upload", fix="give it, or land without a receiver: --direct")
    with httpx.Client(verify=not url.startswith("http://")) as http:
        yield _OverHttp(http, url, key, dataset, show=not as_json)


class _OverHttp:
    """Sends to a receiver, which knows the accepted formats: no project is needed."""

    def __init__(self, http: httpx.Client, url: str, key: str, dataset: str, show: bool) -> None:
        self._http, self._url, self._key, self._dataset, self._show = http, url, key, dataset, show
        self._described: dict[str, Any] | None = None
        self._failed: tuple[float, HeadgateError] | None = None

    def deliver(self, file: Path, idempotency_key: str) -> Sent:
        from headgate.client import send_file

        compressed = file.suffix == ".gz"
        described = self._describe()
        encoding = "gzip" if compressed else "identity"
        if encoding not in described["encodings"]:
            accepted = " or ".join(described["encodings"])
            raise UploadRefused(f"'{self._dataset}' does not take {encoding} files, only {accepted}", where=str(file))
        with _bar(file, self._show) as progress:
            receipt = send_file(
                self._url,
                self._key,
                self._dataset,
                file,
                idempotency_key,
                described["media_types"][0],
                compressed,
                http=self._http,
                progress=progress,
            )
        known = self._known(receipt.upload) if receipt.replayed else ("", "")
        return _sent(file, receipt, receipt.replayed, *known)

    def _describe(self) -> dict[str, Any]:
        """What the receiver says of the dataset. Where it did not answer a moment ago, each file fails at once."""
        from headgate.client import describe

        if self._failed is not None and time.monotonic() - self._failed[0] < _ASK_AGAIN_SECONDS:
            raise self._failed[1]
        if self._described is None:
            try:
                self._described = describe(self._url, self._key, self._dataset, self._http)
            except HeadgateError as error:
                self._failed = time.monotonic(), error
                raise
        return self._described

    def _known(self, upload: str) -> tuple[str, str]:
        """The state of an upload that had landed before, and the next step."""
        from headgate.client import follow

        try:
            shown = follow(self._url, self._key, upload, self._http)
        except HeadgateError:
            return "landed", ""  # a receiver that does not follow uploads, or cannot now
        return shown.get("state", "landed"), advice(shown)


class _Direct:
    """Lands by the receiver's own code, so that a retry over HTTP is a replay of it."""

    def __init__(self, folder: Path | None, env: str, dataset: str, store: str | None) -> None:
        from headgate.contracts.contract import load_contracts
        from headgate.contracts.environment import load_environment
        from headgate.project import find_project

        if not store:
            raise UsageError("--direct needs the store's name", where="upload", fix="add --store NAME")
        project = find_project(folder)
        contracts = load_contracts(project)
        if dataset not in contracts:
            raise UsageError(
                f"no dataset '{dataset}'.{suggestion(dataset, contracts)}",
                where="--dataset",
                fix=f"there are: {', '.join(sorted(contracts)) or 'none'}",
            )
        self._environment, self._contract = load_environment(project, env), contracts[dataset]
        self._store = store
        self._progress: Progress | None = None

    def deliver(self, file: Path, idempotency_key: str) -> Sent:
        from headgate.client import digest_of
        from ingest_api.landing.direct import land_file

        key = idempotency_key or digest_of(file)[0]
        landing = land_file(self._environment, self._contract, self._store, key, file, file.suffix == ".gz")
        known = self._known(landing.receipt.upload) if landing.replayed else ("", "")
        return _sent(file, landing.receipt, landing.replayed, *known)

    def _known(self, upload_id: str) -> tuple[str, str]:
        """The state of an upload that had landed before, and the next step."""
        from headgate.views.progress import Progress

        upload = parse_upload_id(upload_id)
        if upload is None:
            return "landed", ""
        self._progress = self._progress or Progress(self._environment)
        shown = self._progress.of(upload)
        return shown["state"], advice(shown)


def _sent(file: Path, receipt: Any, replayed: bool, state: str = "", next_step: str = "") -> Sent:
    sha256, received = receipt.sha256, receipt.received
    return Sent(str(file), receipt.upload, receipt.bytes, sha256, received, replayed, state, next_step)


@contextmanager
def _bar(file: Path, show: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar for a large file, on a terminal; called with the bytes that are kept."""
    from headgate.client import RESUMABLE_BYTES

    if not show or not sys.stderr.isatty() or not file.is_file() or file.stat().st_size <= RESUMABLE_BYTES:
        yield _no_bar
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(file.name, total=file.stat().st_size)

        def update(kept: int) -> None:
            bars.update(task, completed=kept)

        yield update


def _no_bar(kept: int) -> None:
    """Shows nothing."""


def _attempt(delivery: Delivery, file: Path, idempotency_key: str, as_json: bool) -> Sent | HeadgateError:
    """Delivers one file and prints its line; a failure is returned, so that the other files go on."""
    try:
        sent = delivery.deliver(file, idempotency_key)
    except HeadgateError as error:
        if not as_json:
            click.echo(f"failed    {HeadgateError(error.message, where=str(file), fix=error.fix)}", err=True)
        return UploadRefused(error.message, where=str(file), fix=error.fix, retryable=error.retryable)
    if not as_json:
        click.echo(f"{'replayed' if sent.replayed else 'created '}  {sent.upload}  {sent.bytes:,} bytes  {file}")
        if sent.advice:
            click.echo(f"          known already ({sent.state}): {sent.advice}")
    return sent


def _watch(delivery: Delivery, folder: Path, every: float, once: bool, as_json: bool) -> None:
    """Sends each file of `folder` whose size stayed the same between two looks."""
    if not as_json:
        click.echo(f"watching {folder}; Ctrl-C ends it", err=True)
    seen: dict[Path, tuple[int, int]] = {}
    try:
        while True:
            now = _files(folder)
            steady = [file for file, stamp in now.items() if once or seen.get(file) == stamp]
            for file in sorted(steady):
                _send_watched(delivery, folder, file, as_json)
            if once:
                return
            seen = now
            time.sleep(every)
    except KeyboardInterrupt:
        return


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files directly in `folder` with size and time. Hidden files, .tmp and .part are left out."""
    files = (path for path in folder.iterdir() if path.is_file())
    chosen = (path for path in files if not path.name.startswith(".") and path.suffix not in (".tmp", ".part"))
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in chosen}


def _send_watched(delivery: Delivery, folder: Path, file: Path, as_json: bool) -> None:
    """Sends a file and moves it. A file that cannot be sent now stays, and is tried again."""
    result = _attempt(delivery, file, "", as_json)
    if as_json:
        print_json(asdict(result) if isinstance(result, Sent) else result.as_dict())
    if isinstance(result, Sent):
        _move(file, folder / _SENT)
    elif not result.retryable:
        _move(file, folder / _REFUSED)


def _move(file: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    target = folder / file.name
    if target.exists():
        target = folder / f"{time.time_ns()}-{file.name}"
    file.replace(target)


def _finish(results: list[Sent | HeadgateError], as_json: bool) -> None:
    """Prints the sum. Where a file failed it ends with 75 if a retry may help each of them, else with 1."""
    sent = [result for result in results if isinstance(result, Sent)]
    failed = [result for result in results if isinstance(result, HeadgateError)]
    if as_json:
        print_json({"uploads": [asdict(each) for each in sent], "failed": [error.as_dict() for error in failed]})
    else:
        replayed = sum(each.replayed for each in sent)
        created = f"{len(sent) - replayed} created, {replayed} replayed"
        click.echo(f"{created}, {len(failed)} failed; {sum(each.bytes for each in sent):,} bytes", err=bool(failed))
    if failed:
        raise SystemExit(EXIT_RETRY if all(error.retryable for error in failed) else 1)
