"""What all datasets share: the stores, the products as they are sold, and the customers."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import cached_property
from random import Random
from typing import NamedTuple

from headgate.generate import numbers
from headgate.generate.numbers import money, split
from retail.generate.spec import MAX_CUSTOMERS, MAX_PRODUCTS, Spec

POOL = 16384  # items to draw sales from
CITIES = ("Aachen", "Bonn", "Düsseldorf", "Köln", "Münster", "Lyon", "Málaga", "Gent", "Utrecht", "Łódź")
_QUANTITIES = (1,) * 75 + (2,) * 15 + (3,) * 5 + (4,) * 2 + (6, 8, 12)


class Store(NamedTuple):
    """A store; `weight` is its size relative to the average."""

    id: str
    number: int
    weight: float
    registers: int


class Item(NamedTuple):
    """A product as it is sold. Amounts are in cents; the discount is for the whole line."""

    product: str
    price: int
    quantity: int
    discount: int

    @property
    def cents(self) -> int:
        return self.price * self.quantity - self.discount

    @property
    def json(self) -> str:
        """The rest of the item's JSON object, after its line number."""
        discount = f',"discount":{money(self.discount)}' if self.discount else ""
        sold = f'"quantity":{self.quantity},"unit_price":{money(self.price)}'
        return f'"product_id":"{self.product}",{sold}{discount}}}'


class Retailer:
    """The stores, business days and products of a Spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.stores = [self._store(number) for number in range(1, spec.stores + 1)]

    def random_for(self, *purpose: object) -> Random:
        """Returns a generator for one purpose; the same purpose gives the same numbers."""
        return numbers.random_for(self.spec.seed, *purpose)

    def day(self, number: int) -> date:
        """Returns a business day by its number from 0; numbers outside the Spec's days are possible."""
        return self.spec.first_day + timedelta(days=number)

    def _store(self, number: int) -> Store:
        weight = 0.5 + 1.2 * self.random_for("store", number).random()
        return Store(f"store-{number}", number, weight, 2 + int(weight * 4))

    @cached_property
    def pool(self) -> list[Item]:
        """Items as often as they are sold: close to a Zipf distribution over products, each with a fixed price."""
        draw = self.random_for("products").random
        places = split(POOL, [1 / (rank + 20) for rank in range(MAX_PRODUCTS)])
        prices = [_price(draw()) for _ in range(MAX_PRODUCTS)]
        return [
            _item(product_id(rank), prices[rank], draw) for rank in range(MAX_PRODUCTS) for _ in range(places[rank])
        ]

    @cached_property
    def pool_json(self) -> list[str]:
        return [item.json for item in self.pool]

    @cached_property
    def pool_cents(self) -> list[int]:
        return [item.cents for item in self.pool]

    @cached_property
    def prices(self) -> dict[str, int]:
        """Product -> its price in cents."""
        return {item.product: item.price for item in self.pool}


def product_id(rank: int) -> str:
    """Returns the product of a rank in sales from 0. Ids are in another order than ranks."""
    return f"sku-{10_000_000 + rank * 7919 % MAX_PRODUCTS * 137}"


def customer_id(number: int) -> str:
    """Returns the customer of a number from 1; low numbers buy most."""
    return f"c-{number:06d}"


def some_customer(share: float) -> str:
    """Returns a customer for a random share from 0 to 1; regular customers are more likely."""
    return customer_id(1 + int(share * share * MAX_CUSTOMERS))


def _price(draw: float) -> int:
    """A shelf price in cents that ends in 9: from 0.49 to 33.29, half of the prices below 2.60."""
    cube = draw * draw * draw
    return 49 + int(40 * draw + 250 * cube * cube * cube * cube) * 10


def _item(product: str, price: int, draw: Callable[[], float]) -> Item:
    quantity = _QUANTITIES[int(draw() * 100)]
    discount = price * quantity * (1 + int(draw() * 3)) // 10 if draw() < 0.12 else 0
    return Item(product, price, quantity, discount)
