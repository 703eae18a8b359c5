"""Datasets of versions: a list of all at first, then each day those that are new or changed."""

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from random import Random
from typing import ClassVar

from headgate.generate.export import Export, Row, RowBatch, moment
from headgate.generate.numbers import at
from headgate.generate.retailer import Retailer

_CHANGED = 0.01  # of those that are known, each day
_DAY = 24 * 3600


class Versions(Export):
    """Head office's exports, sent at five in the morning: the whole list on the first day, then what has changed.

    Of `count` things most are in the first list, `arriving` come on a later day, `missing` never.
    """

    arriving: ClassVar[float]
    missing: ClassVar[float]

    def __init__(self, retailer: Retailer) -> None:
        super().__init__(retailer)
        self._now: dict[int, Row] = {}

    @property
    @abstractmethod
    def count(self) -> int:
        """How many things there are, numbered from 0."""

    @abstractmethod
    def first(self, number: int, updated_at: str) -> Row:
        """The first version of a thing."""

    @abstractmethod
    def changed(self, number: int, row: Row, numbers: Random) -> Row:
        """A version after `row`; its `updated_at` is set by the caller."""

    @property
    def days(self) -> int:
        return self.spec.days + 1

    @property
    def places(self) -> int:
        return self.spec.days  # the first list is neither late nor repeated

    def batches(self, number: int) -> Iterator[RowBatch]:
        day = self.retailer.day(number)
        rows = [*self._changes(number), *self._arrivals(number)]
        yield RowBatch(self.retailer.stores[0].id, day, number - 1, at(day, 5 * 3600), rows)

    def _arrivals(self, number: int) -> Iterator[Row]:
        draw = self.numbers_for("arrivals", number).random
        yesterday = self.retailer.day(number - 1)
        for one in self._by_arrival[number]:
            before = 0 if number else int(draw() * 1500)
            self._now[one] = self.first(one, moment(yesterday - timedelta(days=before), int(draw() * _DAY)))
            yield self._now[one]

    def _changes(self, number: int) -> Iterator[Row]:
        """New versions of some of the things that were known the day before; one may have two."""
        numbers = self.numbers_for("changes", number)
        known = list(self._now)
        for _ in range(max(1, int(len(known) * _CHANGED)) if known else 0):
            one = known[int(numbers.random() * len(known))]
            updated_at = moment(self.retailer.day(number - 1), int(numbers.random() * _DAY))
            self._now[one] = self.changed(one, self._now[one], numbers) | {"updated_at": updated_at}
            yield self._now[one]

    @cached_property
    def _by_arrival(self) -> dict[int, list[int]]:
        """Day's number -> the things that are first sent on it."""
        draw = self.numbers_for("arrival").random
        found: dict[int, list[int]] = defaultdict(list)
        for one in range(self.count):
            fate, day = draw(), 1 + int(draw() * self.spec.days)
            if fate >= self.missing:
                found[day if fate < self.missing + self.arriving else 0].append(one)
        return found
