"""The list of stores, as head office exports it: one CSV, on the first day."""

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta

from headgate.generate.numbers import at, idempotency_key
from headgate.generate.retailer import CITIES, Retailer, Store
from headgate.generate.ticket import Ticket

_STREETS = ("Marktplatz", "Bahnhofstraße", "Rue de l'Église", "Calle Mayor", "Kerkstraat", "Hauptstraße")


class Stores:
    """The stores of a retailer, in one upload."""

    def __init__(self, retailer: Retailer) -> None:
        self.retailer, self.spec = retailer, retailer.spec

    def feed(self) -> Iterator[tuple[date, list[Ticket]]]:
        """The one ticket, on the first day."""
        day = self.spec.first_day
        sent_at = at(day, 6 * 3600)
        numbers = self.retailer.numbers_for("key", "stores")
        key = idempotency_key(numbers, self.spec.keys, sent_at, f"{day}-stores")
        stores = self.retailer.stores
        yield day, [Ticket("stores", stores[0].id, key, day, sent_at, "batch", len(stores), self._body)]

    def _body(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("store_id", "name", "address", "city", "opened_on", "closed_on"))
        writer.writerows(self._row(store) for store in self.retailer.stores)
        return text.getvalue().encode()

    def _row(self, store: Store) -> tuple[str, ...]:
        """The first store's address holds a line break; the last of four or more will close."""
        draw = self.retailer.numbers_for("address", store.number).random
        city = CITIES[int(draw() * len(CITIES))]
        street = f"{_STREETS[int(draw() * len(_STREETS))]} {1 + int(draw() * 120)}"
        address = f"Halle 2, Eingang West\n{street}" if store.number == 1 else street
        opened = self.spec.first_day - timedelta(days=200 + int(draw() * 6000))
        closes = self.spec.first_day + timedelta(days=self.spec.days + 30)
        closed = str(closes) if store.number == self.spec.stores >= 4 else ""
        return store.id, f'Markt "{city}" {store.number}', address, city, str(opened), closed
