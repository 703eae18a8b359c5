"""Returned goods: JSON lines per store and day. Each record returns a line of a sale of an earlier day."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from random import Random

from headgate.generate.numbers import at
from headgate.generate.writers import Record
from retail.generate.export import Export, RowBatch, amount, timestamp
from retail.generate.retailer import Item, Store
from retail.generate.transactions import Sale, Transactions

_TRANSACTIONS_PER_RETURN = 50
_MAX_DAYS = 4  # from sale to return
_REASONS = ("changed_mind", "damaged", "wrong_size", "expired")
_MOVED = 0.3  # share of corrections that move a return to the next day


class Returns(Export):
    """The returns of a retailer, by the store that sold the goods."""

    dataset = "returns"
    columns = (
        "return_id", "revised_at", "returned_at", "transaction_id", "line", "product_id", "store_id", "customer_id",
        "quantity", "amount", "currency", "reason",
    )  # fmt: skip
    damages = (
        {"amount": Decimal("12.345")}, {"return_id": None}, {"line": "first"}, {"returned_at": None},
        {"returned_at": "yesterday"}, {"note": "see receipt"},
    )  # fmt: skip

    @property
    def days(self) -> int:
        return self.spec.days + 1

    @property
    def batch_count(self) -> int:
        return self.spec.days * self.spec.stores

    def batches(self, number: int) -> Iterator[RowBatch]:
        day = self.retailer.day(number)
        for store in self.retailer.stores if number else ():
            index = (number - 1) * self.spec.stores + store.number - 1
            yield RowBatch(store.id, day, index, at(day, 22 * 3600), list(self._rows(store, number)))

    def corrected(self, row: Record, numbers: Random, sent_at: datetime) -> Record:
        """Returns the record with a lower amount or on the next day; revised in the hour before it is sent."""
        revised_at = timestamp(sent_at.date(), 22 * 3600 + int(numbers.random() * 3600))
        if numbers.random() < _MOVED:
            returned_at = datetime.fromisoformat(row["returned_at"]) + timedelta(days=1)
            return row | {"revised_at": revised_at, "returned_at": f"{returned_at:%Y-%m-%dT%H:%M:%SZ}"}
        return row | {"revised_at": revised_at, "amount": amount(int(row["amount"].scaleb(2)) * 9 // 10)}

    def _rows(self, store: Store, number: int) -> Iterator[Record]:
        day = self.retailer.day(number)
        numbers = self.random_for("taken", store.id, day)
        draw = numbers.random
        for place, (sale, items) in enumerate(self._chosen(store, number, numbers), start=1):
            line = int(draw() * len(items))
            returned_at = timestamp(day, 9 * 3600 + int(draw() * 11 * 3600))
            yield {
                "return_id": f"r-{day:%Y%m%d}-{store.id}-{place:04d}",
                "revised_at": returned_at,
                "returned_at": returned_at,
                "transaction_id": sale.id,
                "line": line + 1,
                "product_id": items[line].product,
                "store_id": store.id,
                "customer_id": sale.customer or None,
                **_returned_part(items[line], draw()),
                "currency": "EUR",
                "reason": _REASONS[int(draw() * len(_REASONS))] if draw() < 0.8 else None,
            }

    def _chosen(self, store: Store, number: int, numbers: Random) -> list[tuple[Sale, list[Item]]]:
        """Sales of one batch of an earlier day. A sale can be chosen on only one of the days after it."""
        sold_on = number - 1 - int(numbers.random() * min(number, _MAX_DAYS))
        batches = self._transactions.batches_of(store, sold_on)
        if not batches:
            return []
        sold = list(self._transactions.sold(batches[int(numbers.random() * len(batches))]))
        chosen = sorted(sold[number % _MAX_DAYS :: _MAX_DAYS], key=lambda _: numbers.random())
        return chosen[: max(1, self._transactions.per_store_and_day // _TRANSACTIONS_PER_RETURN)]

    @cached_property
    def _transactions(self) -> Transactions:
        return Transactions(self.retailer)


def _returned_part(item: Item, draw: float) -> Record:
    """The returned quantity of an item, and its share of the price paid."""
    quantity = 1 + int(draw * item.quantity)
    return {"quantity": quantity, "amount": amount(item.cents * quantity // item.quantity)}
