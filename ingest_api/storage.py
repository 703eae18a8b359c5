"""The receiver's object store: create-only writes that are durable when they return, and reads.

Every failure of the store comes out as a StorageError.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import ObjectStore, S3Store

from headgate.errors import StorageError
from headgate.lake.probe import probe

if TYPE_CHECKING:  # types that exist in obstore's stubs only
    from obstore.store import ClientConfig, RetryConfig

_MISSING = (NotFoundError, FileNotFoundError)
_PIECE = 1024 * 1024
# Seconds between tries while S3 answers 409 to a conditional put: another one of the same key is under way.
_CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
# Bodies are written here first on a folder. On a stop in the middle a file stays behind; it is nobody's upload.
_INCOMING = "incoming"
_CONNECT, _REQUEST, _RETRIES = timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=15)


@dataclass(frozen=True)
class Stored:
    """A durable object: its size in bytes, and its last_modified in UTC."""

    size: int
    received: datetime


class Storage:
    """The lake as the receiver uses it. `folder` is the lake's folder, None where it is no folder."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store, self._folder = store, folder

    def create(self, path: str, content: IO[bytes]) -> bool:
        """Makes the object at `path`; False where it exists already. Either way it is durable on return.

        Raises StorageError where the store fails.
        """
        with _clear_errors("write", path):
            if self._folder is None:
                return self._create_in_store(path, content)
            created = self._create_in_folder(path, content)
            self._sync(self._folder, path)
            return created

    def create_bytes(self, path: str, content: bytes) -> bool:
        return self.create(path, BytesIO(content))

    def find(self, path: str) -> Stored | None:
        """The object at `path`, made durable, or None where there is none. Raises StorageError."""
        with _clear_errors("read", path):
            found = self._head(path)
            if found is not None and self._folder is not None:
                # Another process may have created it and died before it was synced.
                self._sync(self._folder, path)
            return found

    def read(self, path: str) -> bytes:
        """The bytes of a small object. Raises StorageError, also where it is missing."""
        with _clear_errors("read", path):
            return bytes(obstore.get(self._store, path).bytes())

    def sha256(self, path: str) -> str:
        """The SHA-256 of an object's bytes in hex, read as a stream. Raises StorageError."""
        digest = hashlib.sha256()
        with _clear_errors("read", path):
            for piece in obstore.get(self._store, path).stream(min_chunk_size=_PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def probe(self) -> None:
        """Raises StorageError where the lake cannot be used, or is not create-only where it says so."""
        probe(self._store, "receiver")

    def _head(self, path: str) -> Stored | None:
        try:
            meta = obstore.head(self._store, path)
        except _MISSING:
            return None
        return Stored(meta["size"], meta["last_modified"])

    def _create_in_store(self, path: str, content: IO[bytes]) -> bool:
        for pause in _CONFLICT_PAUSES:
            content.seek(0)
            try:
                obstore.put(self._store, path, content, mode="create", use_multipart=False)
                return True
            except AlreadyExistsError:
                # S3's 409 (another conditional put is under way, and may yet fail) comes as this error
                # too, so only an object that is there counts as one that exists.
                if self._head(path) is not None:
                    return False
            time.sleep(pause)
        raise StorageError("another write of the same object stays under way", where=path, fix="send it again")

    def _create_in_folder(self, path: str, content: IO[bytes]) -> bool:
        """Written and synced under another name, then linked: a power cut leaves no half object under `path`."""
        assert self._folder is not None  # noqa: S101 - for mypy
        temporary = f"{_INCOMING}/{uuid.uuid4().hex}"
        content.seek(0)
        try:
            obstore.put(self._store, temporary, content)
            _fsync(self._folder / temporary)
            obstore.rename(self._store, temporary, path, overwrite=False)
            return True
        except AlreadyExistsError:
            return False
        finally:
            (self._folder / temporary).unlink(missing_ok=True)

    @staticmethod
    def _sync(folder: Path, path: str) -> None:
        """The file and each folder from it up to the lake's own parent, any of which may be new."""
        place = folder / path
        _fsync(place)
        for inside in place.relative_to(folder).parents:
            _fsync(folder / inside)
        with suppress(PermissionError):  # the folder that holds the lake may belong to somebody else
            _fsync(folder.parent)


_USE_THE_LAKE = "see that the lake is there and writable"


def impatient(store: ObjectStore) -> ObjectStore:
    """`store`, giving up within seconds: a store front waits for the answer, and sends again by itself.

    obstore's own limit is minutes, in which an outage of S3 would take every thread of the receiver.
    """
    if not isinstance(store, S3Store):
        return store
    options: ClientConfig = {"timeout": _REQUEST, "connect_timeout": _CONNECT, **(store.client_options or {})}
    retries: RetryConfig = {"max_retries": 3, "retry_timeout": _RETRIES}
    return S3Store(config=store.config, prefix=store.prefix, client_options=options, retry_config=retries)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _clear_errors(verb: str, path: str) -> Iterator[None]:
    """Turns the store's many errors into one; their first line says what, the rest is for obstore's developers."""
    try:
        yield
    except (BaseError, OSError) as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        raise StorageError(f"cannot {verb}: {what}", where=path, fix=_USE_THE_LAKE) from error
