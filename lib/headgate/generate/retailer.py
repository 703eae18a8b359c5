"""What all datasets share: the stores, the products as they are sold, and who buys."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import cached_property
from random import Random
from typing import NamedTuple

from headgate.generate import numbers
from headgate.generate.numbers import money, split
from headgate.generate.spec import MOST_CUSTOMERS, MOST_PRODUCTS, Spec

POOL = 16384
CITIES = ("Aachen", "Bonn", "Düsseldorf", "Köln", "Münster", "Lyon", "Málaga", "Gent", "Utrecht", "Łódź")
_QUANTITIES = (1,) * 75 + (2,) * 15 + (3,) * 5 + (4,) * 2 + (6, 8, 12)


class Store(NamedTuple):
    id: str
    number: int
    weight: float
    registers: int


class Item(NamedTuple):
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
        discount = f',"discount":{money(self.discount)}' if self.discount else ""
        sold = f'"quantity":{self.quantity},"unit_price":{money(self.price)}'
        return f'"product_id":"{self.product}",{sold}{discount}}}'


class Retailer:
    """A Spec's stores, days and products."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.stores = [self._store(number) for number in range(1, spec.stores + 1)]

    def numbers_for(self, *purpose: object) -> Random:
        """A generator for one purpose: the same purpose gives the same numbers."""
        return numbers.numbers_for(self.spec.seed, *purpose)

    def day(self, number: int) -> date:
        """The business day of that number, from 0; those before and after the Spec's days too."""
        return self.spec.first_day + timedelta(days=number)

    def _store(self, number: int) -> Store:
        weight = 0.5 + 1.2 * self.numbers_for("store", number).random()
        return Store(f"store-{number}", number, weight, 2 + int(weight * 4))

    @cached_property
    def pool(self) -> list[Item]:
        """Items in proportion to how often they are sold: near Zipf over products, each at its one price."""
        draw = self.numbers_for("products").random
        places = split(POOL, [1 / (rank + 20) for rank in range(MOST_PRODUCTS)])
        prices = [_price(draw()) for _ in range(MOST_PRODUCTS)]
        return [
            _item(product_id(rank), prices[rank], draw) for rank in range(MOST_PRODUCTS) for _ in range(places[rank])
        ]

    @cached_property
    def pool_json(self) -> list[str]:
        return [item.json for item in self.pool]

    @cached_property
    def pool_cents(self) -> list[int]:
        return [item.cents for item in self.pool]

    @cached_property
    def prices(self) -> dict[str, int]:
        """Each product's price in cents."""
        return {item.product: item.price for item in self.pool}


def product_id(rank: int) -> str:
    """The product of a rank in sales, from 0: neither the best sellers nor the rest are the first ids."""
    return f"sku-{10_000_000 + rank * 7919 % MOST_PRODUCTS * 137}"


def customer_id(number: int) -> str:
    """The customer of a number from 1: those of low numbers buy most."""
    return f"c-{number:06d}"


def some_customer(share: float) -> str:
    """The customer at a share (0 to 1) of all purchases by customers: regulars more often."""
    return customer_id(1 + int(share * share * MOST_CUSTOMERS))


def _price(draw: float) -> int:
    """A shelf price in cents that ends in 9: 0.49 to 33.29, half of them below 2.60."""
    cube = draw * draw * draw
    return 49 + int(40 * draw + 250 * cube * cube * cube * cube) * 10


def _item(product: str, price: int, draw: Callable[[], float]) -> Item:
    quantity = _QUANTITIES[int(draw() * 100)]
    discount = price * quantity * (1 + int(draw() * 3)) // 10 if draw() < 0.12 else 0
    return Item(product, price, quantity, discount)
