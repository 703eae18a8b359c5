"""Realistic retail uploads for demonstrations, tests and benchmarks: a Spec gives the same bytes every time.

Everything is derived from the Spec: no clock, no global random, and of `random` only what Python
keeps stable (a seed of text, `random()`, `getrandbits()`). Each upload has a generator of its own,
so that a repeat is made again instead of kept; memory is bounded by one upload. All that this
framework knows of retail is in this module.
"""

import csv
import heapq
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from operator import add
from random import Random
from typing import NamedTuple

from headgate.errors import UsageError

DATASETS = ("transactions", "stores")
KEY_STYLES = ("plain", "uuid7", "mixed")
KINDS = ("batch", "late", "repeat", "correction")

# A late upload, a repeat or a correction comes at most so many days after its day.
_MOST_DAYS_LATER = 3
_PRODUCTS = 2000
_POOL = 16384
_MOST_ITEMS = 80
_CUSTOMERS = 8000
_WITH_CUSTOMER = 0.42
_VOIDED = 0.004
_SAMPLE = 4000
_PAYMENTS = ("card",) * 58 + ("cash",) * 27 + ("mobile",) * 11 + ("gift_card",) * 3 + ("voucher",)
_QUANTITIES = (1,) * 75 + (2,) * 15 + (3,) * 5 + (4,) * 2 + (6, 8, 12)
_WEEK = (0.88, 0.84, 0.88, 0.95, 1.15, 1.35, 1.25)  # Monday first
_HOURS = {  # the first hour of business, and each hour's share of the sales
    "weekday": (8, (3, 4, 5, 6, 9, 8, 6, 5, 7, 10, 12, 10, 5)),
    "weekend": (9, (4, 8, 11, 12, 11, 10, 11, 11, 10, 7)),
}
_CLOCK_STEPS = 2048
_CITIES = ("Aachen", "Bonn", "Düsseldorf", "Köln", "Münster", "Lyon", "Málaga", "Gent", "Utrecht", "Łódź")
_STREETS = ("Marktplatz", "Bahnhofstraße", "Rue de l'Église", "Calle Mayor", "Kerkstraat", "Hauptstraße")

_TWO_DIGITS = tuple(f"{n:02d}" for n in range(100))
_LINE_NUMBERS = tuple(f'{{"line":{n},' for n in range(1, _MOST_ITEMS + 1))


