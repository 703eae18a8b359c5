"""Whether the lake can be used, tested at most every few seconds."""

import time

from ingest_api.storage import Storage

_SECONDS = 5.0


class Readiness:
    """The lake's last probe. Anybody may ask, so that asking often must not cost writes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._probed: float | None = None

    def check(self) -> None:
        """Raises StorageError where the lake cannot be written or listed. A success holds for some seconds."""
        if self._probed is not None and time.monotonic() - self._probed < _SECONDS:
            return
        self._probed = None
        self._storage.probe()
        self._probed = time.monotonic()
