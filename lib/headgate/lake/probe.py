"""Whether an object store can hold a lake: it can be written and listed, and create-only is what it says.

Claims, landed uploads and the tables' commits all stand on a put that makes an object only where there is none.
"""

from __future__ import annotations

from contextlib import suppress

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore

from headgate.errors import StorageError


def probe(store: ObjectStore, who: str) -> None:
    """Tries `store` by an object of its own, health/<who>. Raises StorageError where it does not serve."""
    path = f"health/{who}"
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
