"""Signed cursors: where the next page of a query begins, in a version of the table that does not change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Any

from headgate.http.problems import Problem

_SIGNATURE_BYTES = 16
_LONGEST = 8192


@dataclass(frozen=True)
class Cursor:
    """The position after a page.

    `query` is the hash of everything that must not change between pages (filters, order, columns, and what the client
    may see). `id` and `version` pin the table. `after` is the last row's order values, file number and row number.
    """

    id: str
    version: int
    query: str
    after: list[Any]


class CursorSigner:
    """Encodes and decodes cursors. The secret is the same in all worker processes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def encode(self, cursor: Cursor) -> str:
        """Returns the cursor as URL-safe text."""
        body = json.dumps(asdict(cursor), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(body) + body).rstrip(b"=").decode()

    def decode(self, text: str, query: str) -> Cursor:
        """Returns the cursor of a text. Raises Problem 400 if it is not ours, or belongs to another query or client."""
        cursor = self.verified(text)
        if cursor.query != query:
            raise _invalid("it belongs to another query; send the parameters of the first page unchanged")
        return cursor

    def verified(self, text: str) -> Cursor:
        """Returns the cursor of a text, of whatever query. Raises Problem 400 if it is not ours."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise _invalid("it is not a cursor of this API") from None
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if len(text) > _LONGEST or not hmac.compare_digest(signature, self._sign(body)):
            raise _invalid("its signature is not valid")
        return Cursor(**json.loads(body))

    def _sign(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _invalid(reason: str) -> Problem:
    return Problem(400, "invalid-cursor", f"the cursor cannot be used: {reason}")