@dataclass(frozen=True)
class Spec:
    """What to make. `size` (bytes of transactions, before compression) takes the place of `transactions`.

    `late` and `repeated` are shares of the batches, each at least one batch where it is above 0;
    `broken` is a share of the lines in batches; `corrected` one of the lines that are not broken.
    Raises UsageError for a value that makes no sense.
    """

    seed: int = 7
    stores: int = 3
    first_day: date = date(2026, 3, 1)
    days: int = 2
    transactions: int = 200  # a store and day, on average
    size: int | None = None
    uploads: int = 4  # a store and day
    late: float = 0.02
    repeated: float = 0.02
    corrected: float = 0.02
    broken: float = 0.01
    random_ids: bool = False
    keys: str = "mixed"
    datasets: tuple[str, ...] = ("transactions",)

    def __post_init__(self) -> None:
        for name in ("late", "repeated", "corrected", "broken"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share from 0 to 1, such as 0.02")
        for name in ("stores", "days", "transactions", "uploads"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        _require(2000 <= self.first_day.year <= 2098, "first-day", self.first_day, "a day from 2000 to 2098")
        _require(self.days <= 366, "days", self.days, "at most 366")
        _require(self.size is None or self.size >= 1, "size", self.size, "a number of bytes from 1")
        _require(self.keys in KEY_STYLES, "keys", self.keys, f"one of {', '.join(KEY_STYLES)}")
        _require(bool(self.datasets), "datasets", self.datasets, f"at least one of {', '.join(DATASETS)}")
        for dataset in self.datasets:
            _require(dataset in DATASETS, "dataset", dataset, f"one of {', '.join(DATASETS)}")


def _require(holds: bool, option: str, value: object, wanted: str) -> None:
    if not holds:
        raise UsageError(f"{value!r} is not possible", where=f"generate: {option}", fix=f"give {wanted}")


@dataclass(frozen=True)
class GeneratedUpload:
    """One upload. `day` is the business day, `sent_on` the day it is sent, `rows` its records, broken ones included."""

    dataset: str
    store: str
    key: str
    day: date
    sent_on: date
    kind: str
    rows: int
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        return "text/csv" if self.dataset == "stores" else "application/x-ndjson"

    @property
    def suffix(self) -> str:
        return ".csv" if self.dataset == "stores" else ".jsonl"


@dataclass(frozen=True)
class Facts:
    """What a Spec makes. `uploads` and `rows` are counts by kind; a repeat's rows are counted as `repeat` only.

    `transactions` have an id of their own; `broken` of them came in a line that a contract rejects,
    `corrected` others were sent again, revised.
    """

    transactions: int
    broken: int
    corrected: int
    uploads: dict[str, int]
    rows: dict[str, int]

    @property
    def valid(self) -> int:
        """The transactions of which a valid line exists: the rows of a table with one row a transaction."""
        return self.transactions - self.broken


def uploads(spec: Spec) -> Iterator[GeneratedUpload]:
    """The uploads of `spec` in the order in which they are sent; each body is made when it is asked for."""
    retailer = _Retailer(spec)
    for ticket in retailer.plan():
        yield GeneratedUpload(
            ticket.dataset, ticket.store, ticket.key, ticket.day, ticket.sent_at.date(), ticket.kind, ticket.rows,
            retailer.body(ticket),
        )  # fmt: skip


def facts(spec: Spec) -> Facts:
    """What `uploads(spec)` makes, counted from the plan without making a body."""
    sent: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for ticket in _Retailer(spec).plan():
        sent[ticket.kind] += 1
        rows[ticket.kind] += ticket.rows
        if ticket.kind in ("batch", "late"):
            for batch in ticket.batches:
                seen.update(transactions=batch.count, broken=len(batch.broken), corrected=len(batch.revised))
    return Facts(seen["transactions"], seen["broken"], seen["corrected"], dict(sent), dict(rows))


def estimated_bytes(spec: Spec) -> int:
    """About how many bytes `uploads(spec)` gives, before compression."""
    return _Retailer(spec).estimated_bytes() if "transactions" in spec.datasets else 0


class _Store(NamedTuple):
    id: str
    number: int
    weight: float
    registers: int


class _Item(NamedTuple):
    """A product as it is sold: money in cents, the discount for the whole line."""

    product: str
    price: int
    quantity: int
    discount: int

    @property
    def cents(self) -> int:
        return self.price * self.quantity - self.discount

    @property
    def json(self) -> str:
        """The item's JSON after its line number."""
        discount = f',"discount":{_money(self.discount)}' if self.discount else ""
        sold = f'"quantity":{self.quantity},"unit_price":{_money(self.price)}'
        return f'"product_id":"{self.product}",{sold}{discount}}}'


class _Sale(NamedTuple):
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
class _Batch:
    """The sales `first` to `first + count` of the `of` that a store makes on a day.

    `broken` and `revised` are positions in the batch, and share none.
    """

    store: _Store
    day: date
    number: int
    first: int
    count: int
    of: int
    broken: frozenset[int]
    revised: frozenset[int]


@dataclass(frozen=True)
class _Ticket:
    """An upload that is planned, without its body."""

    dataset: str
    store: str
    key: str
    day: date
    sent_at: datetime
    kind: str
    rows: int
    batches: tuple[_Batch, ...] = ()


class _Retailer:
    """A Spec's stores, products and clocks: plans the uploads, and makes their bodies."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.stores = [self._store(number) for number in range(1, spec.stores + 1)]

    def numbers_for(self, *purpose: object) -> Random:
        """A generator for one purpose: the same purpose gives the same numbers."""
        return Random("/".join(map(str, (self.spec.seed, *purpose))))  # noqa: S311

    def _store(self, number: int) -> _Store:
        weight = 0.5 + 1.2 * self.numbers_for("store", number).random()
        return _Store(f"store-{number}", number, weight, 2 + int(weight * 4))

    # The plan

    def plan(self) -> Iterator[_Ticket]:
        """The tickets in the order of `sent_at`. Held in memory: only those that wait for their day."""
        waiting: list[tuple[datetime, int, _Ticket]] = []
        order = itertools.count()
        for day, tickets in self._tickets_by_day():
            for ticket in tickets:
                heapq.heappush(waiting, (ticket.sent_at, next(order), ticket))
            while waiting and waiting[0][0].date() <= day:
                yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _tickets_by_day(self) -> Iterator[tuple[date, Iterator[_Ticket]]]:
        if "stores" in self.spec.datasets:
            yield self.spec.first_day, iter([self._store_list()])
        if "transactions" in self.spec.datasets:
            days = [self.spec.first_day + timedelta(days=n) for n in range(self.spec.days)]
            counts = _split(self.transactions, [_WEEK[day.weekday()] for day in days])
            for day, count in zip(days, counts, strict=True):
                yield day, self._day(day, count)

    def _store_list(self) -> _Ticket:
        day = self.spec.first_day
        sent_at = _at(day, 6 * 3600)
        key = self._key(self.numbers_for("key", "stores"), sent_at, f"{day}-stores")
        return _Ticket("stores", self.stores[0].id, key, day, sent_at, "batch", len(self.stores))

    def _day(self, day: date, transactions: int) -> Iterator[_Ticket]:
        counts = _split(transactions, [store.weight for store in self.stores])
        for store, count in zip(self.stores, counts, strict=True):
            batches = self._batches(store, day, count)
            for batch in batches:
                yield from self._sendings(batch)
            yield from self._correction(store, day, batches)

    def _batches(self, store: _Store, day: date, of: int) -> list[_Batch]:
        counts = _split(of, [1.0] * self.spec.uploads)
        firsts = itertools.accumulate(counts, initial=0)
        numbered = enumerate(zip(firsts, counts, strict=False), start=1)
        return [self._batch(store, day, number, first, count, of) for number, (first, count) in numbered if count]

    def _batch(self, store: _Store, day: date, number: int, first: int, count: int, of: int) -> _Batch:
        draw = self.numbers_for("fate", store.id, day, number).random
        broken = frozenset(n for n in range(count) if draw() < self.spec.broken)
        revised = frozenset(n for n in range(count) if draw() < self.spec.corrected)
        return _Batch(store, day, number, first, count, of, broken, revised - broken)

    def _sendings(self, batch: _Batch) -> Iterator[_Ticket]:
        """The batch on its day or late, and perhaps once more: the same key and bytes."""
        numbers = self.numbers_for("sending", batch.store.id, batch.day, batch.number)
        closed = _at(batch.day, _second(_clock(batch.day), (batch.first + batch.count) / batch.of) + 60)
        key = self._key(numbers, closed, f"{batch.day}-batch-{batch.number}")
        place = self._place(batch)
        sent_at = closed + timedelta(days=_days_later(numbers) if place in self._late else 0)
        kind = "late" if place in self._late else "batch"
        first = _Ticket("transactions", batch.store.id, key, batch.day, sent_at, kind, batch.count, (batch,))
        yield first
        if place in self._repeated:
            again = sent_at + timedelta(minutes=1 + int(numbers.random() * 60 * 24 * _MOST_DAYS_LATER))
            yield _Ticket("transactions", first.store, key, first.day, again, "repeat", batch.count, (batch,))

    def _correction(self, store: _Store, day: date, batches: list[_Batch]) -> Iterator[_Ticket]:
        """One upload on a later day with all that is revised of a store's day."""
        rows = sum(len(batch.revised) for batch in batches)
        if rows:
            numbers = self.numbers_for("correction", store.id, day)
            sent_at = _at(day + timedelta(days=_days_later(numbers)), 23 * 3600)
            key = self._key(numbers, sent_at, f"{day}-corrections-1")
            yield _Ticket("transactions", store.id, key, day, sent_at, "correction", rows, tuple(batches))

    def _key(self, numbers: Random, moment: datetime, plain: str) -> str:
        as_uuid = numbers.random() < {"plain": 0.0, "uuid7": 1.0, "mixed": 0.5}[self.spec.keys]
        return _uuid7(numbers, moment) if as_uuid else plain

    def _place(self, batch: _Batch) -> int:
        days = (batch.day - self.spec.first_day).days
        return (days * self.spec.stores + batch.store.number - 1) * self.spec.uploads + batch.number - 1

    @cached_property
    def _late(self) -> frozenset[int]:
        return self._some_batches("late", self.spec.late)

    @cached_property
    def _repeated(self) -> frozenset[int]:
        return self._some_batches("repeated", self.spec.repeated)

    def _some_batches(self, purpose: str, share: float) -> frozenset[int]:
        """A share of all batches, by place; at least one, so that a small demonstration shows it too."""
        draw = self.numbers_for(purpose).random
        some = frozenset(place for place in range(self._places) if draw() < share)
        return some or frozenset([int(draw() * self._places)] if share else [])

    @property
    def _places(self) -> int:
        return self.spec.days * self.spec.stores * self.spec.uploads

    @cached_property
    def transactions(self) -> int:
        """How many there are over all stores and days."""
        if self.spec.size is None:
            return self.spec.transactions * self.spec.stores * self.spec.days
        return max(1, round(self.spec.size / self._bytes_each()))

    def estimated_bytes(self) -> int:
        return round(self.transactions * self._bytes_each())

    def _bytes_each(self) -> float:
        """The bytes that go over the line for one transaction, with its share of repeats and corrections."""
        return self._mean_bytes() * (1 + len(self._repeated) / self._places + self.spec.corrected)

    def _mean_bytes(self) -> float:
        """A line's mean length, by a sample."""
        numbers = self.numbers_for("size")
        till = _Till(self, self.stores[-1], self.spec.first_day, _SAMPLE)
        return sum(len(till.line(till.sale(n, numbers))) + 1 for n in range(_SAMPLE)) / _SAMPLE

    # The bodies

    def body(self, ticket: _Ticket) -> bytes:
        if ticket.dataset == "stores":
            return self._stores_csv()
        if ticket.kind == "correction":
            lines = [line for batch in ticket.batches for line in self._revisions(batch, ticket.sent_at.date())]
        else:
            lines = self._lines(ticket.batches[0])
        lines.append("")
        # A broken line carries bytes that are not UTF-8 as surrogates.
        return "\n".join(lines).encode("utf-8", "surrogateescape")

    def _lines(self, batch: _Batch) -> list[str]:
        numbers = self.numbers_for("batch", batch.store.id, batch.day, batch.number)
        till = _Till(self, batch.store, batch.day, batch.of)
        line, sale = till.line, till.sale
        lines = [line(sale(n, numbers)) for n in range(batch.first, batch.first + batch.count)]
        for position in sorted(batch.revised):
            lines[position] = line(sale(batch.first + position, self._numbers_of(batch, position)))
        for position in sorted(batch.broken):
            lines[position] = _broken(lines[position], numbers.random())
        return lines

    def _revisions(self, batch: _Batch, sent_on: date) -> Iterator[str]:
        till = _Till(self, batch.store, batch.day, batch.of)
        for position in sorted(batch.revised):
            numbers = self._numbers_of(batch, position)
            yield self._revision(till, till.sale(batch.first + position, numbers), numbers, sent_on)

    def _numbers_of(self, batch: _Batch, position: int) -> Random:
        """A sale that will be revised has its own generator: the revision is made without the batch around it."""
        return self.numbers_for("revised", batch.store.id, batch.day, batch.number, position)

    def _revision(self, till: "_Till", sale: _Sale, numbers: Random, sent_on: date) -> str:
        """The sale with a changed quantity, on another day, or without items; revised in the hour before it is sent."""
        minute, second, how = int(numbers.random() * 60), int(numbers.random() * 60), numbers.random()
        revised_at = f"{sent_on}T22:{minute:02d}:{second:02d}Z"
        items = [self.pool[place] for place in sale.items]
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

    def _stores_csv(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("store_id", "name", "address", "city", "opened_on", "closed_on"))
        writer.writerows(self._store_row(store) for store in self.stores)
        return text.getvalue().encode()

    def _store_row(self, store: _Store) -> tuple[str, ...]:
        """The first store's address holds a line break; the last of four or more will close."""
        draw = self.numbers_for("address", store.number).random
        city = _CITIES[int(draw() * len(_CITIES))]
        street = f"{_STREETS[int(draw() * len(_STREETS))]} {1 + int(draw() * 120)}"
        address = f"Halle 2, Eingang West\n{street}" if store.number == 1 else street
        opened = self.spec.first_day - timedelta(days=200 + int(draw() * 6000))
        closes = self.spec.first_day + timedelta(days=self.spec.days + 30)
        closed = str(closes) if store.number == self.spec.stores >= 4 else ""
        return store.id, f'Markt "{city}" {store.number}', address, city, str(opened), closed

    # What is sold

    @cached_property
    def pool(self) -> list[_Item]:
        """Items in proportion to how often they are sold: near Zipf over products, each at its one price."""
        draw = self.numbers_for("products").random
        places = _split(_POOL, [1 / (rank + 20) for rank in range(_PRODUCTS)])
        prices = [_price(draw()) for _ in range(_PRODUCTS)]
        # So that neither the best sellers nor the rest are the first ids.
        names = [f"sku-{10_000_000 + rank * 7919 % _PRODUCTS * 137}" for rank in range(_PRODUCTS)]
        return [_item(names[rank], prices[rank], draw) for rank in range(_PRODUCTS) for _ in range(places[rank])]

    @cached_property
    def pool_json(self) -> list[str]:
        return [item.json for item in self.pool]

    @cached_property
    def pool_cents(self) -> list[int]:
        return [item.cents for item in self.pool]


class _Till:
    """A store's day: makes its sales by number, in order of time, and writes them as JSON."""

    def __init__(self, retailer: _Retailer, store: _Store, day: date, of: int) -> None:
        self.store, self.day, self.of = store, day, of
        self.clock = _clock(day)
        self.baskets = _baskets()
        self.json_at, self.cents_at = retailer.pool_json.__getitem__, retailer.pool_cents.__getitem__
        self.random_ids = retailer.spec.random_ids
        self.day_text = str(day)
        self.prefix = f"{day:%Y%m%d}-{store.id}-"
        self.fiscal = int(f"{day:%Y%m%d}{store.number % 1000:03d}") * 10**8

    def sale(self, number: int, numbers: Random) -> _Sale:
        """The sale of that number, from 0. A sale's time is in its own part of the day: sorted without a sort."""
        draw = numbers.random
        id_ = f"{numbers.getrandbits(128):032x}" if self.random_ids else f"{self.prefix}{number + 1:06d}"
        register = 1 + int(draw() * self.store.registers)
        basket = self.baskets[int(draw() * len(self.baskets))]
        return _Sale(
            id_,
            _time(_second(self.clock, (number + draw()) / self.of)),
            register,
            self._receipt(register, number),
            _customer(draw()),
            _PAYMENTS[int(draw() * 100)],
            draw() < _VOIDED,
            [int(draw() * _POOL) for _ in range(basket)],
        )

    def _receipt(self, register: int, number: int) -> int:
        """Even registers print fiscal numbers of 19 digits (more than 2^53), the others short ones."""
        short = register * 1_000_000 + (number + 1) % 1_000_000
        return short if register % 2 else self.fiscal + short

    def line(self, sale: _Sale) -> str:
        """The sale as it was first booked."""
        moment = f"{self.day_text}T{sale.time}Z"
        return self.json(sale, moment, moment, map(self.json_at, sale.items), sum(map(self.cents_at, sale.items)))

    def json(self, sale: _Sale, revised_at: str, sold_at: str, items: Sequence[str] | map, cents: int) -> str:
        customer = f'"customer_id":"{sale.customer}",' if sale.customer else ""
        voided = '"voided":true,' if sale.voided else ""
        return (
            f'{{"transaction_id":"{sale.id}","revised_at":"{revised_at}","store_id":"{self.store.id}",'
            f'"sold_at":"{sold_at}","register":{sale.register},"receipt_number":{sale.receipt},{customer}'
            f'"payment_method":"{sale.payment}","currency":"EUR","total":{_money(cents)},{voided}'
            f'"items":[{",".join(map(add, _LINE_NUMBERS, items))}]}}'
        )


def _split(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole parts, in proportion to `weights`; the parts add up to `total`."""
    sums = list(itertools.accumulate(weights))
    ends = [round(total * part / sums[-1]) for part in sums]
    return [end - start for start, end in itertools.pairwise([0, *ends])]


def _money(cents: int) -> str:
    return f"{cents // 100}.{_TWO_DIGITS[cents % 100]}"


def _price(draw: float) -> int:
    """A shelf price in cents that ends in 9: 0.49 to 33.29, half of them below 2.60."""
    cube = draw * draw * draw
    return 49 + int(40 * draw + 250 * cube * cube * cube * cube) * 10


def _item(product: str, price: int, draw: Callable[[], float]) -> _Item:
    quantity = _QUANTITIES[int(draw() * 100)]
    discount = price * quantity * (1 + int(draw() * 3)) // 10 if draw() < 0.12 else 0
    return _Item(product, price, quantity, discount)


def _one_more(item: _Item) -> _Item:
    return item._replace(quantity=item.quantity + 1)


def _customer(draw: float) -> str:
    """A customer, regulars more often; empty for most sales."""
    if draw >= _WITH_CUSTOMER:
        return ""
    return f"c-{1 + int(draw * draw / (_WITH_CUSTOMER * _WITH_CUSTOMER) * _CUSTOMERS):06d}"


@cache
def _baskets() -> list[int]:
    """Numbers of items in proportion to how often they occur: a mean near 10, and a long tail."""
    weights = [1.0]
    for size in range(2, _MOST_ITEMS + 1):
        weights.append(weights[-1] * 0.82 * size / (size - 1))
    counts = _split(1024, weights[:-1])
    return [size for size, count in enumerate([*counts[:-1], counts[-1] + 1], start=1) for _ in range(count)]


def _clock(day: date) -> list[float]:
    return _clock_of("weekend" if day.weekday() >= 5 else "weekday")


@cache
def _clock_of(kind: str) -> list[float]:
    """The second of the day by which each 2048th of the day's sales is made."""
    opens, shares = _HOURS[kind]
    steps = _split(_CLOCK_STEPS, [float(share) for share in shares])
    hours = [opens + hour + step / count for hour, count in enumerate(steps) for step in range(count)]
    return [hour * 3600 for hour in [*hours, opens + len(shares)]]


def _second(clock: list[float], part: float) -> int:
    """The second of the day by which `part` (0 to 1) of the sales is made; never falls as `part` rises."""
    place = part * _CLOCK_STEPS
    step = min(int(place), _CLOCK_STEPS - 1)
    return int(clock[step] + (clock[step + 1] - clock[step]) * (place - step))


def _time(second: int) -> str:
    return f"{_TWO_DIGITS[second // 3600]}:{_TWO_DIGITS[second // 60 % 60]}:{_TWO_DIGITS[second % 60]}"


def _at(day: date, second: int) -> datetime:
    """A moment in UTC, without a zone."""
    return datetime(day.year, day.month, day.day) + timedelta(seconds=second)


def _days_later(numbers: Random) -> int:
    return 1 + int(numbers.random() * _MOST_DAYS_LATER)


def _uuid7(numbers: Random, moment: datetime) -> str:
    """A key in the shape of RFC 9562's version 7: `moment` in milliseconds, then drawn bits."""
    millis = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1) + numbers.getrandbits(9)
    time = f"{millis:012x}"
    tail = f"{8 + numbers.getrandbits(2):x}{numbers.getrandbits(12):03x}-{numbers.getrandbits(48):012x}"
    return f"{time[:8]}-{time[8:]}-7{numbers.getrandbits(12):03x}-{tail}"


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
