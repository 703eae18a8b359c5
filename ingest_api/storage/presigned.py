"""A presigned PUT: a sender writes one object straight to S3, and S3 itself checks its bytes.

Length, SHA-256 and `If-None-Match: *` are signed, so that S3 refuses other bytes (400) and a second object (412).
"""

import base64
from dataclasses import dataclass

from ingest_api.storage.base import SHA256
from ingest_api.storage.multipart import Multipart

#: Seconds in which S3 accepts the request. An upload that began in time may end later.
EXPIRES = 900
#: The longest body of one PUT on S3, in bytes.
LONGEST = 5 * 2**30


@dataclass(frozen=True)
class PresignedPut:
    """A request that the sender makes: the address, and the headers that it must send."""

    url: str
    headers: dict[str, str]


def presign(multipart: Multipart, path: str, size: int, sha256: str) -> PresignedPut:
    """Returns the PUT that writes `size` bytes with the hex digest `sha256` to `path`. Raises StorageError."""
    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
    headers = {
        "Content-Length": str(size),
        "If-None-Match": "*",
        "x-amz-checksum-sha256": checksum,
        f"x-amz-meta-{SHA256}": sha256,
    }
    with multipart.errors(path):
        url = multipart.client.generate_presigned_url(
            "put_object",
            Params={
                **multipart.place(path),
                "ContentLength": size,
                "IfNoneMatch": "*",
                "ChecksumSHA256": checksum,
                "Metadata": {SHA256: sha256},
            },
            ExpiresIn=EXPIRES,
        )
    return PresignedPut(url, headers)
