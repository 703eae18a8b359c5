"""Which store a request comes from: its bearer key, compared by SHA-256 digest."""

import hashlib
import hmac
from collections.abc import Mapping

from headgate.errors import EnvironmentConfigError
from headgate.http.problems import Problem

_CHALLENGE = 'Bearer realm="headgate"'


class Credentials:
    """The stores' keys, as digests: the keys themselves are not known here."""

    def __init__(self, store_keys: Mapping[str, tuple[str, ...]]) -> None:
        """Raises EnvironmentConfigError where two stores share a key: no upload could be told apart."""
        self._stores: dict[bytes, str] = {}
        for store, digests in store_keys.items():
            for digest in digests:
                self._add(digest.lower().encode(), store)

    def _add(self, digest: bytes, store: str) -> None:
        other = self._stores.setdefault(digest, store)
        if other != store:
            raise EnvironmentConfigError(
                f"the stores '{other}' and '{store}' share a key",
                where="receiver.store_keys",
                fix="give each store a key of its own",
            )

    def store_of(self, authorization: str | None) -> str:
        """The store whose key the `Authorization` header bears. Raises Problem 401 without a known key."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise _unauthorized("send the store's key as 'Authorization: Bearer KEY'", _CHALLENGE)
        store = self._find(hashlib.sha256(_raw(key.strip())).hexdigest().encode())
        if store is None:
            raise _unauthorized("the key is not known here", f'{_CHALLENGE}, error="invalid_token"')
        return store

    def _find(self, presented: bytes) -> str | None:
        """Looks at every digest, so that the time taken says nothing about which one was near."""
        found = None
        for digest, store in self._stores.items():
            if hmac.compare_digest(digest, presented):
                found = store
        return found


def _raw(header: str) -> bytes:
    """The bytes on the wire: WSGI gives them as Latin-1."""
    return header.encode("latin-1", "replace")


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(401, "unauthorized", detail, {"WWW-Authenticate": challenge})
