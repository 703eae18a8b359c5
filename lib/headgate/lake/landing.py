"""Landed uploads: the list of the new ones, and when they were received."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore

from headgate import faults
from headgate.lake.upload_identity import parse_path, whole_hour

# How far back a listing starts before the last committed run: an upload may be stamped with an
# hour that has passed, and hosts' clocks differ. 65 minutes are the least that is safe.
DEFAULT_LOOKBACK = timedelta(hours=26)
LEAST_LOOKBACK = timedelta(minutes=65)

# User metadata of a landed object on S3: when the receiver had it, in ISO 8601.
RECEIVED = "headgate-received"


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
