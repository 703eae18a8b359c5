"""Keys in a secret, in the form of a key file: `secretsmanager:NAME`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from headgate.document import Invalid, as_error, parse_document
from headgate.errors import EnvironmentConfigError, HeadgateError
from headgate.http.keys import KeyRing, read_keys

SECRET_PREFIX = "secretsmanager:"  # noqa: S105 - a scheme
#: How often, in seconds, a secret is read again.
SECRET_SECONDS = 60.0
_log = logging.getLogger(__name__)


class SecretKeys:
    """Keys in a secret. If a later read fails, the last valid keys stay in use."""

    def __init__(
        self,
        place: str,
        scopes: Mapping[str, Any],
        read: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads the secret at `place` (`secretsmanager:NAME`) by `read(NAME)`. Raises EnvironmentConfigError."""
        self._place, self._scopes, self._clock = place, scopes, clock
        self._read = lambda: read(place.removeprefix(SECRET_PREFIX))
        self._lock, self._checked, self._ring = threading.Lock(), clock(), self._parse(self._read())

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
            return KeyRing(read_keys(parse_document(text, self._place), self._scopes), self._place)
        except Invalid as invalid:
            raise as_error(EnvironmentConfigError, invalid.problems) from None
