"""Uploads that are under way over several requests, kept in the lake so that any receiver can go on with them.

`State` is a create-only object at `incoming/resumable/<upload>.json`. The bytes are, until the upload is whole, a file
in a folder, or on S3 a multipart upload of `incoming/resumable/<upload>.whole` plus a small tail object: S3 takes no
parts under 5 MiB, and an interruption must not lose the bytes after the last part. The digest of the whole is checked
before it is moved to its path in landing, by a create-only write.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import obstore

from headgate.errors import StorageError
from ingest_api.storage.base import Facts, Part, Storage, Stored, as_storage_error, digest_of
from ingest_api.storage.folder import FolderStorage
from ingest_api.storage.multipart import PART_BYTES, UploadedPart
from ingest_api.storage.s3 import S3Storage

FOLDER = "incoming/resumable"
_COPY_BYTES = 2**30


@dataclass(frozen=True)
class State:
    """An upload under way: where it will land, its length (None until the sender says it) and expected digest in hex.

    `multipart` is the id of S3's multipart upload, empty in a folder.
    """

    upload: str
    path: str
    created: str
    length: int | None = None
    sha256: str | None = None
    multipart: str = ""

    @property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.created)


class OffsetMoved(Exception):
    """The bytes that are kept do not end where the request begins."""


class Appending(Protocol):
    """Bytes on their way to the end of an upload."""

    def write(self, piece: bytes) -> None:
        """Adds bytes. Raises StorageError."""

    def keep(self) -> None:
        """Makes the written bytes durable. Raises StorageError."""

    def close(self) -> None:
        """Frees the upload for another request. Never raises."""


class Resumables:
    """The uploads in progress of a lake. Every method raises StorageError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def begin(self, state: State) -> State:
        """Registers `state`, or returns the state that another request has registered for the upload."""
        own = self._with_multipart(state)
        content = json.dumps(asdict(own)).encode()
        if self._storage.create(_name(state.upload, "json"), content, Facts(state.created_at)) is not None:
            return own
        self._drop_parts(own)
        existing = self.load(state.upload)
        if existing is None:
            raise StorageError("the upload ended meanwhile", where=state.upload, fix="send it again")
        return existing

    def load(self, upload: str) -> State | None:
        """The state of an upload under way, or None."""
        path = _name(upload, "json")
        if self._storage.find(path) is None:
            return None
        return State(**json.loads(self._storage.read(path)))

    def offset(self, state: State) -> int:
        """How many bytes are kept."""
        if isinstance(self._storage, FolderStorage):
            with suppress(FileNotFoundError):
                return self._storage.place(_name(state.upload, "data")).stat().st_size
            return 0
        parts = self._s3.multipart.parts(_name(state.upload, "whole"), state.multipart)
        if parts is None:
            whole = self._storage.find(_name(state.upload, "whole"))
            return whole.size if whole else 0
        existing = sum(part.size for part in parts)
        tail = self._storage.find(_tail(state.upload, existing))
        return existing + (tail.size if tail else 0)

    def append(self, state: State, offset: int) -> Appending:
        """Opens the end of the upload. Raises OffsetMoved where it is not at `offset`."""
        if isinstance(self._storage, FolderStorage):
            return _FolderAppending(self._storage.place(_name(state.upload, "data")), offset)
        return _S3Appending(self._s3, state, offset)

    def finish(self, state: State, check: Callable[[str, int], None], facts: Callable[[str], Facts]) -> Stored | None:
        """Moves the whole upload to its place; None where an object is there already.

        `check` gets SHA-256 and size before that, and may raise.
        """
        if isinstance(self._storage, FolderStorage):
            return self._finish_in_folder(self._storage, state, check)
        return self._finish_on_s3(state, check, facts)

    def remove(self, state: State) -> None:
        """Removes the stored parts of an upload."""
        self._drop_parts(state)
        for path in self._kept(state.upload):
            with as_storage_error("remove", path), suppress(FileNotFoundError):
                obstore.delete(self._storage.objects, path)

    def _kept(self, upload: str) -> list[str]:
        """The objects of an upload; its state comes last, so that a crash leaves nothing without a state."""
        with as_storage_error("list", FOLDER):
            listed = obstore.list(self._storage.objects, f"{FOLDER}/", offset=f"{FOLDER}/{upload}.").collect()
        names = [item["path"] for item in listed if item["path"].startswith(f"{FOLDER}/{upload}.")]
        return sorted(names, key=lambda name: name.endswith(".json"))

    @property
    def _s3(self) -> S3Storage:
        assert isinstance(self._storage, S3Storage)  # noqa: S101 - for mypy
        return self._storage

    def _with_multipart(self, state: State) -> State:
        if isinstance(self._storage, FolderStorage):
            return state
        whole = _name(state.upload, "whole")
        multipart = self._s3.multipart.begin(whole, Facts(state.created_at))
        return State(**{**asdict(state), "multipart": multipart})

    def _drop_parts(self, state: State) -> None:
        if state.multipart:
            with suppress(StorageError):  # it may be gone; a lifecycle rule of the bucket removes the rest
                self._s3.multipart.abort(_name(state.upload, "whole"), state.multipart)

    def _finish_in_folder(
        self, storage: FolderStorage, state: State, check: Callable[[str, int], None]
    ) -> Stored | None:
        data = _name(state.upload, "data")
        place = storage.place(data)
        with as_storage_error("write", state.path):
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            sha256 = _file_digest(place)
            check(sha256, place.stat().st_size)
            received = datetime.fromtimestamp(place.stat().st_mtime, UTC)
            size = place.stat().st_size
            created = storage.rename(data, state.path)
        self.remove(state)
        return Stored(size, received, sha256) if created else None

    def _finish_on_s3(
        self, state: State, check: Callable[[str, int], None], facts: Callable[[str], Facts]
    ) -> Stored | None:
        whole = _name(state.upload, "whole")
        multipart = self._s3.multipart
        parts = multipart.parts(whole, state.multipart)
        if parts:
            multipart.complete(whole, state.multipart, parts)
        stored = self._storage.find(whole)
        if stored is None:
            raise StorageError("the parts are gone", where=whole, fix="send the upload again from its start")
        with as_storage_error("read", whole):
            sha256 = digest_of(self._storage.objects, whole)
        check(sha256, stored.size)
        known = facts(sha256)
        upload = multipart.begin(state.path, known)
        copied = multipart.copy(whole, stored.size, state.path, upload, _COPY_BYTES)
        created = multipart.complete(state.path, upload, copied)
        if not created:
            with suppress(StorageError):
                multipart.abort(state.path, upload)
        self.remove(state)
        return Stored(stored.size, known.received, sha256) if created else None


