"""The base of datasets of versions: the whole list on the first day, then each day the new and changed entities."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from random import Random
from typing import ClassVar

from headgate.generate.numbers import at
from headgate.generate.writers import Record
from retail.generate.export import Export, RowBatch, timestamp
from retail.generate.retailer import Retailer

_CHANGED = 0.01  # share of the known entities that change on a day
_DAY = 24 * 3600  # seconds
_MAX_AGE = 1500  # days before the first list in which a first version was made


class Versions(Export):
    """Head office's exports, sent at five in the morning.

    Of `count` entities most are in the first list, a share of `late_arrivals` comes on a later day, and a share of
    `never_sent` never.
    """

    late_arrivals: ClassVar[float]
    never_sent: ClassVar[float]

    def __init__(self, retailer: Retailer) -> None:
        super().__init__(retailer)
        self._current: dict[int, Record] = {}

    @property
    @abstractmethod
    def count(self) -> int:
        """How many entities there are, numbered from 0."""

    @abstractmethod
    def first(self, number: int, updated_at: str) -> Record:
        """Returns the first version of an entity."""

    @abstractmethod
    def changed(self, number: int, row: Record, numbers: Random) -> Record:
        """Returns the version after `row`; the caller sets its `updated_at`."""

    @property
    def days(self) -> int:
        return self.spec.days + 1

    @property
    def batch_count(self) -> int:
        return self.spec.days  # the first list is neither late nor repeated

    def batches(self, number: int) -> Iterator[RowBatch]:
        day = self.retailer.day(number)
        rows = [*self._changes(number), *self._arrivals(number)]
        yield RowBatch(self.retailer.stores[0].id, day, number - 1, at(day, 5 * 3600), rows)

    def _arrivals(self, number: int) -> Iterator[Record]:
        draw = self.random_for("arrivals", number).random
        yesterday = self.retailer.day(number - 1)
        for entity in self._by_arrival[number]:
            age = 0 if number else int(draw() * _MAX_AGE)
            updated_at = timestamp(yesterday - timedelta(days=age), int(draw() * _DAY))
            self._current[entity] = self.first(entity, updated_at)
            yield self._current[entity]

    def _changes(self, number: int) -> Iterator[Record]:
        """Yields new versions of some entities that were known the day before; an entity may change twice."""
        numbers = self.random_for("changes", number)
        known = list(self._current)
        for _ in range(max(1, int(len(known) * _CHANGED)) if known else 0):
            entity = known[int(numbers.random() * len(known))]
            updated_at = timestamp(self.retailer.day(number - 1), int(numbers.random() * _DAY))
            self._current[entity] = self.changed(entity, self._current[entity], numbers) | {"updated_at": updated_at}
            yield self._current[entity]

    @cached_property
    def _by_arrival(self) -> dict[int, list[int]]:
        """Day number -> the entities that are first sent on that day."""
        draw = self.random_for("arrival").random
        arrivals: dict[int, list[int]] = defaultdict(list)
        for entity in range(self.count):
            share, day = draw(), 1 + int(draw() * self.spec.days)
            if share >= self.never_sent:
                is_late = share < self.never_sent + self.late_arrivals
                arrivals[day if is_late else 0].append(entity)
        return arrivals
