"""Whether uploads arrived since the last look, by listings of landing alone: no table is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from obstore.store import ObjectStore

from headgate.lake.landing import list_landed


class Arrivals:
    """Looks at the landing of some datasets. Uploads older than `lookback` are left to the planner."""

    def __init__(
        self,
        store: ObjectStore,
        datasets: Iterable[str],
        lookback: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._datasets, self._lookback, self._clock = store, sorted(datasets), lookback, clock
        self._seen: frozenset[str] = frozenset()

    def look(self) -> int:
        """How many uploads the listings show that the last look did not; all of them the first time."""
        since = self._clock() - self._lookback
        listed = frozenset(
            landed.upload for dataset in self._datasets for landed in list_landed(self._store, dataset, since)
        )
        new = len(listed - self._seen)
        self._seen = listed
        return new
