"""What the receiver needs of a store, and how a store's errors become StorageError."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from headgate.errors import StorageError
from headgate.lake.landing import RECEIVED

MISSING = (NotFoundError, FileNotFoundError)
_READ_BYTES = 1024 * 1024
_CHECK_THE_LAKE = "check that the lake exists and that the receiver may write to it"


@dataclass(frozen=True)
class Stored:
    """A durable object: its size in bytes and when it was received, in UTC.

    `sha256` is in hex, and None where the store does not keep it: then only reading the object gives it.
    """

    size: int
    received: datetime
    sha256: str | None = None


@dataclass(frozen=True)
class Facts:
    """What is stored with an object where the store keeps metadata: when it was received, and its SHA-256 in hex."""

    received: datetime
    sha256: str | None = None


class LongWrite(Protocol):
    """A body that is written piece by piece. Nothing is visible at its path before `finish`."""

    def write(self, piece: bytes) -> None:
        """Adds bytes. Raises StorageError."""

    def finish(self) -> Stored | None:
        """Makes the object, durable; None if the path exists already. Raises StorageError."""

    def abort(self) -> None:
        """Removes the written bytes. Does nothing after `finish`, and never raises."""


class Storage(Protocol):
    """The lake as the receiver uses it. Paths are relative to the lake. Every method raises StorageError."""

    @property
    def objects(self) -> ObjectStore:
        """The lake's object store, for listings."""

    def create(self, path: str, content: bytes, facts: Facts | None = None) -> Stored | None:
        """Makes the object at `path` in one request; None where it exists already. Durable on return."""

    def create_long(self, path: str, facts: Facts) -> LongWrite:
        """Begins an object whose bytes do not fit in memory."""

    def find(self, path: str) -> Stored | None:
        """The object at `path`, durable, or None where there is none."""

    def read(self, path: str) -> bytes:
        """The bytes of a small object. Raises StorageError where it is missing, too."""

    def sha256(self, path: str) -> str:
        """The SHA-256 of the object's bytes in hex; reads the whole object as a stream."""

    def probe(self) -> None:
        """Raises StorageError where the lake cannot be used or does not honour create-only writes."""


@dataclass
class Part:
    """A buffer that passes its bytes on in parts of exactly `size` bytes; `flush` passes the rest on."""

    size: int
    send: Callable[[bytes], None]
    _pieces: list[bytes] = field(default_factory=list)
    _held: int = 0

    def add(self, piece: bytes) -> None:
        while piece:
            taken = piece[: self.size - self._held]
            self._pieces.append(taken)
            self._held += len(taken)
            piece = piece[len(taken) :]
            if self._held == self.size:
                self.flush()

    def flush(self) -> None:
        part, self._pieces, self._held = b"".join(self._pieces), [], 0
        if part:
            self.send(part)

    def rest(self) -> bytes:
        """The bytes that are not yet passed on."""
        return b"".join(self._pieces)


def digest_of(store: ObjectStore, path: str) -> str:
    """The SHA-256 of an object's bytes in hex. Raises the store's own errors."""
    digest = hashlib.sha256()
    for piece in obstore.get(store, path).stream(min_chunk_size=_READ_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def read_object(store: ObjectStore, path: str) -> bytes:
    """The bytes of an object. Raises the store's own errors."""
    return bytes(obstore.get(store, path).bytes())


@contextmanager
def as_storage_error(verb: str, path: str, *others: type[Exception]) -> Iterator[None]:
    """Turns the errors of a store (obstore's, the system's and `others`) into StorageError, with their first line."""
    kinds: tuple[type[Exception], ...] = (BaseError, OSError, *others)
    try:
        yield
    except kinds as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise StorageError(f"cannot {verb}: {reason}", where=path, fix=_CHECK_THE_LAKE) from error


def metadata_of(facts: Facts | None) -> dict[str, Any]:
    """User metadata of an S3 object, for `stored_from`."""
    if facts is None:
        return {}
    values = {RECEIVED: facts.received.isoformat(timespec="microseconds")}
    return {**values, SHA256: facts.sha256} if facts.sha256 else values


def stored_from(size: int, modified: datetime, metadata: Mapping[str, str]) -> Stored:
    """The object that a store describes; `modified` counts where the metadata names no time."""
    try:
        received = datetime.fromisoformat(metadata[RECEIVED])
    except (KeyError, ValueError):
        received = modified
    return Stored(size, received, metadata.get(SHA256))


SHA256 = "headgate-sha256"
