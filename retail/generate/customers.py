"""Members of the loyalty programme: JSON arrays of versions. Some members leave and come back."""

from datetime import datetime
from random import Random

from headgate.generate.writers import Record
from retail.generate.retailer import CITIES, customer_id
from retail.generate.versions import Versions

_FIRST = ("Anna", "Björn", "Céline", "Dörte", "Emre", "Fatma", "Grażyna", "Héctor", "Inès", "Jürgen", "Katja", "Luís")
_LAST = ("Müller", "Schmidt", "Dąbrowski", "Lefèvre", "García", "de Vries", "O'Brien", "Yılmaz", "Weiß", "Janssens")
_TIERS = ("basic",) * 6 + ("silver",) * 3 + ("gold",)


class Customers(Versions):
    """The customers of a retailer, one record per version."""

    dataset = "customers"
    columns = ("customer_id", "updated_at", "name", "email", "phone", "city", "tier", "marketing_consent", "deleted")
    damages = (
        {"updated_at": "yesterday"}, {"customer_id": None}, {"marketing_consent": "perhaps"}, {"updated_at": None},
        {"nickname": "Bo"},
    )  # fmt: skip
    late_arrivals = 0.08
    never_sent = 0.02

    @property
    def count(self) -> int:
        return self.spec.customers

    def first(self, number: int, updated_at: str) -> Record:
        draw = self.random_for("one", number).random
        name = f"{_FIRST[int(draw() * len(_FIRST))]} {_LAST[int(draw() * len(_LAST))]}"
        return {
            "customer_id": customer_id(number + 1),
            "updated_at": updated_at,
            "name": name,
            "email": f"member.{number + 1}@example.org" if draw() < 0.9 else None,
            "phone": _phone(draw()) if draw() < 0.6 else None,
            "city": CITIES[int(draw() * len(CITIES))],
            "tier": _TIERS[int(draw() * len(_TIERS))],
            "marketing_consent": draw() < 0.5,
        }

    def changed(self, number: int, row: Record, numbers: Random) -> Record:
        """Returns a version with another tier, city, phone or consent; an equal version; or a deletion.

        A deleted customer comes back with the content of the first version.
        """
        change, draw = numbers.random(), numbers.random()
        if row.get("deleted"):
            return self.first(number, row["updated_at"])
        if change < 0.3:
            return row | {"tier": _TIERS[int(draw * len(_TIERS))]}
        if change < 0.5:
            return row | {"city": CITIES[int(draw * len(CITIES))]}
        if change < 0.6:
            return row | {"phone": _phone(draw)}
        if change < 0.75:
            return row | {"marketing_consent": not row["marketing_consent"]}
        if change < 0.85:
            return row
        return {"customer_id": row["customer_id"], "updated_at": row["updated_at"], "deleted": True}

    def corrected(self, row: Record, numbers: Random, sent_at: datetime) -> Record:
        """Returns the same version with another city."""
        others = [city for city in CITIES if city != row.get("city")]
        return row | {"city": others[int(numbers.random() * len(others))]}


def _phone(draw: float) -> str:
    """A phone number from a range that is reserved for fiction."""
    return f"+493023125{int(draw * 1000):03d}"
