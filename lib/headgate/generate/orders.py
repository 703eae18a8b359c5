"""Orders for delivery: a CSV a store and day of what was placed, shipped and cancelled, one line per order line."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from random import Random
from typing import NamedTuple

from headgate.generate.export import Amount, Export, Row, RowBatch, moment
from headgate.generate.numbers import at
from headgate.generate.retailer import POOL, Item, Store, some_customer
from headgate.generate.transactions import Transactions

_EACH_OF = 20  # one order for so many transactions
_MOST_LINES = 5
_STEPS = 3  # an order is revised on the two days after it was placed
_GUESTS = 0.1


class Order(NamedTuple):
    """An order as it was placed; `steps` are its states on that day and the next ones."""

    id: str
    second: int
    customer: str | None
    items: list[Item]
    steps: tuple[str, ...]
    short: bool  # the last of its lines is not shipped


class Orders(Export):
    """The orders of a retailer's web shop, by the store that delivers."""

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
    def places(self) -> int:
        return self.spec.days * self.spec.stores

    def batches(self, number: int) -> Iterator[RowBatch]:
        day = self.retailer.day(number)
        for store in self.retailer.stores:
            rows = [row for step in range(_STEPS) for row in self._rows(store, number - step, step)]
            place = number * self.spec.stores + store.number - 1
            yield RowBatch(store.id, day, place, at(day, 23 * 3600 + 1800), rows)

    def corrected(self, row: Row, numbers: Random, sent_at: datetime) -> Row:
        """The same line with the right quantity."""
        return row | {"quantity": row["quantity"] + 1}

    def _rows(self, store: Store, number: int, step: int) -> Iterator[Row]:
        """The lines of the orders placed on the day of that number, as of so many days later."""
        for order in self._placed(store, number) if 0 <= number < self.spec.days else ():
            if step < len(order.steps):
                yield from self._lines(store, number, order, step)

    def _lines(self, store: Store, number: int, order: Order, step: int) -> Iterator[Row]:
        items = order.items[:-1] if step and order.short else order.items
        for line, item in enumerate(items, start=1):
            yield {
                "order_id": order.id,
                "line": line,
                "revised_at": moment(self.retailer.day(number + step), order.second),
                "ordered_at": moment(self.retailer.day(number), order.second),
                "customer_id": order.customer,
                "store_id": store.id,
                "product_id": item.product,
                "quantity": item.quantity,
                "unit_price": Amount.of(item.price),
                "status": order.steps[step],
            }

    def _placed(self, store: Store, number: int) -> list[Order]:
        day = self.retailer.day(number)
        draw = self.numbers_for("placed", store.id, day).random
        orders = []
        for place in range(1, self._a_day + 1):
            items = [self.retailer.pool[int(draw() * POOL)] for _ in range(1 + int(draw() * _MOST_LINES))]
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
    def _a_day(self) -> int:
        return max(1, Transactions(self.retailer).per_store_and_day // _EACH_OF)


def _steps(draw: float) -> tuple[str, ...]:
    if draw < 0.7:
        return "placed", "shipped"
    if draw < 0.8:
        return "placed", "cancelled"
    return ("placed", "shipped", "cancelled") if draw < 0.9 else ("placed",)
