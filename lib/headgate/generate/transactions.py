"""Sales, as the tills of each store send them: JSON lines, some late, repeated, corrected or broken."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property, partial
from operator import add
from random import Random
from typing import NamedTuple

from headgate.generate.numbers import at, days_later, idempotency_key, money, some_of, split, time_text
from headgate.generate.retailer import POOL, Item, Retailer, Store, customer_id
from headgate.generate.spec import MOST_CUSTOMERS
from headgate.generate.ticket import Ticket, sendings

_MOST_ITEMS = 80
_WITH_CUSTOMER = 0.42
_VOIDED = 0.004
_SAMPLE = 4000
_PAYMENTS = ("card",) * 58 + ("cash",) * 27 + ("mobile",) * 11 + ("gift_card",) * 3 + ("voucher",)
_WEEK = (0.88, 0.84, 0.88, 0.95, 1.15, 1.35, 1.25)  # Monday first
_HOURS = {  # the first hour of business, and each hour's share of the sales
    "weekday": (8, (3, 4, 5, 6, 9, 8, 6, 5, 7, 10, 12, 10, 5)),
    "weekend": (9, (4, 8, 11, 12, 11, 10, 11, 11, 10, 7)),
}
_CLOCK_STEPS = 2048

_LINE_NUMBERS = tuple(f'{{"line":{n},' for n in range(1, _MOST_ITEMS + 1))


class Sale(NamedTuple):
    """One transaction; `items` are places in the pool."""

    id: str
    time: str
    register: int
    receipt: int
    customer: str
    payment: str
    voided: bool
    items: list[int]


@dataclass(frozen=True)
class Batch:
    """The sales `first` to `first + count` of the `of` that a store makes on a day.

    `broken` and `revised` are positions in the batch, and share none.
    """

    store: Store
    day: date
    number: int
    first: int
    count: int
    of: int
    broken: frozenset[int]
    revised: frozenset[int]


class Transactions:
    """The sales of a retailer: plans the uploads, and makes their bodies."""

    def __init__(self, retailer: Retailer) -> None:
        self.retailer, self.spec, self.stores = retailer, retailer.spec, retailer.stores
        self.numbers_for = retailer.numbers_for

    # The plan

    def feed(self) -> Iterator[tuple[date, Iterator[Ticket]]]:
        """The tickets by day."""
        for number in range(self.spec.days):
            yield self.retailer.day(number), self._day(number)

    def batches(self) -> Iterator[Batch]:
        """Every batch, once."""
        for number, store in itertools.product(range(self.spec.days), self.stores):
            yield from self.batches_of(store, number)

    def _day(self, number: int) -> Iterator[Ticket]:
        for store in self.stores:
            batches = self.batches_of(store, number)
            for batch in batches:
                yield from self._sendings(batch)
            yield from self._correction(store, self.retailer.day(number), batches)

    def batches_of(self, store: Store, number: int) -> list[Batch]:
        """The batches of a store on the day of that number, from 0."""
        of = self._counts(number)[store.number - 1]
        day = self.retailer.day(number)
        counts = split(of, [1.0] * self.spec.uploads)
        firsts = itertools.accumulate(counts, initial=0)
        numbered = enumerate(zip(firsts, counts, strict=False), start=1)
        return [self._batch(store, day, place, first, count, of) for place, (first, count) in numbered if count]

    def _counts(self, number: int) -> list[int]:
        """How many sales each store makes on the day of that number."""
        return split(self._by_day[number], [store.weight for store in self.stores])

    @cached_property
    def _by_day(self) -> list[int]:
        days = [self.retailer.day(number) for number in range(self.spec.days)]
        return split(self.transactions, [_WEEK[day.weekday()] for day in days])

    def _batch(self, store: Store, day: date, number: int, first: int, count: int, of: int) -> Batch:
        draw = self.numbers_for("fate", store.id, day, number).random
        broken = frozenset(n for n in range(count) if draw() < self.spec.broken)
        revised = frozenset(n for n in range(count) if draw() < self.spec.corrected)
        return Batch(store, day, number, first, count, of, broken, revised - broken)

    def _sendings(self, batch: Batch) -> Iterator[Ticket]:
        numbers = self.numbers_for("sending", batch.store.id, batch.day, batch.number)
        closed = at(batch.day, _second(_clock(batch.day), (batch.first + batch.count) / batch.of) + 60)
        key = idempotency_key(numbers, self.spec.keys, closed, f"{batch.day}-batch-{batch.number}")
        body, place = partial(self._batch_body, batch), self._place(batch)
        ticket = Ticket("transactions", batch.store.id, key, batch.day, closed, "batch", batch.count, body)
        return sendings(ticket, numbers, late=place in self._late, repeated=place in self._repeated)

    def _correction(self, store: Store, day: date, batches: list[Batch]) -> Iterator[Ticket]:
        """One upload on a later day with all that is revised of a store's day."""
        rows = sum(len(batch.revised) for batch in batches)
        if rows:
            numbers = self.numbers_for("correction", store.id, day)
            sent_at = at(day + timedelta(days=days_later(numbers)), 23 * 3600)
            key = idempotency_key(numbers, self.spec.keys, sent_at, f"{day}-corrections-1")
            body = partial(self._correction_body, batches, sent_at.date())
            yield Ticket("transactions", store.id, key, day, sent_at, "correction", rows, body)

    def _place(self, batch: Batch) -> int:
        days = (batch.day - self.spec.first_day).days
        return (days * self.spec.stores + batch.store.number - 1) * self.spec.uploads + batch.number - 1

    @cached_property
    def _late(self) -> frozenset[int]:
        return some_of(self.numbers_for("late"), self._places, self.spec.late)

    @cached_property
    def _repeated(self) -> frozenset[int]:
        return some_of(self.numbers_for("repeated"), self._places, self.spec.repeated)

    @property
    def _places(self) -> int:
        return self.spec.days * self.spec.stores * self.spec.uploads

    @cached_property
    def transactions(self) -> int:
        """How many there are over all stores and days."""
        if self.spec.size is None:
            return self.spec.transactions * self.spec.stores * self.spec.days
        return max(1, round(self.spec.size / self._bytes_each()))

    @property
    def per_store_and_day(self) -> int:
        """The average, at least 1."""
        return max(1, self.transactions // (self.spec.stores * self.spec.days))

    def estimated_bytes(self) -> int:
        return round(self.transactions * self._bytes_each())

    def _bytes_each(self) -> float:
        """The bytes that go over the line for one transaction, with its share of repeats and corrections."""
        return self._mean_bytes() * (1 + len(self._repeated) / self._places + self.spec.corrected)

    def _mean_bytes(self) -> float:
        """A line's mean length, by a sample."""
        numbers = self.numbers_for("size")
        till = _Till(self.retailer, self.stores[-1], self.spec.first_day, _SAMPLE)
        return sum(len(till.line(till.sale(n, numbers))) + 1 for n in range(_SAMPLE)) / _SAMPLE

    # The bodies

    def _batch_body(self, batch: Batch) -> bytes:
        return _body(self._lines(batch))

    def _correction_body(self, batches: Sequence[Batch], sent_on: date) -> bytes:
        return _body([line for batch in batches for line in self._revisions(batch, sent_on)])

    def sold(self, batch: Batch) -> Iterator[tuple[Sale, list[Item]]]:
        """The sales of a batch that stay as they were first booked, with their items."""
        numbers = self.numbers_for("batch", batch.store.id, batch.day, batch.number)
        till = _Till(self.retailer, batch.store, batch.day, batch.of)
        for position in range(batch.count):
            sale = till.sale(batch.first + position, numbers)
            if not sale.voided and position not in batch.broken | batch.revised:
                yield sale, [self.retailer.pool[place] for place in sale.items]

    def _lines(self, batch: Batch) -> list[str]:
        numbers = self.numbers_for("batch", batch.store.id, batch.day, batch.number)
        till = _Till(self.retailer, batch.store, batch.day, batch.of)
        line, sale = till.line, till.sale
        lines = [line(sale(n, numbers)) for n in range(batch.first, batch.first + batch.count)]
        for position in sorted(batch.revised):
            lines[position] = line(sale(batch.first + position, self._numbers_of(batch, position)))
        for position in sorted(batch.broken):
            lines[position] = _broken(lines[position], numbers.random())
        return lines

    def _revisions(self, batch: Batch, sent_on: date) -> Iterator[str]:
        till = _Till(self.retailer, batch.store, batch.day, batch.of)
        for position in sorted(batch.revised):
            numbers = self._numbers_of(batch, position)
            yield self._revision(till, till.sale(batch.first + position, numbers), numbers, sent_on)

    def _numbers_of(self, batch: Batch, position: int) -> Random:
        """A sale that will be revised has its own generator: the revision is made without the batch around it."""
        return self.numbers_for("revised", batch.store.id, batch.day, batch.number, position)

    def _revision(self, till: "_Till", sale: Sale, numbers: Random, sent_on: date) -> str:
        """The sale with a changed quantity, on another day, or without items; revised in the hour before it is sent."""
        minute, second, how = int(numbers.random() * 60), int(numbers.random() * 60), numbers.random()
        revised_at = f"{sent_on}T22:{minute:02d}:{second:02d}Z"
        items = [self.retailer.pool[place] for place in sale.items]
        if how < 0.6:
            place = int(numbers.random() * len(items))
            items[place] = _one_more(items[place])
        elif how > 0.85:
            items = []
        day = self._neighbour(till.day) if 0.6 <= how <= 0.85 else till.day
        texts, cents = [item.json for item in items], sum(item.cents for item in items)
        return till.json(sale, revised_at, f"{day}T{sale.time}Z", texts, cents)

    def _neighbour(self, day: date) -> date:
        """The day before; of the first day the day after, so that no sale comes before the first day."""
        return day + timedelta(days=1 if day == self.spec.first_day else -1)


class _Till:
    """A store's day: makes its sales by number, in order of time, and writes them as JSON."""

    def __init__(self, retailer: Retailer, store: Store, day: date, of: int) -> None:
        self.store, self.day, self.of = store, day, of
        self.clock = _clock(day)
        self.baskets = _baskets()
        self.json_at, self.cents_at = retailer.pool_json.__getitem__, retailer.pool_cents.__getitem__
        self.random_ids = retailer.spec.random_ids
        self.day_text = str(day)
        self.prefix = f"{day:%Y%m%d}-{store.id}-"
        self.fiscal = int(f"{day:%Y%m%d}{store.number % 1000:03d}") * 10**8

    def sale(self, number: int, numbers: Random) -> Sale:
        """The sale of that number, from 0. A sale's time is in its own part of the day: sorted without a sort."""
        draw = numbers.random
        id_ = f"{numbers.getrandbits(128):032x}" if self.random_ids else f"{self.prefix}{number + 1:06d}"
        register = 1 + int(draw() * self.store.registers)
        basket = self.baskets[int(draw() * len(self.baskets))]
        return Sale(
            id_,
            time_text(_second(self.clock, (number + draw()) / self.of)),
            register,
            self._receipt(register, number),
            _customer(draw()),
            _PAYMENTS[int(draw() * 100)],
            draw() < _VOIDED,
            [int(draw() * POOL) for _ in range(basket)],
        )

    def _receipt(self, register: int, number: int) -> int:
        """Even registers print fiscal numbers of 19 digits (more than 2^53), the others short ones."""
        short = register * 1_000_000 + (number + 1) % 1_000_000
        return short if register % 2 else self.fiscal + short

    def line(self, sale: Sale) -> str:
        """The sale as it was first booked."""
        moment = f"{self.day_text}T{sale.time}Z"
        return self.json(sale, moment, moment, map(self.json_at, sale.items), sum(map(self.cents_at, sale.items)))

    def json(self, sale: Sale, revised_at: str, sold_at: str, items: Sequence[str] | map, cents: int) -> str:
        customer = f'"customer_id":"{sale.customer}",' if sale.customer else ""
        voided = '"voided":true,' if sale.voided else ""
        return (
            f'{{"transaction_id":"{sale.id}","revised_at":"{revised_at}","store_id":"{self.store.id}",'
            f'"sold_at":"{sold_at}","register":{sale.register},"receipt_number":{sale.receipt},{customer}'
            f'"payment_method":"{sale.payment}","currency":"EUR","total":{money(cents)},{voided}'
            f'"items":[{",".join(map(add, _LINE_NUMBERS, items))}]}}'
        )


def _body(lines: list[str]) -> bytes:
    # A broken line carries bytes that are not UTF-8 as surrogates.
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def _one_more(item: Item) -> Item:
    return item._replace(quantity=item.quantity + 1)


def _customer(draw: float) -> str:
    """A customer, regulars more often; empty for most sales."""
    if draw >= _WITH_CUSTOMER:
        return ""
    return customer_id(1 + int(draw * draw / (_WITH_CUSTOMER * _WITH_CUSTOMER) * MOST_CUSTOMERS))


@cache
def _baskets() -> list[int]:
    """Numbers of items in proportion to how often they occur: a mean near 10, and a long tail."""
    weights = [1.0]
    for size in range(2, _MOST_ITEMS + 1):
        weights.append(weights[-1] * 0.82 * size / (size - 1))
    counts = split(1024, weights[:-1])
    return [size for size, count in enumerate([*counts[:-1], counts[-1] + 1], start=1) for _ in range(count)]


def _clock(day: date) -> list[float]:
    return _clock_of("weekend" if day.weekday() >= 5 else "weekday")


@cache
def _clock_of(kind: str) -> list[float]:
    """The second of the day by which each 2048th of the day's sales is made."""
    opens, shares = _HOURS[kind]
    steps = split(_CLOCK_STEPS, [float(share) for share in shares])
    hours = [opens + hour + step / count for hour, count in enumerate(steps) for step in range(count)]
    return [hour * 3600 for hour in [*hours, opens + len(shares)]]


def _second(clock: list[float], part: float) -> int:
    """The second of the day by which `part` (0 to 1) of the sales is made; never falls as `part` rises."""
    place = part * _CLOCK_STEPS
    step = min(int(place), _CLOCK_STEPS - 1)
    return int(clock[step] + (clock[step + 1] - clock[step]) * (place - step))


def _cut(line: str) -> str:
    return line[: len(line) * 2 // 3]


# Pattern and what takes its place: text in a number, a required field that is missing, decimals
# that no currency has, a key that is null, and a word in Latin-1.
_DAMAGES = (
    (re.compile(r'"register":\d+'), '"register":"three"'),
    (re.compile(r'"sold_at":"[^"]*",'), ""),
    (re.compile(r'("total":\d+\.\d\d)'), r"\g<1>37"),
    (re.compile(r'"transaction_id":"[^"]*"'), '"transaction_id":null'),
    (re.compile(r'"payment_method":"\w+"'), '"payment_method":"ch\udce8que"'),
)


def _broken(line: str, draw: float) -> str:
    """`line` damaged in one of six ways, after which no contract takes it."""
    way = int(draw * (len(_DAMAGES) + 1))
    if way == len(_DAMAGES):
        return _cut(line)
    pattern, instead = _DAMAGES[way]
    return pattern.sub(instead, line, count=1)
