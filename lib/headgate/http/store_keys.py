"""The receiver's keys: the scopes of a store, and the storage of its keys, a file or a secret."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from headgate.document import Invalid, as_error, parse_document
from headgate.errors import EnvironmentConfigError, HeadgateError
from headgate.http.keys import KeyRing, read_keys

#: The schema of a store's scopes in a key file.
SCOPES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "datasets": {"type": "array", "items": {"type": "string"}, "x-wanted": "a list of datasets"},
        "per_minute": {"type": "integer", "minimum": 1, "x-wanted": "a whole number from 1"},
        "sandbox": {"type": "boolean"},
    },
}
SECRET_PREFIX = "secretsmanager:"  # noqa: S105 - a scheme
#: How often, in seconds, a secret is read again.
SECRET_SECONDS = 60.0
_log = logging.getLogger(__name__)


class SecretKeys:
    """Keys in a secret, in the form of a key file. If a later read fails, the last valid keys stay in use."""

    def __init__(self, place: str, read: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._place, self._read, self._clock = place, read, clock
        self._lock, self._checked, self._ring = threading.Lock(), clock(), self._parse(read())

    def ring(self) -> KeyRing:
        """Returns the current keys; reads the secret again after a minute."""
        if self._clock() - self._checked >= SECRET_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._checked = self._clock()
                self._ring = self._parse(self._read())
            except HeadgateError as error:
                _log.error("the keys could not be read again; the last valid keys stay in use: %s", error)
            finally:
                self._lock.release()
        return self._ring

    def _parse(self, text: str) -> KeyRing:
        try:
            return KeyRing(read_keys(parse_document(text, self._place), SCOPES), self._place)
        except Invalid as invalid:
            raise as_error(EnvironmentConfigError, invalid.problems) from None
