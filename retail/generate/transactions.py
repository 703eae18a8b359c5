"""Sales, as the tills of each store send them: JSON lines, some late, repeated, corrected or broken."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from random import Random

from headgate.generate.numbers import at, days_late, idempotency_key, sample, split
from headgate.generate.planned import PlannedUpload, deliveries
from retail.generate.retailer import Item, Retailer, Store
from retail.generate.sales import Sale, SalesDay, clock_of, damaged, one_more, second_of
from retail.generate.spec import FORMATS

_SAMPLE = 4000  # sales whose size is measured
_WEEK = (0.88, 0.84, 0.88, 0.95, 1.15, 1.35, 1.25)  # sales by weekday, Monday first
_MORE_ITEMS, _NO_ITEMS = 0.6, 0.85  # revisions: below the first a quantity rises, above the second nothing is left


@dataclass(frozen=True)
class Batch:
    """The sales `first` to `first + count` of the `total` that a store makes on a day.

    `broken` and `revised` are positions in the batch; they have none in common.
    """

    store: Store
    day: date
    number: int
    first: int
    count: int
    total: int
    broken: frozenset[int]
    revised: frozenset[int]


class Transactions:
    """The sales of a retailer: plans the uploads and makes their bodies."""

    def __init__(self, retailer: Retailer) -> None:
        self.retailer, self.spec, self.stores = retailer, retailer.spec, retailer.stores
        self.random_for = retailer.random_for

    # --- the plan

    def feed(self) -> Iterator[tuple[date, Iterator[PlannedUpload]]]:
        """Yields the planned uploads by business day."""
        for number in range(self.spec.days):
            yield self.retailer.day(number), self._day(number)

    def batches(self) -> Iterator[Batch]:
        """Yields every batch once."""
        for number, store in itertools.product(range(self.spec.days), self.stores):
            yield from self.batches_of(store, number)

    def _day(self, number: int) -> Iterator[PlannedUpload]:
        for store in self.stores:
            batches = self.batches_of(store, number)
            for batch in batches:
                yield from self._deliveries(batch)
            yield from self._correction(store, self.retailer.day(number), batches)

    def batches_of(self, store: Store, number: int) -> list[Batch]:
        """Returns the batches of a store on a day, numbered from 0."""
        total = self._counts(number)[store.number - 1]
        day = self.retailer.day(number)
        counts = split(total, [1.0] * self.spec.uploads)
        firsts = itertools.accumulate(counts, initial=0)
        numbered = enumerate(zip(firsts, counts, strict=False), start=1)
        return [self._batch(store, day, place, first, count, total) for place, (first, count) in numbered if count]

    def _counts(self, number: int) -> list[int]:
        """How many sales each store makes on a day."""
        return split(self._by_day[number], [store.weight for store in self.stores])

    @cached_property
    def _by_day(self) -> list[int]:
        days = [self.retailer.day(number) for number in range(self.spec.days)]
        return split(self.transactions, [_WEEK[day.weekday()] for day in days])

    def _batch(self, store: Store, day: date, number: int, first: int, count: int, total: int) -> Batch:
        draw = self.random_for("fate", store.id, day, number).random
        broken = frozenset(n for n in range(count) if draw() < self.spec.broken)
        revised = frozenset(n for n in range(count) if draw() < self.spec.corrected)
        return Batch(store, day, number, first, count, total, broken, revised - broken)

    def _deliveries(self, batch: Batch) -> Iterator[PlannedUpload]:
        numbers = self.random_for("sending", batch.store.id, batch.day, batch.number)
        closed = at(batch.day, second_of(clock_of(batch.day), (batch.first + batch.count) / batch.total) + 60)
        key = idempotency_key(numbers, self.spec.keys, closed, f"{batch.day}-batch-{batch.number}")
        upload = self._upload(batch.store, batch.day, key, closed)
        planned = upload(
            kind="batch", rows=batch.count, broken=len(batch.broken), body=partial(self._batch_body, batch)
        )
        index = self._index(batch)
        return deliveries(planned, numbers, late=index in self._late, repeated=index in self._repeated)

    def _correction(self, store: Store, day: date, batches: list[Batch]) -> Iterator[PlannedUpload]:
        """Yields an upload on a later day with everything that is revised of a store's day."""
        rows = sum(len(batch.revised) for batch in batches)
        if rows:
            numbers = self.random_for("correction", store.id, day)
            sent_at = at(day + timedelta(days=days_late(numbers)), 23 * 3600)
            key = idempotency_key(numbers, self.spec.keys, sent_at, f"{day}-corrections-1")
            body = partial(self._correction_body, batches, sent_at.date())
            yield self._upload(store, day, key, sent_at)(kind="correction", rows=rows, body=body)

    def _upload(self, store: Store, day: date, key: str, sent_at: datetime) -> "partial[PlannedUpload]":
        """A planned upload, without its kind, counts and body."""
        media_type, suffix = FORMATS["transactions"]
        return partial(
            PlannedUpload,
            dataset="transactions",
            store=store.id,
            key=key,
            day=day,
            sent_at=sent_at,
            media_type=media_type,
            suffix=suffix,
        )

    def _index(self, batch: Batch) -> int:
        days = (batch.day - self.spec.first_day).days
        return (days * self.spec.stores + batch.store.number - 1) * self.spec.uploads + batch.number - 1

    @cached_property
    def _late(self) -> frozenset[int]:
        return sample(self.random_for("late"), self._batch_count, self.spec.late)

    @cached_property
    def _repeated(self) -> frozenset[int]:
        return sample(self.random_for("repeated"), self._batch_count, self.spec.repeated)

    @property
    def _batch_count(self) -> int:
        return self.spec.days * self.spec.stores * self.spec.uploads

    @cached_property
    def transactions(self) -> int:
        """How many transactions there are over all stores and days."""
        if self.spec.size is None:
            return self.spec.transactions * self.spec.stores * self.spec.days
        return max(1, round(self.spec.size / self._bytes_each()))

    @property
    def per_store_and_day(self) -> int:
        """The average number of transactions of a store on a day, at least 1."""
        return max(1, self.transactions // (self.spec.stores * self.spec.days))

    def estimated_bytes(self) -> int:
        """Returns about how many bytes all uploads of transactions have, before compression."""
        return round(self.transactions * self._bytes_each())

    def _bytes_each(self) -> float:
        """The bytes that are sent for a transaction, with its share of repeats and corrections."""
        return self._mean_bytes() * (1 + len(self._repeated) / self._batch_count + self.spec.corrected)

    def _mean_bytes(self) -> float:
        """The mean length of a line, measured on a sample."""
        numbers = self.random_for("size")
        day = SalesDay(self.retailer, self.stores[-1], self.spec.first_day, _SAMPLE)
        return sum(len(day.line(day.sale(n, numbers))) + 1 for n in range(_SAMPLE)) / _SAMPLE

    # --- the bodies

    def _batch_body(self, batch: Batch) -> bytes:
        return _body(self._lines(batch))

    def _correction_body(self, batches: Sequence[Batch], sent_on: date) -> bytes:
        return _body([line for batch in batches for line in self._revisions(batch, sent_on)])

    def sold(self, batch: Batch) -> Iterator[tuple[Sale, list[Item]]]:
        """Yields the sales of a batch that are neither voided, broken nor revised later, with their items."""
        numbers = self.random_for("batch", batch.store.id, batch.day, batch.number)
        day = self._sales_day(batch)
        for position in range(batch.count):
            sale = day.sale(batch.first + position, numbers)
            if not sale.voided and position not in batch.broken | batch.revised:
                yield sale, [self.retailer.pool[place] for place in sale.items]

    def _sales_day(self, batch: Batch) -> SalesDay:
        return SalesDay(self.retailer, batch.store, batch.day, batch.total)

    def _lines(self, batch: Batch) -> list[str]:
        numbers = self.random_for("batch", batch.store.id, batch.day, batch.number)
        day = self._sales_day(batch)
        line, sale = day.line, day.sale
        lines = [line(sale(n, numbers)) for n in range(batch.first, batch.first + batch.count)]
        for position in sorted(batch.revised):
            lines[position] = line(sale(batch.first + position, self._random_for_revised(batch, position)))
        for position in sorted(batch.broken):
            lines[position] = damaged(lines[position], numbers.random())
        return lines

    def _revisions(self, batch: Batch, sent_on: date) -> Iterator[str]:
        day = self._sales_day(batch)
        for position in sorted(batch.revised):
            numbers = self._random_for_revised(batch, position)
            yield self._revision(day, day.sale(batch.first + position, numbers), numbers, sent_on)

    def _random_for_revised(self, batch: Batch, position: int) -> Random:
        """A sale that will be revised has its own generator, so that its revision is made without the batch."""
        return self.random_for("revised", batch.store.id, batch.day, batch.number, position)

    def _revision(self, day: SalesDay, sale: Sale, numbers: Random, sent_on: date) -> str:
        """The sale with a higher quantity, on another day, or without items; revised in the hour before it is sent."""
        minute, second, change = int(numbers.random() * 60), int(numbers.random() * 60), numbers.random()
        revised_at = f"{sent_on}T22:{minute:02d}:{second:02d}Z"
        items = [self.retailer.pool[place] for place in sale.items]
        if change < _MORE_ITEMS:
            place = int(numbers.random() * len(items))
            items[place] = one_more(items[place])
        elif change > _NO_ITEMS:
            items = []
        sold_on = self._neighbour(day.day) if _MORE_ITEMS <= change <= _NO_ITEMS else day.day
        texts, cents = [item.json for item in items], sum(item.cents for item in items)
        return day.json(sale, revised_at, f"{sold_on}T{sale.time}Z", texts, cents)

    def _neighbour(self, day: date) -> date:
        """The day before; for the first day the day after, so that no sale is before the first day."""
        return day + timedelta(days=1 if day == self.spec.first_day else -1)


def _body(lines: list[str]) -> bytes:
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")  # a broken line has bytes that are not UTF-8
