"""Resumable uploads: one upload over several requests, which any receiver can go on with after a cut or a crash.

The HTTP side follows draft-ietf-httpbis-resumable-upload-09. The upload resource is named after the upload, so a sender
that lost the first answer gets the same resource by sending its first request again.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from headgate.contracts.contract import Contract
from headgate.errors import UploadRefused
from ingest_api.landing.body import Body, BodyCut
from ingest_api.landing.land import Clock, Landing, find_landing, identify
from ingest_api.storage import Storage
from ingest_api.storage.base import Facts
from ingest_api.storage.resumable import OffsetMoved, Resumables, State, send_last


class WholeDiffers(UploadRefused):
    """The whole upload does not match its Repr-Digest or Upload-Length. Its parts are removed."""


@dataclass(frozen=True)
class Progress:
    """How far an upload is. `landing` is set once it has landed."""

    upload: str
    offset: int
    length: int | None
    landing: Landing | None = None


class Resuming:
    """The resumable uploads of a receiver; `lifetime` is how long an interrupted upload is kept."""

    def __init__(self, storage: Storage, clock: Clock, lifetime: timedelta) -> None:
        self._storage, self._clock, self._lifetime = storage, clock, lifetime
        self._resumables = Resumables(storage)

    def begin(self, contract: Contract, store: str, key: str, length: int | None, sha256: str | None) -> Progress:
        """Registers an upload, or says how far an earlier request came. Raises KeyReused, StorageError."""
        upload, path = identify(self._storage, contract, store, key, self._clock)
        if landing := find_landing(self._storage, contract, upload.id, self._clock, sha256):
            return Progress(upload.id, landing.receipt.bytes, landing.receipt.bytes, landing)
        fresh = State(upload.id, path, self._clock().isoformat(), length, sha256)
        state = self._resumables.begin(fresh)
        if self._is_expired(state):
            self._resumables.remove(state)
            state = self._resumables.begin(fresh)
        return Progress(upload.id, self._resumables.offset(state), state.length)

    def progress(self, contract: Contract, upload_id: str) -> Progress | None:
        """The progress of an upload; None if it is unknown or expired. Raises StorageError."""
        if landing := find_landing(self._storage, contract, upload_id, self._clock):
            return Progress(upload_id, landing.receipt.bytes, landing.receipt.bytes, landing)
        state = self._state(upload_id)
        return Progress(upload_id, self._resumables.offset(state), state.length) if state else None

    def append(self, contract: Contract, upload_id: str, offset: int, body: Body, last: bool) -> Progress | None:
        """Adds a body at `offset`; None for an upload that is not known.

        What came before a cut is kept, and the cut raises BodyCut. Raises OffsetMoved, WholeDiffers, KeyReused and
        StorageError.
        """
        state = self._state(upload_id)
        if state is None:
            return self.progress(contract, upload_id)
        appending = self._resumables.append(state, offset)
        try:
            for piece in body:
                appending.write(piece)
        except BodyCut:
            appending.keep()
            raise
        else:
            send_last(appending) if last else appending.keep()
        finally:
            appending.close()
        if not last:
            return Progress(upload_id, offset + body.size, state.length)
        return self._finish(contract, state)

    def remove(self, upload_id: str) -> bool:
        """Forgets an upload that has not landed; False where it is not known. Raises StorageError."""
        state = self._resumables.load(upload_id)
        if state is not None:
            self._resumables.remove(state)
        return state is not None

    def _finish(self, contract: Contract, state: State) -> Progress:
        digests: list[str] = []

        def check(sha256: str, size: int) -> None:
            digests.append(sha256)
            if (state.sha256 and sha256 != state.sha256) or (state.length is not None and size != state.length):
                self._resumables.remove(state)
                raise WholeDiffers("the whole upload does not match its Upload-Length or Repr-Digest")

        created = self._resumables.finish(state, check, lambda sha256: Facts(self._clock(), sha256))
        landing = find_landing(self._storage, contract, state.upload, self._clock, digests[0])
        if landing is None:
            raise UploadRefused("the object is gone right after it was written", where=state.path)
        landing = replace(landing, replayed=created is None)
        return Progress(state.upload, landing.receipt.bytes, landing.receipt.bytes, landing)

    def _state(self, upload_id: str) -> State | None:
        state = self._resumables.load(upload_id)
        if state is None or not self._is_expired(state):
            return state
        self._resumables.remove(state)
        return None

    def _is_expired(self, state: State) -> bool:
        return self._clock() - state.created_at > self._lifetime


__all__ = ["OffsetMoved", "Progress", "Resuming", "WholeDiffers"]
