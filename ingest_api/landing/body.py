"""An upload's body while it arrives: counted, digested, checked at its end, and never decoded."""

import hashlib
from collections.abc import Iterator
from typing import Protocol

from ingest_api.landing.content_digest import ContentDigest

# Read in pieces of this size.
_PIECE = 256 * 1024
# A body up to this size is kept in memory and written by one request; a longer body is written while it arrives.
SMALL_BYTES = 8 * 2**20


class Readable(Protocol):
    """A stream of bytes: a WSGI input, or a file."""

    def read(self, size: int, /) -> bytes: ...


class BodyTooLarge(Exception):
    """More bytes came than the limit."""


class BodyCut(Exception):
    """The body ended before it was whole, or its framing was broken."""


class DigestMismatch(Exception):
    """The body does not match its Content-Digest."""


class Body:
    """A body that is read once. `size` (bytes) and `sha256` (hex) cover what was read so far.

    `declared` is the Content-Length, None where there is none; `limit` the most bytes that are taken.
    """

    def __init__(
        self,
        stream: Readable,
        limit: int | None = None,
        declared: int | None = None,
        expected: ContentDigest | None = None,
    ) -> None:
        self._pieces = pieces(stream)
        self._limit, self._declared, self._expected = limit, declared, expected
        self._digest = hashlib.sha256()
        self.size, self.ended = 0, False

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def read_small(self) -> list[bytes]:
        """The pieces up to the end of the body, or until they are longer than SMALL_BYTES; see `ended`."""
        read: list[bytes] = []
        for piece in self:
            read.append(piece)
            if self.size > SMALL_BYTES:
                break
        return read

    def __iter__(self) -> Iterator[bytes]:
        """The rest of the body.

        Raises BodyTooLarge as soon as more than the limit came, BodyCut where fewer bytes came than declared (a
        server's input stream may end early without an error, and a truncated upload must not land as complete), and
        DigestMismatch at the end of a body that its Content-Digest does not describe.
        """
        for piece in self._pieces:
            self.size += len(piece)
            if self._limit is not None and self.size > self._limit:
                raise BodyTooLarge
            self._digest.update(piece)
            if self._expected:
                self._expected.update(piece)
            yield piece
        self._end()

    def _end(self) -> None:
        self.ended = True
        if self._declared is not None and self.size != self._declared:
            raise BodyCut(f"{self._declared} bytes were declared, {self.size} came")
        if self._expected and not self._expected.matches():
            raise DigestMismatch(self._expected.algorithm)


def pieces(stream: Readable) -> Iterator[bytes]:
    """The stream's bytes up to its end. Raises BodyCut for any error of a server's broken framing."""
    while True:
        try:
            piece = stream.read(_PIECE)
        except Exception as error:  # each server has its own: a reset, a timeout, a chunk without its end
            raise BodyCut(type(error).__name__) from error
        if not piece:
            return
        yield piece
