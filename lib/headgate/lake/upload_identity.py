"""The identity of an upload, and its path.

The path is a function of (store, dataset, idempotency key) alone, so that two receivers, or two
tries of one upload days apart, can never choose two paths. A key that carries a time (UUIDv7,
ULID) names its own hour; any other key has its hour in a small create-only claim object.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Times outside these years are taken for an accident of a random key, and get a claim instead.
_KEY_YEARS = range(2020, 2100)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_UUID7 = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?7[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}")
_ULID = re.compile(f"[0-7][{_CROCKFORD}]{{25}}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_UPLOAD_ID = re.compile(r"([a-z][a-z0-9_]*)\.([0-9]{10})\.([A-Za-z0-9_=-]+)\.([0-9a-f]{32})")


@dataclass(frozen=True)
class Upload:
    """One upload's identity. `store` is the plain name, `hour` is in UTC."""

    dataset: str
    store: str
    hour: datetime
    key_hash: str

    @property
    def id(self) -> str:
        return f"{self.dataset}.{self.hour:%Y%m%d%H}.{_encode(self.store)}.{self.key_hash}"

    def path(self, suffix: str) -> str:
        """The landed object's path; `suffix` is the media suffix, such as `.jsonl.gz`."""
        return f"{hour_folder('landing', self.dataset, self.hour)}/{self.id}{suffix}"

    def marker(self, suffix: str, now: datetime) -> str:
        """The late marker's path: the upload under the hour in which it became durable."""
        return f"{hour_folder('late', self.dataset, now)}/{self.id}{suffix}"

    @property
    def claim(self) -> str:
        return f"claims/{self.dataset}/{_encode(self.store)}/{self.key_hash}"


def hash_of_key(store: str, dataset: str, key: str) -> str:
    """32 hex digits of SHA-256 over the three parts, each with its length, so that none can run into the next."""
    parts = b"".join(len(p).to_bytes(4, "big") + p for p in (t.encode() for t in (store, dataset, key)))
    return hashlib.sha256(parts).hexdigest()[:32]


def hour_in_key(key: str) -> datetime | None:
    """The hour that a UUIDv7 or ULID names, in UTC; None for any other key."""
    millis = _millis_in_key(key)
    if millis is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(millis, 2**43))
    return whole_hour(moment) if moment.year in _KEY_YEARS else None


def _millis_in_key(key: str) -> int | None:
    if match := _UUID7.fullmatch(key.lower()):
        return int(match.group(1) + match.group(2), 16)
    if _ULID.fullmatch(key.upper()):
        millis = 0
        for letter in key.upper()[:10]:
            millis = millis * 32 + _CROCKFORD.index(letter)
        return millis
    return None


def whole_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def parse_upload_id(upload_id: str) -> Upload | None:
    """The upload with an id, or None if the id is invalid."""
    match = _UPLOAD_ID.fullmatch(upload_id)
    if match is None:
        return None
    dataset, hour, store, key_hash = match.groups()
    try:
        moment = datetime.strptime(hour, "%Y%m%d%H").replace(tzinfo=UTC)
        upload = Upload(dataset, _decode(store), moment, key_hash)
    except ValueError:
        return None
    return upload if upload.id == upload_id else None  # an id has exactly one spelling


def parse_path(path: str) -> tuple[Upload, str] | None:
    """The upload and media suffix of a landed object's or a marker's path, or None for any other path."""
    name = path.rpartition("/")[2]
    parts = name.split(".", 4)
    if len(parts) < 4:
        return None
    upload = parse_upload_id(".".join(parts[:4]))
    return (upload, f".{parts[4]}" if len(parts) == 5 else "") if upload else None


def hour_folder(area: str, dataset: str, hour: datetime) -> str:
    return f"{area}/{dataset}/dt={hour:%Y-%m-%d}/hour={hour:%H}"


def _encode(name: str) -> str:
    """`name` in letters, digits, `_`, `-` and `=XX`: safe in an object's name, and reversible."""
    return _UNSAFE.sub(lambda m: "".join(f"={byte:02X}" for byte in m.group().encode()), name)


def _decode(name: str) -> str:
    raw = re.sub(rb"=([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]), name.encode())
    return raw.decode()
