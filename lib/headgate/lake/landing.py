"""Landing: the identity of an upload, its path, and the list of new uploads.

The path is a function of (store, dataset, idempotency key) alone, so that two receivers, or two
tries of one upload days apart, can never choose two paths. A key that carries a time (UUIDv7,
ULID) names its own hour; any other key has its hour in a small create-only claim object.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore

from headgate import faults

# How far back a listing starts before the last committed run: an upload may be stamped with an
# hour that has passed, and hosts' clocks differ. 65 minutes are the least that is safe.
DEFAULT_LOOKBACK = timedelta(hours=26)
LEAST_LOOKBACK = timedelta(minutes=65)

# User metadata of a landed object on S3: when the receiver had it, in ISO 8601.
RECEIVED = "headgate-received"

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
        return f"{_hour_folder('landing', self.dataset, self.hour)}/{self.id}{suffix}"

    def marker(self, suffix: str, now: datetime) -> str:
        """The late marker's path: the upload under the hour in which it became durable."""
        return f"{_hour_folder('late', self.dataset, now)}/{self.id}{suffix}"

    @property
    def claim(self) -> str:
        return f"claims/{self.dataset}/{_encode(self.store)}/{self.key_hash}"


@dataclass(frozen=True)
class Landed:
    """One landed object as a listing shows it. `received` is its last_modified in whole seconds.

    `size` and `received` are None for an upload listed by its late marker: the reader gets them
    when it fetches the object.
    """

    upload: str
    store: str
    path: str
    size: int | None
    received: datetime | None

    @property
    def day(self) -> str:
        """The path's day, `yyyy-mm-dd`, by which bronze is partitioned."""
        return _DAY.search(self.path).group(1)  # type: ignore[union-attr]


_DAY = re.compile(r"/dt=(\d{4}-\d{2}-\d{2})/")


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


def list_landed(store: ObjectStore, dataset: str, since: datetime | None) -> Iterator[Landed]:
    """Each object of `dataset` landed, or marked late, in or after the hour of `since` (all where it is None).

    There is no upper limit: a store's clock, or the time in a key, may be ahead. An upload may be returned twice
    (once by its own hour, once by a marker).
    """
    for item in _list_hours(store, f"landing/{dataset}", since):
        parsed = parse_path(item["path"])
        if parsed and parsed[0].path(parsed[1]) == item["path"]:
            received = item["last_modified"].replace(microsecond=0)
            yield Landed(parsed[0].id, parsed[0].store, item["path"], item["size"], received)
    faults.point(f"listing:bronze.{dataset}")
    if since is not None:
        yield from _list_markers(store, dataset, since)


def received_at(attributes: Mapping[Any, Any], modified: datetime) -> datetime:
    """When an upload was received, in UTC: as the receiver noted it with the object, else when it was last modified.

    Two uploads within a second are ordered by it. S3 tells the time of a change in whole seconds; a folder keeps no
    attributes, but finer times.
    """
    try:
        received = datetime.fromisoformat(str(attributes[RECEIVED]))
    except (KeyError, ValueError):
        return modified
    return received if received.tzinfo else received.replace(tzinfo=UTC)


def newest_received(store: ObjectStore, dataset: str) -> datetime | None:
    """When the newest upload of the newest hour was received; None where nothing has landed.

    Two short listings, independent of the number of uploads. Late uploads have earlier hours, and are not listed.
    """
    folder = f"landing/{dataset}/"
    for _ in ("dt", "hour"):
        folders = sorted(obstore.list_with_delimiter(store, folder)["common_prefixes"])
        if not folders:
            return None
        folder = f"{folders[-1].rstrip('/')}/"
    times = [result["last_modified"] for result in obstore.list(store, folder).collect()]
    return max(times).replace(microsecond=0) if times else None


def _list_markers(store: ObjectStore, dataset: str, since: datetime) -> Iterator[Landed]:
    for item in _list_hours(store, f"late/{dataset}", since):
        if parsed := parse_path(item["path"]):
            upload, suffix = parsed
            yield Landed(upload.id, upload.store, upload.path(suffix), None, None)


def _list_hours(store: ObjectStore, root: str, since: datetime | None) -> Iterator[Mapping[str, Any]]:
    """The objects below `root` from the hour of `since`: a listing per day, so that old days cost nothing."""
    first = whole_hour(since) if since else None
    try:
        days = sorted(obstore.list_with_delimiter(store, f"{root}/")["common_prefixes"])
    except (NotFoundError, FileNotFoundError):
        return
    for day in days:
        name = day.rstrip("/").rpartition("/")[2]
        if first and name < f"dt={first:%Y-%m-%d}":
            continue
        start = f"{root}/{name}/hour={first:%H}" if first and name == f"dt={first:%Y-%m-%d}" else ""
        yield from list_below(store, f"{root}/{name}/", offset=start or None)


def list_below(store: ObjectStore, folder: str, offset: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Every object below a folder whose path comes after `offset`, in pages: path, size, last_modified."""
    for page in obstore.list(store, folder, offset=offset, chunk_size=1000):
        yield from page


def head_of(store: ObjectStore, path: str) -> Mapping[str, Any] | None:
    """An object's path, size and last_modified, or None where there is none."""
    try:
        return obstore.head(store, path)
    except (NotFoundError, FileNotFoundError):
        return None


def _hour_folder(area: str, dataset: str, hour: datetime) -> str:
    return f"{area}/{dataset}/dt={hour:%Y-%m-%d}/hour={hour:%H}"


def _encode(name: str) -> str:
    """`name` in letters, digits, `_`, `-` and `=XX`: safe in an object's name, and reversible."""
    return _UNSAFE.sub(lambda m: "".join(f"={byte:02X}" for byte in m.group().encode()), name)


def _decode(name: str) -> str:
    raw = re.sub(rb"=([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]), name.encode())
    return raw.decode()
