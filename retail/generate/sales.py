"""The sales of one store on one day, made by number and written as JSON, and the damages of a line."""

import re
from collections.abc import Sequence
from datetime import date
from functools import cache
from operator import add
from random import Random
from typing import NamedTuple

from headgate.generate.numbers import money, split, time_text
from retail.generate.retailer import POOL, Item, Retailer, Store, customer_id
from retail.generate.spec import MAX_CUSTOMERS

_MAX_ITEMS = 80
_WITH_CUSTOMER = 0.42  # share of sales
_VOIDED = 0.004  # share of sales
_PAYMENTS = ("card",) * 58 + ("cash",) * 27 + ("mobile",) * 11 + ("gift_card",) * 3 + ("voucher",)
_HOURS = {  # the first business hour, and the share of the sales in each hour
    "weekday": (8, (3, 4, 5, 6, 9, 8, 6, 5, 7, 10, 12, 10, 5)),
    "weekend": (9, (4, 8, 11, 12, 11, 10, 11, 11, 10, 7)),
}
_CLOCK_STEPS = 2048

_LINE_NUMBERS = tuple(f'{{"line":{n},' for n in range(1, _MAX_ITEMS + 1))


class Sale(NamedTuple):
    """One transaction; `items` are positions in the retailer's pool of items."""

    id: str
    time: str
    register: int
    receipt: int
    customer: str
    payment: str
    voided: bool
    items: list[int]


class SalesDay:
    """The `total` sales of a store on a day, numbered in the order of their time."""

    def __init__(self, retailer: Retailer, store: Store, day: date, total: int) -> None:
        self.store, self.day, self.total = store, day, total
        self.clock = clock_of(day)
        self.baskets = _baskets()
        self.json_at, self.cents_at = retailer.pool_json.__getitem__, retailer.pool_cents.__getitem__
        self.random_ids = retailer.spec.random_ids
        self.day_text = str(day)
        self.prefix = f"{day:%Y%m%d}-{store.id}-"
        self.fiscal = int(f"{day:%Y%m%d}{store.number % 1000:03d}") * 10**8

    def sale(self, number: int, numbers: Random) -> Sale:
        """Returns a sale by its number from 0. Its time is inside its own part of the day, so no sort is needed."""
        draw = numbers.random
        id_ = f"{numbers.getrandbits(128):032x}" if self.random_ids else f"{self.prefix}{number + 1:06d}"
        register = 1 + int(draw() * self.store.registers)
        basket = self.baskets[int(draw() * len(self.baskets))]
        return Sale(
            id_,
            time_text(second_of(self.clock, (number + draw()) / self.total)),
            register,
            self._receipt(register, number),
            _customer(draw()),
            _PAYMENTS[int(draw() * 100)],
            draw() < _VOIDED,
            [int(draw() * POOL) for _ in range(basket)],
        )

    def _receipt(self, register: int, number: int) -> int:
        """Even registers print fiscal numbers of 19 digits (more than 2^53), the others short numbers."""
        short = register * 1_000_000 + (number + 1) % 1_000_000
        return short if register % 2 else self.fiscal + short

    def line(self, sale: Sale) -> str:
        """Returns the sale as JSON, as it was first booked."""
        timestamp = f"{self.day_text}T{sale.time}Z"
        return self.json(sale, timestamp, timestamp, map(self.json_at, sale.items), sum(map(self.cents_at, sale.items)))

    def json(self, sale: Sale, revised_at: str, sold_at: str, items: Sequence[str] | map, cents: int) -> str:
        """Returns a version of the sale as JSON; `items` are the rests of its items' JSON objects."""
        customer = f'"customer_id":"{sale.customer}",' if sale.customer else ""
        voided = '"voided":true,' if sale.voided else ""
        return (
            f'{{"transaction_id":"{sale.id}","revised_at":"{revised_at}","store_id":"{self.store.id}",'
            f'"sold_at":"{sold_at}","register":{sale.register},"receipt_number":{sale.receipt},{customer}'
            f'"payment_method":"{sale.payment}","currency":"EUR","total":{money(cents)},{voided}'
            f'"items":[{",".join(map(add, _LINE_NUMBERS, items))}]}}'
        )


def one_more(item: Item) -> Item:
    """Returns the item with a quantity that is higher by one."""
    return item._replace(quantity=item.quantity + 1)


def _customer(draw: float) -> str:
    """A customer, regular customers more often; empty for most sales."""
    if draw >= _WITH_CUSTOMER:
        return ""
    return customer_id(1 + int(draw * draw / (_WITH_CUSTOMER * _WITH_CUSTOMER) * MAX_CUSTOMERS))


@cache
def _baskets() -> list[int]:
    """Basket sizes, each as often as it occurs: a mean near 10 items, and a long tail."""
    weights = [1.0]
    for size in range(2, _MAX_ITEMS + 1):
        weights.append(weights[-1] * 0.82 * size / (size - 1))
    counts = split(1024, weights[:-1])
    return [size for size, count in enumerate([*counts[:-1], counts[-1] + 1], start=1) for _ in range(count)]


def clock_of(day: date) -> list[float]:
    """Returns the second of the day by which each 2048th part of the day's sales is made."""
    return _clock("weekend" if day.weekday() >= 5 else "weekday")


@cache
def _clock(kind: str) -> list[float]:
    opens, shares = _HOURS[kind]
    steps = split(_CLOCK_STEPS, [float(share) for share in shares])
    hours = [opens + hour + step / count for hour, count in enumerate(steps) for step in range(count)]
    return [hour * 3600 for hour in [*hours, opens + len(shares)]]


def second_of(clock: list[float], share: float) -> int:
    """Returns the second of the day by which a share (0 to 1) of the sales is made; it rises with the share."""
    position = share * _CLOCK_STEPS
    step = min(int(position), _CLOCK_STEPS - 1)
    return int(clock[step] + (clock[step + 1] - clock[step]) * (position - step))


# A pattern and its replacement: text in a number, a missing required field, too many decimals, a null key, and a word
# in Latin-1.
_DAMAGES = (
    (re.compile(r'"register":\d+'), '"register":"three"'),
    (re.compile(r'"sold_at":"[^"]*",'), ""),
    (re.compile(r'("total":\d+\.\d\d)'), r"\g<1>37"),
    (re.compile(r'"transaction_id":"[^"]*"'), '"transaction_id":null'),
    (re.compile(r'"payment_method":"\w+"'), '"payment_method":"ch\udce8que"'),
)


def damaged(line: str, draw: float) -> str:
    """Returns the line with one of six damages, each of which makes the contract reject it."""
    choice = int(draw * (len(_DAMAGES) + 1))
    if choice == len(_DAMAGES):
        return line[: len(line) * 2 // 3]
    pattern, replacement = _DAMAGES[choice]
    return pattern.sub(replacement, line, count=1)
