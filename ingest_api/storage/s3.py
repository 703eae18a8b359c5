"""Storage on an S3 API: one conditional PUT makes an object, with the receipt's facts as its metadata.

obstore makes the request: at 8 threads it took 0.13 ms of CPU for a PUT, a hand-signed request 0.22 ms, boto3 3 ms.
"""

import time

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from headgate.errors import StorageError
from headgate.lake.probe import probe
from ingest_api.storage.base import (
    MISSING,
    Facts,
    Stored,
    as_storage_error,
    digest_of,
    metadata_of,
    read_object,
    stored_from,
)
from ingest_api.storage.multipart import Multipart, MultipartWrite

# Seconds between tries while S3 answers 409 to a conditional PUT: another PUT of the same key is in progress.
_CONFLICT_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


class S3Storage:
    """A lake on S3, of which `objects` is the store."""

    def __init__(self, objects: S3Store) -> None:
        self.objects = objects
        self.multipart = Multipart(objects)

    def create(self, path: str, content: bytes, facts: Facts | None = None) -> Stored | None:
        with as_storage_error("write", path):
            for pause in _CONFLICT_PAUSES:
                if self._put(path, content, facts):
                    return Stored(len(content), facts.received, facts.sha256) if facts else self.find(path)
                # obstore reports S3's 409 (another conditional PUT is in progress and may yet fail) as "exists",
                # too. Only an object that can be read counts as existing.
                if self.find(path) is not None:
                    return None
                time.sleep(pause)
        raise StorageError("another write of the same object is still in progress", where=path, fix="send it again")

    def _put(self, path: str, content: bytes, facts: Facts | None) -> bool:
        try:
            obstore.put(self.objects, path, content, mode="create", use_multipart=False, attributes=metadata_of(facts))
        except AlreadyExistsError:
            return False
        return True

    def create_long(self, path: str, facts: Facts) -> MultipartWrite:
        return MultipartWrite(self, path, facts)

    def find(self, path: str) -> Stored | None:
        with as_storage_error("read", path):
            try:
                head = obstore.get(self.objects, path, options={"head": True})
            except MISSING:
                return None
            attributes = {str(name): str(value) for name, value in head.attributes.items()}
            return stored_from(head.meta["size"], head.meta["last_modified"], attributes)

    def read(self, path: str) -> bytes:
        with as_storage_error("read", path):
            return read_object(self.objects, path)

    def sha256(self, path: str) -> str:
        with as_storage_error("read", path):
            return digest_of(self.objects, path)

    def probe(self) -> None:
        probe(self.objects, "receiver")