class _FolderAppending:
    """The end of a file, locked against other requests."""

    def __init__(self, place: Path, offset: int) -> None:
        with as_storage_error("write", str(place.name)):
            place.parent.mkdir(parents=True, exist_ok=True)
            self._file = place.open("ab")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise OffsetMoved from None
            if self._file.tell() != offset:
                self._file.close()
                raise OffsetMoved

    def write(self, piece: bytes) -> None:
        with as_storage_error("write", self._file.name):
            self._file.write(piece)

    def keep(self) -> None:
        with as_storage_error("write", self._file.name):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        with suppress(OSError, ValueError):
            self._file.close()


class _S3Appending:
    """The end of a multipart upload. Parts have 8 MiB; a shorter rest is kept as a tail object."""

    def __init__(self, storage: S3Storage, state: State, offset: int) -> None:
        self._storage, self._state = storage, state
        self._whole = _name(state.upload, "whole")
        parts = storage.multipart.parts(self._whole, state.multipart)
        if parts is None:
            raise OffsetMoved
        self._parts: list[UploadedPart] = parts
        self._buffer = Part(PART_BYTES, self._send)
        existing = sum(part.size for part in parts)
        if offset > existing:
            self._buffer.add(self._read_tail(existing))
        if existing + len(self._buffer.rest()) != offset:
            raise OffsetMoved

    def _read_tail(self, size: int) -> bytes:
        path = _tail(self._state.upload, size)
        return self._storage.read(path) if self._storage.find(path) else b""

    def _send(self, part: bytes) -> None:
        number = len(self._parts) + 1
        self._parts.append(self._storage.multipart.put(self._whole, self._state.multipart, number, part))

    def write(self, piece: bytes) -> None:
        self._buffer.add(piece)

    def keep(self) -> None:
        rest = self._buffer.rest()
        if rest:
            path = _tail(self._state.upload, sum(part.size for part in self._parts))
            with as_storage_error("write", path):
                obstore.put(self._storage.objects, path, rest)

    def flush(self) -> None:
        """Sends the rest as the last part. An upload needs one part, so an empty upload gets an empty part."""
        rest = self._buffer.rest()
        if rest or not self._parts:
            self._send(rest)

    def close(self) -> None:
        return


def send_last(appending: Appending) -> None:
    """Makes the last bytes of an upload ready for `finish`. Raises StorageError."""
    if isinstance(appending, _S3Appending):
        appending.flush()
    else:
        appending.keep()


def _name(upload: str, kind: str) -> str:
    return f"{FOLDER}/{upload}.{kind}"


def _tail(upload: str, size: int) -> str:
    return _name(upload, f"tail-{size}")


def _file_digest(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
