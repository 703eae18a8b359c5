"""Where generated uploads go: files, a receiver, or the lake directly."""

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from headgate.contracts.contract import Contract
from headgate.contracts.environment import Environment
from headgate.errors import StorageError, UsageError
from headgate.generate import GeneratedUpload

#: Delivers one upload; returns True where it was delivered before.
Deliver = Callable[[GeneratedUpload], bool]


def to_files(folder: Path, datasets: Iterable[str], contracts: Mapping[str, Contract], compress: bool) -> Deliver:
    """Returns a delivery to one file per upload. Raises UsageError where the folder has files of an earlier call."""
    for dataset in datasets:
        if any((folder / dataset).glob("*/*")):
            raise UsageError("the folder has files already", where=str(folder / dataset), fix="name an empty folder")
    numbers: Counter[Path] = Counter()

    def deliver(upload: GeneratedUpload) -> bool:
        stem = folder / upload.dataset / str(upload.sent_on) / upload.store
        numbers[stem] += 1
        as_gzip = _as_gzip(contracts[upload.dataset], compress)
        name = f"{stem.name}-{numbers[stem]}{upload.suffix}{'.gz' if as_gzip else ''}"
        _write(stem.with_name(name), _compressed(upload.body) if as_gzip else upload.body)
        return False

    return deliver


def to_receiver(url: str, key_template: str, contracts: Mapping[str, Contract], compress: bool) -> Deliver:
    """Returns a delivery over HTTP; `{store}` in `key_template` is replaced by the store's name."""
    from headgate.client import send  # not needed for files

    def deliver(upload: GeneratedUpload) -> bool:
        receipt = send(
            url=url,
            key=key_template.replace("{store}", upload.store),
            dataset=upload.dataset,
            body=upload.body,
            idempotency_key=upload.key,
            content_type=upload.media_type,
            gzip=_as_gzip(contracts[upload.dataset], compress),
        )
        return receipt.replayed

    return deliver


def to_lake(environment: Environment, contracts: Mapping[str, Contract], compress: bool) -> Deliver:
    """Returns a delivery into the environment's lake by the receiver's own code."""
    from ingest_api.landing.direct import land_bytes

    def deliver(upload: GeneratedUpload) -> bool:
        contract = contracts[upload.dataset]
        as_gzip = _as_gzip(contract, compress)
        body = _compressed(upload.body) if as_gzip else upload.body
        return land_bytes(environment, contract, upload.store, upload.key, body, as_gzip).replayed

    return deliver


def _as_gzip(contract: Contract, requested: bool) -> bool:
    """Whether an upload is compressed: where it is requested and allowed, or where nothing else is allowed."""
    return ("gzip" in contract.compressions and requested) or "none" not in contract.compressions


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)


def _write(path: Path, body: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    except OSError as error:
        raise StorageError(f"cannot write: {error.strerror}", where=str(path), fix="choose another --to") from error
