"""Tests that an object store can store a lake: write, list, and create-only puts that really are atomic per object.

Claims, landed uploads and commits rely on a put that creates an object only if it does not exist.
"""

from __future__ import annotations

from contextlib import suppress

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from headgate.errors import StorageError


def probe(store: ObjectStore, service: str) -> None:
    """Tests `store` with the object health/<service>. Raises StorageError if a requirement is not met."""
    path = f"health/{service}"
    try:
        obstore.put(store, path, b"")
        obstore.list_with_delimiter(store, "landing/")
        with suppress(AlreadyExistsError):
            obstore.put(store, path, b"", mode="create", use_multipart=False)
            raise StorageError(
                "the store overwrites on a create-only put: uploads and commits would be lost",
                where=path,
                fix="use an S3 service that honours If-None-Match",
            )
    except (BaseError, OSError) as error:
        raise StorageError(
            f"the lake cannot be used: {str(error).partition(chr(10))[0]}",
            where=path,
            fix="see that the lake is there and writable, and that its credentials are set",
        ) from error
