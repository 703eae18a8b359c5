"""The assortment: CSV files of versions, with new prices and discontinued products."""

from datetime import datetime
from decimal import Decimal
from random import Random

from headgate.generate.writers import Record
from retail.generate.export import amount
from retail.generate.retailer import product_id
from retail.generate.versions import Versions

_NOUNS = {
    "bakery": ("Rye Bread", "Croissant", "Baguette", "Pretzel"),
    "dairy": ("Milk", "Butter", "Yoghurt", "Gouda"),
    "produce": ("Apples", "Tomatoes", "Leek", "Bananas"),
    "drinks": ("Mineral Water", "Orange Juice", "Lager", "Coffee"),
    "household": ("Washing Powder", "Sponges", "Candles", "Bin Bags"),
    "pantry": ("Rice", "Spaghetti", "Lentils", 'Crème brûlée, "ready"'),
}
_CATEGORIES = tuple(_NOUNS)
_BRANDS = ("Hofgut", "Alba", "Nordlicht", "Bonté", "Eigenmarke", "")
_SIZES = ("small", "family size", "500 g", "1 kg")


class Products(Versions):
    """The products of a retailer, one record per version."""

    dataset = "products"
    columns = ("product_id", "updated_at", "name", "category", "brand", "list_price", "discontinued")
    damages = (
        {"updated_at": "yesterday"}, {"product_id": None}, {"list_price": "1,50"}, {"list_price": "1.505"},
        {"discontinued": "perhaps"}, {"name": "Kr\udce4uter"}, {"": "one too many"},
    )  # fmt: skip
    late_arrivals = 0.02
    never_sent = 0.01

    @property
    def count(self) -> int:
        return self.spec.products

    def first(self, number: int, updated_at: str) -> Record:
        draw = self.random_for("one", number).random
        category = _CATEGORIES[int(draw() * len(_CATEGORIES))]
        brand = _BRANDS[int(draw() * len(_BRANDS))]
        nouns = _NOUNS[category]
        noun, size = nouns[int(draw() * len(nouns))], _SIZES[int(draw() * len(_SIZES))]
        product = product_id(number)
        return {
            "product_id": product,
            "updated_at": updated_at,
            "name": f"{brand} {noun}, {size}".strip(),
            "category": category,
            "brand": brand,
            "list_price": amount(self.retailer.prices[product]),
            "discontinued": draw() < 0.03,
        }

    def changed(self, number: int, row: Record, numbers: Random) -> Record:
        """Returns a version with another price, category or brand; discontinued or not; or an equal version."""
        change, draw = numbers.random(), numbers.random()
        if change < 0.5:
            return row | {"list_price": _raised(row["list_price"], draw)}
        if change < 0.65:
            return row | {"category": _CATEGORIES[int(draw * len(_CATEGORIES))]}
        if change < 0.75:
            return row | {"brand": _BRANDS[int(draw * len(_BRANDS))]}
        if change < 0.9:
            return row | {"discontinued": not row["discontinued"]}
        return row

    def corrected(self, row: Record, numbers: Random, sent_at: datetime) -> Record:
        """Returns the same version with a higher price."""
        return row | {"list_price": _raised(row["list_price"], numbers.random())}


def _raised(price: Decimal, draw: float) -> Decimal:
    return amount(int(price.scaleb(2)) + 10 * (1 + int(draw * 9)))
