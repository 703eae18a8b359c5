"""Storage in a folder: a file is written and synced under another name, then renamed, so that none is ever partial."""

import hashlib
import os
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import ObjectStore

from headgate.lake.probe import probe
from ingest_api.storage.base import MISSING, Facts, Stored, as_storage_error, digest_of, read_object

# Bodies are written here first. A file that a crash leaves behind was never acknowledged.
_INCOMING = "incoming"


class FolderStorage:
    """A lake in `folder`, of which `objects` is the store."""

    def __init__(self, objects: ObjectStore, folder: Path) -> None:
        self.objects, self._folder = objects, folder

    def create(self, path: str, content: bytes, facts: Facts | None = None) -> Stored | None:
        writing = FolderWrite(self, path)
        try:
            writing.write(content)
            return writing.finish()
        finally:
            writing.abort()

    def create_long(self, path: str, facts: Facts) -> "FolderWrite":
        return FolderWrite(self, path)

    def find(self, path: str) -> Stored | None:
        with as_storage_error("read", path):
            try:
                meta = obstore.head(self.objects, path)
            except MISSING:
                return None
            self.sync(path)  # another process may have created it and died before it was synced
            return Stored(meta["size"], meta["last_modified"])

    def read(self, path: str) -> bytes:
        with as_storage_error("read", path):
            return read_object(self.objects, path)

    def sha256(self, path: str) -> str:
        with as_storage_error("read", path):
            return digest_of(self.objects, path)

    def probe(self) -> None:
        probe(self.objects, "receiver")

    def sync(self, path: str) -> None:
        """Makes durable a file and each folder from it up to the lake's own parent, any of which may be new."""
        place = self._folder / path
        _sync(place)
        for inside in place.relative_to(self._folder).parents:
            _sync(self._folder / inside)
        with suppress(PermissionError):  # the folder that holds the lake may belong to another user
            _sync(self._folder.parent)

    def rename(self, source: str, path: str) -> bool:
        """Moves a whole, synced file to `path`, durably; False where an object is there. Raises obstore's errors."""
        try:
            obstore.rename(self.objects, source, path, overwrite=False)
            created = True
        except AlreadyExistsError:
            created = False
        self.sync(path)
        return created

    def temporary(self) -> str:
        """The path of a new file for a body that is under way."""
        return f"{_INCOMING}/{uuid.uuid4().hex}"

    def place(self, path: str) -> Path:
        return self._folder / path


class FolderWrite:
    """A body on its way into `path`."""

    def __init__(self, storage: FolderStorage, path: str) -> None:
        self._storage, self._path = storage, path
        self._temporary = storage.temporary()
        self._digest, self._file = hashlib.sha256(), self._open()

    def _open(self) -> IO[bytes]:
        with as_storage_error("write", self._path):
            place = self._storage.place(self._temporary)
            place.parent.mkdir(parents=True, exist_ok=True)
            return place.open("xb")

    def write(self, piece: bytes) -> None:
        with as_storage_error("write", self._path):
            self._file.write(piece)
            self._digest.update(piece)

    def finish(self) -> Stored | None:
        with as_storage_error("write", self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            status = os.fstat(self._file.fileno())
            self._file.close()
            created = self._storage.rename(self._temporary, self._path)
        received = datetime.fromtimestamp(status.st_mtime, UTC)
        return Stored(status.st_size, received, self._digest.hexdigest()) if created else None

    def abort(self) -> None:
        with suppress(OSError):
            self._file.close()  # on a full disk it fails to write its buffer, and closes
        with suppress(OSError):
            self._storage.place(self._temporary).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
