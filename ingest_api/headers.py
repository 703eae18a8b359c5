"""What an upload's headers say: its idempotency key, media type and compression."""

import re

from headgate.contracts.contract import Contract
from headgate.http.problems import Problem
from ingest_api.landing.content_digest import BadDigest, ContentDigest, parse_digest

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
# A structured-field string (RFC 9651, 3.3.3), without its parameters: none are defined for a key.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_CHARSETS = ("", "utf-8", "utf8", "us-ascii")
_COMPRESSIONS = {"": "none", "identity": "none", "gzip": "gzip", "x-gzip": "gzip"}


def idempotency_key(header: str | None) -> str:
    """The key, the same whether it was sent quoted or bare. Raises Problem 400 without a valid key."""
    if header is None or not header.strip():
        raise _bad_key("Idempotency-Key is required: one key for each upload, the same on every retry of it")
    text = header.strip()
    if text.startswith('"'):
        match = _QUOTED.fullmatch(text)
        if match is None:
            raise _bad_key("Idempotency-Key begins with a quote but is not a quoted string")
        text = re.sub(r"\\(.)", r"\1", match.group(1))
    if not _VISIBLE.fullmatch(text):
        raise _bad_key("Idempotency-Key must be 1 to 255 visible ASCII characters")
    return text


def _bad_key(detail: str) -> Problem:
    return Problem(400, "idempotency-key", detail)


def check_media_type(header: str | None, contract: Contract) -> None:
    """Raises Problem 415 where the contract does not accept this Content-Type."""
    media_type, _, parameters = (header or "").partition(";")
    if media_type.strip().lower() not in contract.media_types:
        raise _unsupported(f"'{contract.dataset}' does not accept the Content-Type '{media_type.strip()}'", contract)
    if _charset(parameters) not in _CHARSETS:
        raise _unsupported("the charset must be utf-8", contract)


def _charset(parameters: str) -> str:
    """The charset among `a=b; charset="x"`, in lower case, or an empty string."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def check_compression(header: str | None, contract: Contract) -> None:
    """Raises Problem 415 where the contract does not accept this Content-Encoding."""
    if _COMPRESSIONS.get((header or "").strip().lower()) not in contract.compressions:
        named = header or "identity"
        raise _unsupported(f"'{contract.dataset}' does not accept the Content-Encoding '{named}'", contract)


def _unsupported(detail: str, contract: Contract) -> Problem:
    types = list(contract.media_types)
    encodings = ["identity" if c == "none" else c for c in contract.compressions]
    return Problem(
        415,
        "unsupported-media-type",
        f"{detail}; accepted: {', '.join(types)}, with Content-Encoding {' or '.join(encodings)}",
        {"Accept-Post": ", ".join(types), "Accept-Encoding": ", ".join(encodings)},
        accepted_types=types,
        accepted_encodings=encodings,
    )


def content_digest(header: str | None) -> ContentDigest | None:
    """The digest of the body that a Content-Digest names. Raises Problem 400 where it cannot be read."""
    try:
        return parse_digest(header)
    except BadDigest as error:
        raise Problem(400, "content-digest", f"the digest field cannot be read: {error}") from None


def whole_digest(header: str | None) -> str | None:
    """The SHA-256 in hex that a Repr-Digest names for the whole upload. Raises Problem 400."""
    digest = content_digest(header)
    return digest.expected.hex() if digest and digest.algorithm == "sha-256" else None


def boolean(name: str, header: str | None) -> bool:
    """A structured-field boolean (`?1` or `?0`). Raises Problem 400."""
    text = (header or "").strip()
    if text not in ("?0", "?1"):
        raise Problem(400, name.lower(), f"{name} must be ?1 (the upload ends here) or ?0")
    return text == "?1"


def integer(name: str, header: str | None) -> int | None:
    """A structured-field integer from 0, or None where there is none. Raises Problem 400."""
    if header is None:
        return None
    text = header.strip()
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise Problem(400, name.lower(), f"{name} must be a whole number")
    return int(text)
