"""The receiver's core, without HTTP: a body becomes one durable object, whatever the retries."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from headgate.contracts.contract import Contract
from headgate.errors import StorageError, UploadRefused
from headgate.faults import point
from headgate.lake.landing import Upload, hash_of_key, hour_in_key, parse_upload_id, whole_hour
from ingest_api.body import Body
from ingest_api.receipts import Receipt, receipt_of
from ingest_api.storage import Storage, Stored

Clock = Callable[[], datetime]

# An object that becomes durable later than this after its hour began is also listed under a later
# hour: bronze lists from its last run's start minus at least 65 minutes, and could have passed it.
_LATE = timedelta(hours=1)


class KeyReused(UploadRefused):
    """The idempotency key was used before, for other bytes."""


@dataclass(frozen=True)
class Landing:
    """A landed upload. `replayed` is True where the same bytes had been landed before."""

    receipt: Receipt
    path: str
    replayed: bool


def land(
    storage: Storage,
    contract: Contract,
    store: str,
    key: str,
    body: Body,
    compression: str = "none",
    clock: Clock = lambda: datetime.now(UTC),
) -> Landing:
    """Lands `body` for `store` under the idempotency `key`; durable, and listed under its hour, on return.

    `compression` is one of the contract's. Raises KeyReused where the key has landed other bytes,
    StorageError where the lake fails: then nothing is promised, and the same call may be repeated.
    """
    upload, suffix = _identify(storage, contract, store, key, compression, clock)
    point("receiver.claimed")
    path = upload.path(suffix)
    created = storage.create(path, body.file)
    point("receiver.landed")
    stored = storage.find(path)
    if stored is None:
        raise StorageError("the object is gone right after it was written", where=path)
    if not created and not _same(storage, path, stored, body):
        raise _reused(upload, "its bytes were not these")
    _mark_late(storage, upload, suffix, clock)
    return Landing(receipt_of(upload, body.size, body.sha256, stored.received), path, replayed=not created)


def find_receipt(
    storage: Storage, contract: Contract, upload_id: str, clock: Clock = lambda: datetime.now(UTC)
) -> Receipt | None:
    """The receipt of a landed upload of `contract`, or None where there is none.

    A receipt is an acknowledgement, whoever asks: the first try may have died before its late
    marker, and the store that reads this receipt will not send again. So it is put here as well.
    """
    upload = parse_upload_id(upload_id)
    if upload is None or upload.dataset != contract.dataset:
        return None
    for suffix in contract.suffixes:
        path = upload.path(suffix)
        if stored := storage.find(path):
            _mark_late(storage, upload, suffix, clock)
            return receipt_of(upload, stored.size, storage.sha256(path), stored.received)
    return None


def _identify(
    storage: Storage, contract: Contract, store: str, key: str, compression: str, clock: Clock
) -> tuple[Upload, str]:
    """The upload and its media suffix: from key and contract alone, or as the first try claimed them."""
    suffix = contract.suffixes[contract.compressions.index(compression)]
    named = hour_in_key(key)
    key_hash = hash_of_key(store, contract.dataset, key)
    upload = Upload(contract.dataset, store, named or whole_hour(clock()), key_hash)
    if named is not None and len(contract.suffixes) == 1:
        return upload, suffix
    hour, claimed = _claim(storage, upload, suffix)
    upload = Upload(contract.dataset, store, hour, key_hash)
    if claimed != suffix:
        raise _reused(upload, f"it was sent as '{claimed}', not '{suffix}'")
    return upload, suffix


def _claim(storage: Storage, upload: Upload, suffix: str) -> tuple[datetime, str]:
    """The hour and suffix that the first claim of this key holds, be it this one or an earlier one's."""
    content = json.dumps({"hour": upload.hour.isoformat(), "suffix": suffix}).encode()
    if storage.create_bytes(upload.claim, content):
        return upload.hour, suffix
    try:
        claim = json.loads(storage.read(upload.claim))
        return datetime.fromisoformat(claim["hour"]), claim["suffix"]
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError("not a claim", where=upload.claim, fix="something else wrote there") from error


def _same(storage: Storage, path: str, stored: Stored, body: Body) -> bool:
    return stored.size == body.size and storage.sha256(path) == body.sha256


def _mark_late(storage: Storage, upload: Upload, suffix: str, clock: Clock) -> None:
    """Puts markers until one is durable within an hour of the hour that it stands under."""
    listed = upload.hour
    while (now := clock()) - listed > _LATE:
        listed = whole_hour(now)
        storage.create_bytes(upload.marker(suffix, now), upload.path(suffix).encode())
        point("receiver.marked")


def _reused(upload: Upload, why: str) -> KeyReused:
    return KeyReused(
        f"this idempotency key was used for another upload: {why}",
        where=upload.id,
        fix="use a new key for new content, and send a retry with the very bytes of the first try",
    )
