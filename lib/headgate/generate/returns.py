"""What customers bring back: JSON lines a store and day, each a line of a sale of one of the days before."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from random import Random

from headgate.generate.export import Amount, Export, Row, RowBatch, moment
from headgate.generate.numbers import at
from headgate.generate.retailer import Item, Store
from headgate.generate.transactions import Sale, Transactions

_EACH_OF = 50  # one return for so many transactions
_MOST_DAYS = 4  # after the sale
_REASONS = ("changed_mind", "damaged", "wrong_size", "expired")
_MOVED = 0.3


class Returns(Export):
    """The returns of a retailer, by the store that sold."""

    dataset = "returns"
    columns = (
        "return_id",
        "revised_at",
        "returned_at",
        "transaction_id",
        "line",
        "product_id",
        "store_id",
        "customer_id",
        "quantity",
        "amount",
        "currency",
        "reason",
    )
    damages = (
        {"amount": Amount("12.345")},
        {"return_id": None},
        {"line": "first"},
        {"returned_at": None},
        {"returned_at": "yesterday"},
        {"note": "see receipt"},
    )

    @property
    def days(self) -> int:
        return self.spec.days + 1

    @property
    def places(self) -> int:
        return self.spec.days * self.spec.stores

    def batches(self, number: int) -> Iterator[RowBatch]:
        day = self.retailer.day(number)
        for store in self.retailer.stores if number else ():
            place = (number - 1) * self.spec.stores + store.number - 1
            yield RowBatch(store.id, day, place, at(day, 22 * 3600), list(self._rows(store, number)))

    def corrected(self, row: Row, numbers: Random, sent_at: datetime) -> Row:
        """A lower amount, or the day after; revised in the hour before it is sent."""
        revised_at = moment(sent_at.date(), 22 * 3600 + int(numbers.random() * 3600))
        if numbers.random() < _MOVED:
            returned_at = datetime.fromisoformat(row["returned_at"]) + timedelta(days=1)
            return row | {"revised_at": revised_at, "returned_at": f"{returned_at:%Y-%m-%dT%H:%M:%SZ}"}
        return row | {"revised_at": revised_at, "amount": Amount.of(row["amount"].cents * 9 // 10)}

    def _rows(self, store: Store, number: int) -> Iterator[Row]:
        day = self.retailer.day(number)
        numbers = self.numbers_for("taken", store.id, day)
        draw = numbers.random
        for place, (sale, items) in enumerate(self._chosen(store, number, numbers), start=1):
            line = int(draw() * len(items))
            returned_at = moment(day, 9 * 3600 + int(draw() * 11 * 3600))
            yield {
                "return_id": f"r-{day:%Y%m%d}-{store.id}-{place:04d}",
                "revised_at": returned_at,
                "returned_at": returned_at,
                "transaction_id": sale.id,
                "line": line + 1,
                "product_id": items[line].product,
                "store_id": store.id,
                "customer_id": sale.customer or None,
                **_taken_back(items[line], draw()),
                "currency": "EUR",
                "reason": _REASONS[int(draw() * len(_REASONS))] if draw() < 0.8 else None,
            }

    def _chosen(self, store: Store, number: int, numbers: Random) -> list[tuple[Sale, list[Item]]]:
        """Sales of one batch of a day before. A sale is chosen on one of the days after it only."""
        sold_on = number - 1 - int(numbers.random() * min(number, _MOST_DAYS))
        batches = self._transactions.batches_of(store, sold_on)
        if not batches:
            return []
        sold = list(self._transactions.sold(batches[int(numbers.random() * len(batches))]))
        chosen = sorted(sold[number % _MOST_DAYS :: _MOST_DAYS], key=lambda _: numbers.random())
        return chosen[: max(1, self._transactions.per_store_and_day // _EACH_OF)]

    @cached_property
    def _transactions(self) -> Transactions:
        return Transactions(self.retailer)


def _taken_back(item: Item, draw: float) -> Row:
    """One or more of an item, and their share of what was paid."""
    quantity = 1 + int(draw * item.quantity)
    return {"quantity": quantity, "amount": Amount.of(item.cents * quantity // item.quantity)}
