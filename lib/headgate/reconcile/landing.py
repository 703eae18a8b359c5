"""Landing against bronze: every landed object is in bronze once, with its size.

Landing is listed day by day, and compared with the receipts of bronze for the same day.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.store import ObjectStore

from headgate.lake.landing import head_of, list_below
from headgate.lake.query import Query
from headgate.lake.upload_identity import Upload, parse_path, parse_upload_id
from headgate.ledger.record_table import IS_RECEIPT
from headgate.planning.plan import Planner
from headgate.reconcile.finding import Check, Kind, Level, Tally

NAME = "landing and bronze"

_RESEND = "send it again with its key, or ask the receiver for its receipt: either marks it late for the next run"
MISSED = Kind("landed, not in bronze, and no run will list it", fix=_RESEND)
WAITING = Kind("landed, waits for the next run", Level.WAITING, "headgate run")
UNMARKED = Kind("landed within the hour, and no run lists it yet", Level.WAITING, "look again in an hour")
GONE = Kind(
    "in bronze, its object is gone",
    fix="restore the object; where retention took it, give the first day that is kept as --since",
)
TWICE_IN_BRONZE = Kind(
    "two receipts in bronze for one upload",
    fix="headgate history shows the runs; headgate rollback it to before the second, then run",
)
TWICE_LANDED = Kind("two objects for one upload", fix="keep the object in bronze's receipt, move the other object away")
OTHER_OBJECT = Kind("bronze read another object", fix="something else wrote in landing: compare the two")
OTHER_SIZE = Kind("the object is not as long as when bronze read it", fix="restore the object that was landed")
OTHER_BYTES = Kind("the object's SHA-256 differs from bronze's", fix="restore the object that was landed")
NO_UPLOAD = Kind(
    "no upload's name, or another upload's place: no run reads it",
    fix="send its content by headgate upload, then move it away",
)
NO_CONTRACT = Kind(
    "landed for a dataset without a contract", fix="write its contract in conf/datasets, or move it away"
)
MARKED_ONLY = Kind("marked late, and no object is there: runs fail", fix="restore the object, or delete the marker")
UNCLAIMED = Kind("claimed, and never landed: the upload was not acknowledged", Level.NOTE, "nothing, or send it again")
NO_CLAIM = Kind("not a claim: no upload with its key can land", Level.NOTE, "delete it: something else wrote there")
LEFTOVER = Kind("half-written, never acknowledged, a day old", Level.NOTE, "headgate reconcile --sweep")
SWEPT = Kind("half-written, never acknowledged, a day old: deleted now", Level.NOTE, "nothing")
UNDER_WAY = Kind("half-written within the last day", Level.NOTE, "nothing: it may be under way")

_MARKED_WITHIN = timedelta(hours=1)  # after this a receiver has marked its late uploads, or has died
_LEFT_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Landing:
    """What is to be checked: `since` is the first day, None for all; `digest` also compares bytes."""

    planner: Planner
    store: ObjectStore
    now: datetime
    since: date | None = None
    digest: bool = False
    limit: int = 10
    tell: Callable[[str], None] = lambda _: None

    def checks(self, table: str) -> list[Check]:
        """A bronze table against landing, and its dataset's claims."""
        comparison = _Comparison(self, table)
        return [comparison.run(), _claims(self, comparison.dataset, comparison.hashes)]

    def strays(self, datasets: set[str]) -> Check:
        """What landed for datasets that have no contract."""
        tally = Tally(self.limit)
        top = obstore.list_with_delimiter(self.store, "landing/")
        for path in (item["path"] for item in top["objects"]):
            tally.add(NO_UPLOAD, path)
        folders = {_name(prefix): prefix for prefix in top["common_prefixes"]}
        tally.compared = len(folders)
        for name in sorted(folders.keys() - datasets):
            for item in list_below(self.store, f"landing/{name}/"):
                tally.add(NO_CONTRACT, item["path"], day=_day_in(item["path"]))
        return tally.check("landing and contracts", "landing", "datasets")


