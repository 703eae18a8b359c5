"""The receiver's core, without HTTP: a body becomes exactly one durable object, with any number of retries.

A key that names its hour (UUIDv7, ULID) costs one conditional write. Any other key costs two sequential writes: its
path needs an hour, the hour must be the same for every retry, and only a create-only object can settle that between
two receivers. They cannot overlap: an object that was written under a wrong guess would be a second object.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from headgate.contracts.contract import Contract
from headgate.errors import StorageError, UploadRefused
from headgate.faults import point
from headgate.lake.upload_identity import Upload, hash_of_key, hour_in_key, parse_upload_id, whole_hour
from ingest_api.landing.body import Body
from ingest_api.landing.receipts import Receipt, receipt_of
from ingest_api.storage import Storage, Stored
from ingest_api.storage.base import Facts

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


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def land(storage: Storage, contract: Contract, store: str, key: str, body: Body, clock: Clock = now) -> Landing:
    """Lands `body` for `store` under the idempotency `key`; durable, and listed under its hour, on return.

    Raises KeyReused where the key has landed other bytes, StorageError where the lake fails (then nothing is promised,
    and the same call may be repeated), and the errors of `Body` for a body that is truncated, too long or different
    from its digest.
    """
    read = body.read_small()
    upload, path = identify(storage, contract, store, key, clock)
    point("receiver.claimed")
    created = _write_small(storage, path, read, body, clock) if body.ended else _write(storage, path, read, body, clock)
    point("receiver.landed")
    stored = created or find_same(storage, upload, path, body.size, body.sha256)
    if stored is None:
        raise StorageError("the object is gone right after it was written", where=path)
    mark_late(storage, upload, path, clock)
    return Landing(receipt_of(upload, body.size, body.sha256, stored.received), path, replayed=created is None)


def _write_small(storage: Storage, path: str, read: list[bytes], body: Body, clock: Clock) -> Stored | None:
    content = read[0] if len(read) == 1 else b"".join(read)
    return storage.create(path, content, Facts(clock(), body.sha256))


def _write(storage: Storage, path: str, read: list[bytes], body: Body, clock: Clock) -> Stored | None:
    """Writes a long body while it arrives. The object appears only after the body's last check."""
    writing = storage.create_long(path, Facts(clock()))
    try:
        while read:
            writing.write(read.pop(0))
        for piece in body:
            writing.write(piece)
        return writing.finish()
    finally:
        writing.abort()


def find_same(storage: Storage, upload: Upload, path: str, size: int, sha256: str) -> Stored | None:
    """The object that an earlier try landed, None where there is none. Raises KeyReused where it has other bytes."""
    stored = storage.find(path)
    if stored is not None and (stored.size != size or _digest(storage, path, stored) != sha256):
        raise _key_reused(upload)
    return stored


def find_landing(
    storage: Storage, contract: Contract, upload_id: str, clock: Clock = now, sha256: str | None = None
) -> Landing | None:
    """A landed upload of `contract`, or None where it has not landed.

    The answer is an acknowledgement: the first try may have died before its late marker, and a store that reads this
    answer will not send again. So the marker is written here as well. Raises KeyReused where `sha256` is not that of
    the object, and StorageError.
    """
    upload = parse_upload_id(upload_id)
    if upload is None or upload.dataset != contract.dataset:
        return None
    for suffix in dict.fromkeys((contract.landed_suffix, *contract.suffixes)):
        path = upload.path(suffix)
        if stored := storage.find(path):
            actual = _digest(storage, path, stored)
            if sha256 not in (None, actual):
                raise _key_reused(upload)
            mark_late(storage, upload, path, clock)
            return Landing(receipt_of(upload, stored.size, actual, stored.received), path, replayed=True)
    return None


def _digest(storage: Storage, path: str, stored: Stored) -> str:
    """The SHA-256 that is kept with the object; computed for an object without it."""
    return stored.sha256 or storage.sha256(path)


def _key_reused(upload: Upload) -> KeyReused:
    return KeyReused(
        "this idempotency key was used for an upload with other bytes",
        where=upload.id,
        fix="use a new key for new content, and send a retry with the very bytes of the first try",
    )


def identify(storage: Storage, contract: Contract, store: str, key: str, clock: Clock) -> tuple[Upload, str]:
    """The upload and its path: from the key where it names its hour, else as the first try claimed them."""
    key_hash = hash_of_key(store, contract.dataset, key)
    named = hour_in_key(key)
    if named is not None:
        upload = Upload(contract.dataset, store, named, key_hash)
        return upload, upload.path(contract.landed_suffix)
    upload = Upload(contract.dataset, store, whole_hour(clock()), key_hash)
    hour, suffix = _claim(storage, upload, contract.landed_suffix)
    upload = Upload(contract.dataset, store, hour, key_hash)
    return upload, upload.path(suffix)


def _claim(storage: Storage, upload: Upload, suffix: str) -> tuple[datetime, str]:
    """The hour and suffix of the first claim of this key, this or an earlier claim."""
    content = json.dumps({"hour": upload.hour.isoformat(), "suffix": suffix}).encode()
    if storage.create(upload.claim, content, Facts(upload.hour)):
        return upload.hour, suffix
    try:
        claim = json.loads(storage.read(upload.claim))
        return datetime.fromisoformat(claim["hour"]), claim["suffix"]
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError("not a claim", where=upload.claim, fix="remove it: another program wrote it") from error


def mark_late(storage: Storage, upload: Upload, path: str, clock: Clock) -> None:
    """Writes markers until one is durable within an hour of the hour that it is listed under."""
    listed = upload.hour
    while (moment := clock()) - listed > _LATE:
        listed = whole_hour(moment)
        suffix = path.rpartition(upload.id)[2]
        storage.create(upload.marker(suffix, moment), path.encode(), Facts(moment))
        point("receiver.marked")
