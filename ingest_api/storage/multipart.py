"""Long bodies on S3: a multipart upload that ends with a conditional completion, so that nothing is overwritten.

boto3 makes these requests, because obstore has no conditional completion. A part takes long enough that boto3's own
time does not count.
"""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from obstore.store import S3Store

from headgate.errors import StorageError
from headgate.lake import s3
from ingest_api.storage.base import Facts, Part, Stored, as_storage_error, metadata_of

if TYPE_CHECKING:
    from ingest_api.storage.s3 import S3Storage

PART_BYTES = 8 * 2**20  # of each part but the last; S3 takes 10,000 parts of at least 5 MiB
_CONNECTIONS = 64
# NoSuchUpload: a completion whose answer was lost is sent again by boto3.
_EXISTS = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload")


@dataclass(frozen=True)
class UploadedPart:
    """One part as S3 lists it."""

    number: int
    etag: str
    size: int


class Multipart:
    """The multipart requests of a lake. Paths are relative to the lake."""

    def __init__(self, objects: S3Store) -> None:
        self._config, self._prefix = dict(objects.config), objects.prefix
        self._lock, self._made = threading.Lock(), None

    def begin(self, path: str, facts: Facts) -> str:
        """Begins a multipart upload of `path`; its id. Raises StorageError."""
        with self.errors(path):
            answer = self.client.create_multipart_upload(**self.place(path), Metadata=metadata_of(facts))
            return str(answer["UploadId"])

    def put(self, path: str, upload: str, number: int, content: bytes) -> UploadedPart:
        """Sends part `number`, from 1. A part that was sent before is replaced. Raises StorageError."""
        with self.errors(path):
            answer = self.client.upload_part(
                **self.place(path), UploadId=upload, PartNumber=number, Body=content, ContentLength=len(content)
            )
            return UploadedPart(number, answer["ETag"], len(content))

    def parts(self, path: str, upload: str) -> list[UploadedPart] | None:
        """The parts sent so far, by number; None where the multipart upload is finished or removed."""
        try:
            with self.errors(path):
                return list(self._list(path, upload))
        except StorageError as error:
            if _code_of(error.__cause__) == "NoSuchUpload":
                return None
            raise

    def _list(self, path: str, upload: str) -> Iterator[UploadedPart]:
        pages = self.client.get_paginator("list_parts").paginate(**self.place(path), UploadId=upload)
        for page in pages:
            for part in page.get("Parts", []):
                yield UploadedPart(part["PartNumber"], part["ETag"], part["Size"])

    def complete(self, path: str, upload: str, parts: list[UploadedPart]) -> bool:
        """Makes the object of its parts; False if the path exists. Raises StorageError."""
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        try:
            with self.errors(path):
                self.client.complete_multipart_upload(
                    **self.place(path), UploadId=upload, MultipartUpload={"Parts": listed}, IfNoneMatch="*"
                )
        except StorageError as error:
            if _code_of(error.__cause__) in _EXISTS:
                return False
            raise
        return True

    def copy(self, source: str, size: int, path: str, upload: str, piece: int) -> list[UploadedPart]:
        """Makes the parts of `upload` from the object `source`, within the service. Raises StorageError."""
        copied = []
        with self.errors(path):
            for number, start in enumerate(range(0, max(size, 1), piece), 1):
                end = min(start + piece, size)
                span = {"CopySourceRange": f"bytes={start}-{end - 1}"} if size else {}
                answer = self.client.upload_part_copy(
                    **self.place(path), UploadId=upload, PartNumber=number, CopySource=self.place(source), **span
                )
                copied.append(UploadedPart(number, answer["CopyPartResult"]["ETag"], end - start))
        return copied

    def abort(self, path: str, upload: str) -> None:
        """Removes the parts. Raises StorageError."""
        with self.errors(path):
            self.client.abort_multipart_upload(**self.place(path), UploadId=upload)

    def place(self, path: str) -> dict[str, str]:
        """Bucket and key of `path`, as parameters of boto3."""
        key = f"{self._prefix}/{path}" if self._prefix else path
        return {"Bucket": str(self._config["bucket"]), "Key": key}

    def errors(self, path: str) -> Any:
        """A block in which errors of boto3 become StorageError."""
        from botocore.exceptions import BotoCoreError, ClientError

        return as_storage_error("write", path, BotoCoreError, ClientError)

    @property
    def client(self) -> Any:
        """boto3's client, made on first use: most receivers never see a long body, and the import takes 0.2 s."""
        with self._lock:
            if self._made is None:
                self._made = _make_client(self._config)
            return self._made


class MultipartWrite:
    """A body on its way to S3 in parts of 8 MiB. The multipart upload begins with the first full part."""

    def __init__(self, storage: "S3Storage", path: str, facts: Facts) -> None:
        self._storage, self._path, self._facts = storage, path, facts
        self._upload: str | None = None
        self._parts: list[UploadedPart] = []
        self._size, self._digest = 0, hashlib.sha256()
        self._buffer = Part(PART_BYTES, self._send)

    def write(self, piece: bytes) -> None:
        self._size += len(piece)
        self._digest.update(piece)
        self._buffer.add(piece)

    def _send(self, part: bytes) -> None:
        if self._upload is None:
            self._upload = self._storage.multipart.begin(self._path, self._facts)
        number = len(self._parts) + 1
        self._parts.append(self._storage.multipart.put(self._path, self._upload, number, part))

    def finish(self) -> Stored | None:
        self._buffer.flush()
        if self._upload is None:
            raise StorageError("an empty body is not written in parts", where=self._path)
        created = self._storage.multipart.complete(self._path, self._upload, self._parts)
        if not created:
            if self._storage.find(self._path) is None:
                raise StorageError(
                    "another write of the same object is still in progress", where=self._path, fix="send it again"
                )
            return None
        self._upload = None
        return Stored(self._size, self._facts.received, self._digest.hexdigest())

    def abort(self) -> None:
        if self._upload is not None:
            upload, self._upload = self._upload, None
            try:
                self._storage.multipart.abort(self._path, upload)
            except StorageError:
                return  # the bucket's lifecycle rule removes the rest


def _make_client(config: dict[str, Any]) -> Any:
    import boto3
    from botocore.config import Config

    api = s3.endpoint()
    endpoint = config.get("endpoint") or api.url or None
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=config.get("region") or api.region or None,
        aws_access_key_id=config.get("access_key_id"),
        aws_secret_access_key=config.get("secret_access_key"),
        aws_session_token=config.get("session_token") or config.get("token"),
        config=Config(
            max_pool_connections=_CONNECTIONS,
            signature_version="s3v4",  # presigned addresses would be signed by version 2, without their headers
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 4},
            # The signature covers each part's SHA-256. Older S3 servers refuse the newer trailing checksums.
            request_checksum_calculation="when_required",
            s3={"payload_signing_enabled": True, **({"addressing_style": "path"} if endpoint else {})},
        ),
    )


def _code_of(error: BaseException | None) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
