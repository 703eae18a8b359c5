"""Delivery orders: one CSV per store and day with the orders placed, shipped and cancelled; a row per order line."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from random import Random
from typing import NamedTuple

from headgate.generate.numbers import at
from headgate.generate.writers import Record
from retail.generate.export import Export, RowBatch, amount, timestamp
from retail.generate.retailer import POOL, Item, Store, some_customer
from retail.generate.transactions import Transactions

_TRANSACTIONS_PER_ORDER = 20
_MAX_LINES = 5
_STEPS = 3  # an order is revised on each of the two days after it was placed
_GUESTS = 0.1  # share of orders without a customer


class Order(NamedTuple):
    """An order as it was placed; `steps` are its states on that day and on the days after it."""

    id: str
    second: int
    customer: str | None
    items: list[Item]
    steps: tuple[str, ...]
    short: bool  # its last line is not shipped


class Orders(Export):
    """The orders of a retailer's web shop, by the store that delivers them."""

    dataset = "orders"
    columns = (
        "order_id",
        "line",
        "revised_at",
        "ordered_at",
        "customer_id",
        "store_id",
        "product_id",
        "quantity",
        "unit_price",
        "status",
    )
    damages = (
        {"quantity": "two"},
        {"order_id": None},
        {"unit_price": "1.505"},
        {"ordered_at": "yesterday"},
        {"status": None},
        {"product_id": "sku-\udce4"},
        {"": "one too many"},
    )

    @property
    def days(self) -> int:
        return self.spec.days + _STEPS - 1

    @property
    def batch_count(self) -> int:
        return self.spec.days * self.spec.stores

    def batches(self, number: int) -> Iterator[RowBatch]:
        day = self.retailer.day(number)
        for store in self.retailer.stores:
            rows = [row for step in range(_STEPS) for row in self._rows(store, number - step, step)]
            index = number * self.spec.stores + store.number - 1
            yield RowBatch(store.id, day, index, at(day, 23 * 3600 + 1800), rows)

    def corrected(self, row: Record, numbers: Random, sent_at: datetime) -> Record:
        """Returns the same line with another quantity."""
        return row | {"quantity": row["quantity"] + 1}

    def _rows(self, store: Store, number: int, step: int) -> Iterator[Record]:
        """Yields the lines of the orders placed on a day (numbered from 0), as they are `step` days later."""
        for order in self._placed(store, number) if 0 <= number < self.spec.days else ():
            if step < len(order.steps):
                yield from self._lines(store, number, order, step)

    def _lines(self, store: Store, number: int, order: Order, step: int) -> Iterator[Record]:
        items = order.items[:-1] if step and order.short else order.items
        for line, item in enumerate(items, start=1):
            yield {
                "order_id": order.id,
                "line": line,
                "revised_at": timestamp(self.retailer.day(number + step), order.second),
                "ordered_at": timestamp(self.retailer.day(number), order.second),
                "customer_id": order.customer,
                "store_id": store.id,
                "product_id": item.product,
                "quantity": item.quantity,
                "unit_price": amount(item.price),
                "status": order.steps[step],
            }

    def _placed(self, store: Store, number: int) -> list[Order]:
        day = self.retailer.day(number)
        draw = self.random_for("placed", store.id, day).random
        orders = []
        for place in range(1, self._per_day + 1):
            items = [self.retailer.pool[int(draw() * POOL)] for _ in range(1 + int(draw() * _MAX_LINES))]
            orders.append(
                Order(
                    id=f"o-{day:%Y%m%d}-{store.id}-{place:04d}",
                    second=int(draw() * 23 * 3600),
                    customer=some_customer(draw()) if draw() >= _GUESTS else None,
                    items=items,
                    steps=_steps(draw()),
                    short=len(items) > 1 and draw() < 0.2,
                )
            )
        return orders

    @cached_property
    def _per_day(self) -> int:
        return max(1, Transactions(self.retailer).per_store_and_day // _TRANSACTIONS_PER_ORDER)


def _steps(draw: float) -> tuple[str, ...]:
    if draw < 0.7:
        return "placed", "shipped"
    if draw < 0.8:
        return "placed", "cancelled"
    return ("placed", "shipped", "cancelled") if draw < 0.9 else ("placed",)