class _Comparison:
    """One dataset's objects against its bronze table, day by day. `hashes` are the uploads met, 16 bytes each."""

    def __init__(self, landing: Landing, table: str) -> None:
        self._landing, self._table = landing, table
        self.dataset = table.partition(".")[2]
        # The plan is read before bronze, so that uploads that a run reads meanwhile are in both.
        self._waiting = {item.upload: item for item in landing.planner.plan_table(self._table).landed}
        delta = landing.planner.ledger.open(self._table)
        self._query = Query(bronze=delta) if delta is not None else None
        self._days = {partition["dt"] for partition in delta.partitions()} if delta is not None else set()
        self._tally = Tally(landing.limit)
        self.hashes: set[bytes] = set()

    def run(self) -> Check:
        folder = f"landing/{self.dataset}/"
        top = obstore.list_with_delimiter(self._landing.store, folder)
        for item in top["objects"]:
            self._tally.add(NO_UPLOAD, item["path"])
        days = {_name(prefix): prefix for prefix in top["common_prefixes"]}
        names = {f"dt={day}" for day in self._days} | days.keys()
        chosen = [name for name in sorted(names) if _is_within(name, self._landing.since)]
        for number, name in enumerate(chosen, 1):
            self._landing.tell(f"{self._table}: {name.removeprefix('dt=')}, day {number} of {len(chosen)}")
            self._compare_day(name.removeprefix("dt="), f"{folder}{name}/")
        self._check_markers()
        return self._tally.check(NAME, self._table, "uploads")

    def _compare_day(self, day: str, folder: str) -> None:
        receipts = self._receipts(day)
        objects = self._objects(day, folder)
        self._tally.compared += len(receipts.keys() | objects.keys())
        for upload in sorted(receipts.keys() | objects.keys()):
            self._remember(upload)
            if upload not in receipts:
                self._tally.add(self._not_in_bronze(upload, objects[upload]), upload, day=day)
                continue
            if receipts[upload]["copies"] > 1:
                self._tally.add(TWICE_IN_BRONZE, f"{upload}: {receipts[upload]['copies']} receipts", day=day)
            if upload not in objects:
                self._tally.add(GONE, f"{upload}: {receipts[upload]['object']}", day=day)
            else:
                self._compare(receipts[upload], objects[upload], day)

    def _remember(self, upload: str) -> None:
        if identity := parse_upload_id(upload):
            self.hashes.add(bytes.fromhex(identity.key_hash))

    def _not_in_bronze(self, upload: str, item: Any) -> Kind:
        if upload in self._waiting:
            return WAITING
        return UNMARKED if self._landing.now - item["last_modified"] < _MARKED_WITHIN else MISSED

    def _compare(self, receipt: dict[str, Any], item: Any, day: str) -> None:
        upload, path = receipt["upload"], item["path"]
        if receipt["object"] != path:
            self._tally.add(OTHER_OBJECT, f"{upload}: {receipt['object']}, and {path} is there", day=day)
        elif receipt["bytes"] != item["size"]:
            self._tally.add(OTHER_SIZE, f"{upload}: {item['size']:,} bytes, not {receipt['bytes']:,}", day=day)
        elif self._landing.digest and _sha256(self._landing.store, path) != receipt["sha256"]:
            self._tally.add(OTHER_BYTES, upload, day=day)

    def _receipts(self, day: str) -> dict[str, dict[str, Any]]:
        """Upload -> its receipt in bronze, for a day."""
        if self._query is None or day not in self._days:
            return {}
        sql = f"""
            SELECT upload, count(*) AS copies, min(object) AS object,
                   min(receipt['bytes']) AS bytes, min(receipt['sha256']) AS sha256
            FROM bronze WHERE {IS_RECEIPT} AND dt = DATE '{day}' GROUP BY upload
        """
        return {row["upload"]: row for row in self._query.rows(sql)}

    def _objects(self, day: str, folder: str) -> dict[str, Any]:
        """Upload -> its object, for one day."""
        results: dict[str, Any] = {}
        for item in list_below(self._landing.store, folder):
            parsed = parse_path(item["path"])
            if parsed is None or parsed[0].path(parsed[1]) != item["path"] or parsed[0].dataset != self.dataset:
                self._tally.add(NO_UPLOAD, item["path"], day=day)
            elif parsed[0].id in results:
                self._tally.add(TWICE_LANDED, f"{item['path']} and {results[parsed[0].id]['path']}", day=day)
            else:
                results[parsed[0].id] = item
        return results

    def _check_markers(self) -> None:
        """A marker makes a run read an object, so a marker without an object stops every run."""
        for upload, item in self._waiting.items():
            if item.size is None and head_of(self._landing.store, item.path) is None:
                self._tally.add(MARKED_ONLY, f"{upload}: {item.path}", day=item.day)


