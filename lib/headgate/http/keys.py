"""Bearer keys: the client that sends a request, and its scopes.

A server knows only the SHA-256 digest of each key. A plain digest is enough because `new_key` makes keys with 256
random bits, which cannot be guessed; a slow hash such as scrypt protects short passwords, which keys must not be.
A client may have several valid keys, so that a new key can be used before the old one is removed.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headgate.document import Document, Invalid, as_error, check, load_document
from headgate.errors import EnvironmentConfigError
from headgate.http.problems import Problem

#: How often, in seconds, a key file is checked for changes.
RELOAD_SECONDS = 1.0
_CHALLENGE = 'Bearer realm="headgate"'
_PREFIX_LENGTH = 16  # hex digits of a digest by which it is looked up, before the comparison in constant time
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """One key of a client.

    `digest` is the SHA-256 of the key in hex, `id` a name for logs and rotation, `expires` the time (UTC) from which
    the key is refused, and `scopes` are the client's permissions, as defined by the server.
    """

    client: str
    digest: str
    id: str = ""
    expires: datetime | None = None
    scopes: Mapping[str, Any] = field(default_factory=dict)


def new_key() -> str:
    """Returns a new random key of 256 bits. Store only its `digest_of`."""
    return f"hg_{secrets.token_urlsafe(32)}"


def digest_of(key: str) -> str:
    """Returns the SHA-256 of a key as 64 lower-case hex digits."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyRing:
    """The keys that a server accepts."""

    def __init__(self, keys: Iterable[Key], where: str = "keys") -> None:
        """Raises EnvironmentConfigError if two clients share a key; `where` names the source of the keys."""
        self._keys: dict[str, Key] = {}
        for key in keys:
            digest = key.digest.lower()
            other = self._keys.setdefault(digest[:_PREFIX_LENGTH], key)
            if other.client != key.client or other.digest.lower() != digest:
                raise EnvironmentConfigError(
                    f"the clients '{other.client}' and '{key.client}' share a key",
                    where=where,
                    fix="give each client a key of its own",
                )

    @property
    def clients(self) -> list[str]:
        """The names of the clients, sorted."""
        return sorted({key.client for key in self._keys.values()})

    def authenticate(self, authorization: str | None, now: datetime | None = None) -> Key:
        """Returns the key that an `Authorization` header carries. Raises Problem 401 if it is missing or not valid."""
        scheme, _, presented = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not presented.strip():
            raise _unauthorized("send your key as 'Authorization: Bearer KEY'", _CHALLENGE)
        key = self._find(presented.strip())
        if key is None:
            raise _unauthorized("the key is not known", f'{_CHALLENGE}, error="invalid_token"')
        if key.expires is not None and key.expires <= (now or datetime.now(UTC)):
            raise _unauthorized("the key has expired", f'{_CHALLENGE}, error="invalid_token"')
        return key

    def _find(self, presented: str) -> Key | None:
        # WSGI decodes header bytes as Latin-1.
        digest = hashlib.sha256(presented.encode("latin-1", "replace")).hexdigest()
        key = self._keys.get(digest[:_PREFIX_LENGTH])
        return key if key is not None and hmac.compare_digest(key.digest.lower(), digest) else None


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(401, "unauthorized", detail, {"WWW-Authenticate": challenge})


# --- key files

_DIGEST = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "x-secret": True,  # a user may have written the key itself
    "x-wanted": "the SHA-256 of a key, as 64 lower-case hex digits",
}
_TIME = {"type": "string", "format": "date-time", "x-wanted": "a time such as 2027-01-31T00:00:00Z"}


def clients_schema(scopes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the JSON schema of clients by name, with their keys; `scopes` is the schema of a client's scopes."""
    text = {"type": "string", "minLength": 1}
    key = {"sha256": _DIGEST, "id": text, "expires": _TIME}
    client = {
        "keys": {"type": "array", "items": _closed(key, "sha256"), "x-wanted": "a list of keys"},
        "scopes": dict(scopes),
        "disabled": {"type": "boolean"},
    }
    return {"type": "object", "additionalProperties": _closed(client, "keys"), "x-wanted": "clients by name"}


def key_file_schema(scopes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the JSON schema of a key file; `scopes` is the schema of a client's scopes."""
    return _closed({"format": {"const": 1}, "clients": clients_schema(scopes)}, "format", "clients")


def _closed(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def read_keys(document: Document, scopes: Mapping[str, Any]) -> list[Key]:
    """Returns the keys of a key file's document; a disabled client has none. Raises EnvironmentConfigError."""
    problems = check(document, key_file_schema(scopes))
    if problems:
        raise as_error(EnvironmentConfigError, problems)
    return keys_of(document.value["clients"], document.file)


def keys_of(clients: Mapping[str, Any], where: str) -> list[Key]:
    """Returns the keys of clients by name that were checked by `clients_schema`. Raises EnvironmentConfigError."""
    return [
        Key(name, key["sha256"], key.get("id", ""), _expires(key, where), client.get("scopes", {}))
        for name, client in clients.items()
        if not client.get("disabled", False)
        for key in client["keys"]
    ]


def _expires(key: Mapping[str, Any], file: str) -> datetime | None:
    if "expires" not in key:
        return None
    try:
        moment = datetime.fromisoformat(key["expires"])
    except ValueError:
        raise EnvironmentConfigError(
            f"'{key['expires']}' is not a time", where=file, fix="write it as 2027-01-31T00:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class KeyFile:
    """A key file that is read again when it changes, so that keys are rotated without a restart.

    If a changed file is not valid, the server keeps the last valid keys and logs the error.
    """

    def __init__(
        self, path: Path, scopes: Mapping[str, Any] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Reads the file. Raises EnvironmentConfigError if it is missing or not valid."""
        self._path, self._clock = path, clock
        self._scopes = scopes or {"type": "object"}
        self._lock = threading.Lock()
        self._version = self._stat()
        self._ring = self._read()
        self._checked = clock()

    def ring(self) -> KeyRing:
        """Returns the current keys."""
        now = self._clock()
        if now - self._checked >= RELOAD_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._checked = now
                self._reload()
            finally:
                self._lock.release()
        return self._ring

    def _reload(self) -> None:
        version = self._stat()
        if version == self._version:
            return
        self._version = version
        try:
            self._ring = self._read()
            _log.info("read the keys again from %s", self._path)
        except EnvironmentConfigError as error:
            _log.error("the changed key file is not valid; the last valid keys stay in use: %s", error)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self) -> KeyRing:
        try:
            document = load_document(self._path, str(self._path))
        except Invalid as invalid:
            raise as_error(EnvironmentConfigError, invalid.problems) from None
        return KeyRing(read_keys(document, self._scopes), str(self._path))
