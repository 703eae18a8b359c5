"""The list of stores, as head office exports it: one CSV, on the first day."""

from collections.abc import Iterator
from datetime import date, timedelta

from headgate.generate.numbers import at, idempotency_key
from headgate.generate.planned import PlannedUpload
from headgate.generate.writers import Record, csv_text
from retail.generate.retailer import CITIES, Retailer, Store
from retail.generate.spec import FORMATS

_COLUMNS = ("store_id", "name", "address", "city", "opened_on", "closed_on")
_STREETS = ("Marktplatz", "Bahnhofstraße", "Rue de l'Église", "Calle Mayor", "Kerkstraat", "Hauptstraße")


class Stores:
    """The stores of a retailer, in one upload."""

    def __init__(self, retailer: Retailer) -> None:
        self.retailer, self.spec = retailer, retailer.spec

    def feed(self) -> Iterator[tuple[date, list[PlannedUpload]]]:
        """Yields the only upload, on the first day."""
        day = self.spec.first_day
        sent_at = at(day, 6 * 3600)
        numbers = self.retailer.random_for("key", "stores")
        media_type, suffix = FORMATS["stores"]
        upload = PlannedUpload(
            dataset="stores",
            store=self.retailer.stores[0].id,
            key=idempotency_key(numbers, self.spec.keys, sent_at, f"{day}-stores"),
            day=day,
            sent_at=sent_at,
            kind="batch",
            rows=len(self.retailer.stores),
            body=self._body,
            media_type=media_type,
            suffix=suffix,
        )
        yield day, [upload]

    def _body(self) -> bytes:
        return csv_text(_COLUMNS, [self._row(store) for store in self.retailer.stores]).encode()

    def _row(self, store: Store) -> Record:
        """The first store's address has a line break; the last of four or more stores will close."""
        draw = self.retailer.random_for("address", store.number).random
        city = CITIES[int(draw() * len(CITIES))]
        street = f"{_STREETS[int(draw() * len(_STREETS))]} {1 + int(draw() * 120)}"
        opened = self.spec.first_day - timedelta(days=200 + int(draw() * 6000))
        closes = self.spec.first_day + timedelta(days=self.spec.days + 30)
        return {
            "store_id": store.id,
            "name": f'Markt "{city}" {store.number}',
            "address": f"Halle 2, Eingang West\n{street}" if store.number == 1 else street,
            "city": city,
            "opened_on": opened,
            "closed_on": closes if store.number == self.spec.stores >= 4 else None,
        }
