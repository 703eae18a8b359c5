"""The store that sends a request, by its bearer key, and its permissions.

Keys come from the environment (`receiver.store_keys`) and from a key file or a secret, which is read again when it
changes, so that keys are added and rotated without a restart.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.aws.secrets import keys_at
from headgate.contracts.environment import Receiver
from headgate.http.keys import Key, KeyRing
from headgate.http.problems import Problem
from headgate.http.store_keys import SCOPES


@dataclass(frozen=True)
class Sender:
    """A store as its key describes it.

    `datasets` are those that it may upload, None for all; `per_minute` is the most uploads a minute, None for no
    limit; a `sandbox` key lands where no pipeline reads.
    """

    store: str
    key: str = ""
    datasets: frozenset[str] | None = None
    per_minute: int | None = None
    sandbox: bool = False

    def require(self, dataset: str) -> None:
        """Raises Problem 403 where the key does not cover `dataset`."""
        if self.datasets is not None and dataset not in self.datasets:
            allowed = ", ".join(sorted(self.datasets)) or "none"
            raise Problem(403, "dataset-not-allowed", f"this key may upload: {allowed}", datasets=sorted(self.datasets))


class Stores:
    """The stores that may upload."""

    def __init__(self, settings: Receiver, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises EnvironmentConfigError where two stores share a key, or the key file is not valid."""
        keys = [Key(store, digest) for store, digests in settings.store_keys.items() for digest in digests]
        self._own = KeyRing(keys, "receiver.store_keys")
        self._others = keys_at(settings.key_file, SCOPES) if settings.key_file else None
        self._rates = Rates(settings.workers, clock)

    @property
    def names(self) -> list[str]:
        """The names of all stores."""
        return sorted({*self._own.clients, *(self._others.ring().clients if self._others else [])})

    def authenticate(self, authorization: str | None) -> Sender:
        """The store whose key the `Authorization` header carries. Raises Problem 401."""
        if self._others is None:
            return _sender(self._own.authenticate(authorization))
        try:
            return _sender(self._own.authenticate(authorization))
        except Problem:
            return _sender(self._others.ring().authenticate(authorization))

    def take(self, sender: Sender) -> None:
        """Counts one upload. Raises Problem 429 where the store sends more than its rate."""
        if sender.per_minute is not None:
            self._rates.take(sender.store, sender.per_minute)


def _sender(key: Key) -> Sender:
    scopes: Mapping[str, Any] = key.scopes
    datasets = scopes.get("datasets")
    return Sender(
        key.client,
        key.id or key.digest[:8],
        None if datasets is None else frozenset(datasets),
        scopes.get("per_minute"),
        bool(scopes.get("sandbox", False)),
    )


class Rates:
    """A token bucket for each store in this process: each of `workers` processes allows an equal share."""

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers, self._clock, self._lock = workers, clock, threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # store -> tokens, and when they were counted

    def take(self, store: str, per_minute: int) -> None:
        """Raises Problem 429, with the seconds until the next upload may be sent."""
        rate = per_minute / 60 / self._workers
        most = max(1.0, rate * 10)  # a burst of ten seconds
        with self._lock:
            now = self._clock()
            tokens, counted = self._buckets.get(store, (most, now))
            tokens = min(most, tokens + (now - counted) * rate)
            if tokens < 1:
                self._buckets[store] = (tokens, now)
                wait = math.ceil((1 - tokens) / rate)
                detail = f"this store may send {per_minute} uploads a minute; send it again with the same key"
                raise Problem(429, "too-many-uploads", detail, {"Retry-After": str(wait)})
            self._buckets[store] = (tokens - 1, now)
