"""An upload's bytes: spooled, counted and digested while they are read, and never decoded."""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol

from headgate.errors import StorageError

# Read in pieces of this size; a body up to this size stays in memory, a longer one goes to a file.
_PIECE = 256 * 1024
_IN_MEMORY = 1024 * 1024


class Readable(Protocol):
    """A stream of bytes: a WSGI input, or a file."""

    def read(self, size: int, /) -> bytes: ...


class BodyTooLarge(Exception):
    """More bytes came than the limit."""


class BodyCut(Exception):
    """The body ended before it was whole, or its framing was broken."""


@dataclass(frozen=True)
class Body:
    """A whole body: its bytes (as a file that can be read from the start), size in bytes and SHA-256 in hex."""

    file: IO[bytes]
    size: int
    sha256: str


def read_body(stream: Readable, limit: int | None = None, declared: int | None = None) -> Body:
    """The whole of `stream`; the caller closes its file.

    `declared` is the Content-Length in bytes, None where there is none. Raises BodyTooLarge as soon
    as more than `limit` bytes came, StorageError where the disk takes no more, and BodyCut where
    fewer came than declared: a server's input stream may end early without an error, and half an
    upload must not be landed as a whole one.
    """
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    try:
        return _spool(stream, file, limit, declared)
    except BaseException:
        file.close()
        raise


def _spool(stream: Readable, file: IO[bytes], limit: int | None, declared: int | None) -> Body:
    digest, size = hashlib.sha256(), 0
    for piece in pieces(stream):
        size += len(piece)
        if limit is not None and size > limit:
            raise BodyTooLarge
        digest.update(piece)
        _keep(file, piece)
    if declared is not None and size != declared:
        raise BodyCut(f"{declared} bytes were declared, {size} came")
    return Body(file, size, digest.hexdigest())


def _keep(file: IO[bytes], piece: bytes) -> None:
    """Raises StorageError where the disk of temporary files has no room."""
    try:
        file.write(piece)
    except OSError as error:
        what = f"cannot keep a body while it comes: {error.strerror}"
        raise StorageError(what, where=tempfile.gettempdir(), fix="make room there, or set TMPDIR") from error


def pieces(stream: Readable) -> Iterator[bytes]:
    """The stream's bytes up to its end. Raises BodyCut for whatever the server makes of broken framing."""
    while True:
        try:
            piece = stream.read(_PIECE)
        except Exception as error:  # each server has its own: a reset, a timeout, a chunk without its end
            raise BodyCut(type(error).__name__) from error
        if not piece:
            return
        yield piece