def _claims(landing: Landing, dataset: str, known: set[bytes]) -> Check:
    """The claims whose upload is neither landed nor in bronze. A claim's hour is in it, so few are read."""
    tally = Tally(landing.limit)
    for item in list_below(landing.store, f"claims/{dataset}/"):
        if landing.since and item["last_modified"].date() < landing.since:
            continue
        tally.compared += 1
        store, _, key_hash = item["path"].removeprefix(f"claims/{dataset}/").partition("/")
        if not _is_hash(key_hash) or bytes.fromhex(key_hash) not in known:
            _check_claim(landing, dataset, store, key_hash, item["path"], tally)
    return tally.check("claims and landing", f"bronze.{dataset}", "claims")


def _check_claim(landing: Landing, dataset: str, store: str, key_hash: str, path: str, tally: Tally) -> None:
    try:
        claim = json.loads(bytes(obstore.get(landing.store, path).bytes()))
        hour = datetime.fromisoformat(claim["hour"]).astimezone(UTC)
        suffix = claim["suffix"]
    except (ValueError, KeyError, TypeError):
        tally.add(NO_CLAIM, path)
        return
    identity = parse_upload_id(f"{dataset}.{hour:%Y%m%d%H}.{store}.{key_hash}")
    if identity is None or head_of(landing.store, identity.path(suffix)) is None:
        tally.add(UNCLAIMED, _claimed(identity, path), day=f"{hour:%Y-%m-%d}")


def _claimed(identity: Upload | None, path: str) -> str:
    return f"{identity.id}: {path}" if identity else path


def leftovers(folder: Path, now: datetime, limit: int, *, remove: bool = False) -> Check:
    """The files that receivers left in a folder's `incoming/`; with `remove` those a day old are deleted."""
    tally = Tally(limit)
    for file in sorted(path for path in (folder / "incoming").glob("*") if path.is_file()):
        try:
            status = file.stat()
        except FileNotFoundError:  # landed meanwhile
            continue
        tally.compared += 1
        old = now - datetime.fromtimestamp(status.st_mtime, UTC) > _LEFT_AFTER
        kind = UNDER_WAY if not old else SWEPT if remove else LEFTOVER
        tally.add(kind, f"incoming/{file.name}: {status.st_size:,} bytes")
        if kind is SWEPT:
            file.unlink(missing_ok=True)
    return tally.check("incoming", "incoming", "files")


def _sha256(store: ObjectStore, path: str) -> str:
    digest = hashlib.sha256()
    for piece in obstore.get(store, path).stream(min_chunk_size=2**20):
        digest.update(piece)
    return digest.hexdigest()


def _name(prefix: str) -> str:
    return prefix.rstrip("/").rpartition("/")[2]


def _is_within(name: str, since: date | None) -> bool:
    """Whether a day's folder is to be checked; always true for a folder that is not a day."""
    return since is None or not name.startswith("dt=") or name >= f"dt={since}"


def _day_in(path: str) -> str:
    parts = [part.removeprefix("dt=") for part in path.split("/") if part.startswith("dt=")]
    return parts[0] if parts else ""


def _is_hash(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)
