"""A page of a store's uploads: by date, dataset and state, in the order of their ids."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore, S3Store

from headgate.http.problems import Problem
from headgate.lake.upload_identity import Upload, parse_path, parse_upload_id
from headgate.views.progress import Progress
from ingest_api.storage import Storage
from ingest_api.storage.base import as_storage_error

STATES = ("landed", "ingested", "done", "quarantined")
MOST, DEFAULT = 500, 100
# With a state each upload is looked up in the tables, so a page reads fewer uploads.
_MOST_LOOKED_UP = 200
_KNOWN = ("store", "date", "dataset", "state", "limit", "cursor")


def list_uploads(
    storage: Storage, store: str, datasets: Sequence[str], progress: Progress, query: Mapping[str, str]
) -> dict[str, Any]:
    """The page that `query` asks for: `uploads`, and `next`, the cursor of the next page or None.

    Raises Problem 400 for a parameter that is wrong, 403 for another store, StorageError where the lake fails.
    """
    for name in query:
        if name not in _KNOWN:
            raise _bad(name, f"unknown parameter; known: {', '.join(_KNOWN)}")
    if query.get("store", store) != store:
        raise Problem(403, "other-store", "a store sees only its own uploads")
    day, limit, state = _day(query.get("date")), _limit(query.get("limit")), query.get("state")
    if state is not None and state not in STATES:
        raise _bad("state", f"must be one of {', '.join(STATES)}")
    chosen = [name for name in datasets if query.get("dataset", name) == name]
    uploads: list[dict[str, Any]] = []
    landed = _landed(storage, chosen, store, day, _cursor(query.get("cursor")))
    for looked_at, (upload, item) in enumerate(landed, 1):
        shown = _shown(upload, item)
        if state is not None:
            shown["state"] = progress.of(upload)["state"]
        if state is None or shown["state"] == state:
            uploads.append(shown)
        if len(uploads) == limit or (state is not None and looked_at == _MOST_LOOKED_UP):
            return {"uploads": uploads, "next": _encode(upload.id)}
    return {"uploads": uploads, "next": None}


def _landed(
    storage: Storage, datasets: Sequence[str], store: str, day: date, after: str
) -> Iterator[tuple[Upload, Mapping[str, Any]]]:
    """The store's objects of one day: datasets by name, then by hour and id."""
    for dataset in datasets:
        if after and dataset < after.partition(".")[0]:
            continue
        folder = f"landing/{dataset}/dt={day:%Y-%m-%d}/"
        offset = _offset(after, dataset, folder)
        with as_storage_error("list", folder):
            try:
                for item in _in_order(storage.objects, folder, offset):
                    parsed = parse_path(item["path"])
                    if parsed and parsed[0].store == store and parsed[0].id != after:
                        yield parsed[0], item
            except (NotFoundError, FileNotFoundError):
                continue


def _in_order(objects: ObjectStore, folder: str, offset: str | None) -> Iterator[Mapping[str, Any]]:
    """The objects below a folder after `offset`, by path. S3 lists them so, page by page; a folder does not."""
    pages = obstore.list(objects, folder, offset=offset, chunk_size=1000)
    if isinstance(objects, S3Store):
        return (item for page in pages for item in page)
    return iter(sorted(pages.collect(), key=lambda item: item["path"]))


def _offset(after: str, dataset: str, folder: str) -> str | None:
    upload = parse_upload_id(after) if after else None
    if upload is None or upload.dataset != dataset:
        return None
    path = upload.path("")
    return path if path.startswith(folder) else None


def _shown(upload: Upload, item: Mapping[str, Any]) -> dict[str, Any]:
    received = f"{item['last_modified'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"upload": upload.id, "dataset": upload.dataset, "bytes": item["size"], "received": received}


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise _bad("date", "must be a day such as 2026-11-21 (UTC)")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise _bad("limit", f"must be a number from 1 to {MOST}")
    return int(text)


def _encode(upload_id: str) -> str:
    return base64.urlsafe_b64encode(upload_id.encode()).decode().rstrip("=")


def _cursor(text: str | None) -> str:
    if not text:
        return ""
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        decoded = ""
    if parse_upload_id(decoded) is None:
        raise _bad("cursor", "send the `next` of the page before")
    return decoded


def _bad(name: str, message: str) -> Problem:
    return Problem(400, "parameter", f"{name}: {message}", parameter=name)
