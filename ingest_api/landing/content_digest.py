"""The digest fields of RFC 9530: `Content-Digest: sha-256=:BASE64:`."""

import base64
import binascii
import hashlib
import re

_ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512"}
_MEMBER = re.compile(r"\s*([a-z0-9*_.-]+)=:([A-Za-z0-9+/=]*):\s*")


class BadDigest(Exception):
    """A digest field that cannot be read."""


class ContentDigest:
    """One expected digest of bytes that arrive in pieces."""

    def __init__(self, algorithm: str, expected: bytes) -> None:
        self.algorithm, self.expected = algorithm, expected
        self._hash = hashlib.new(_ALGORITHMS[algorithm])

    def update(self, piece: bytes) -> None:
        self._hash.update(piece)

    def matches(self) -> bool:
        return self._hash.digest() == self.expected


def parse_digest(field: str | None) -> ContentDigest | None:
    """The strongest digest that a field names and Headgate knows; None where there is none.

    Unknown algorithms are ignored, as RFC 9530 asks. Raises BadDigest for an invalid field.
    """
    known: dict[str, bytes] = {}
    for member in (field or "").split(","):
        if not member.strip():
            continue
        match = _MEMBER.fullmatch(member)
        if match is None:
            raise BadDigest("write it as sha-256=:BASE64:")
        algorithm, text = match.groups()
        if algorithm in _ALGORITHMS:
            known[algorithm] = _decoded(algorithm, text)
    for algorithm in ("sha-512", "sha-256"):
        if algorithm in known:
            return ContentDigest(algorithm, known[algorithm])
    return None


def _decoded(algorithm: str, text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BadDigest(f"the {algorithm} digest is not base64") from error
    if len(value) != hashlib.new(_ALGORITHMS[algorithm]).digest_size:
        raise BadDigest(f"the {algorithm} digest has {len(value)} bytes")
    return value
