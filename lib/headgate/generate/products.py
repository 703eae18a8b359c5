"""The assortment: a CSV of versions, with new prices and products that are no longer ordered."""

from datetime import datetime
from random import Random

from headgate.generate.export import Amount, Row
from headgate.generate.retailer import product_id
from headgate.generate.versions import Versions

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
    """The products of a retailer, in versions."""

    dataset = "products"
    columns = ("product_id", "updated_at", "name", "category", "brand", "list_price", "discontinued")
    damages = (
        {"updated_at": "yesterday"},
        {"product_id": None},
        {"list_price": "1,50"},
        {"list_price": "1.505"},
        {"discontinued": "perhaps"},
        {"name": "Kr\udce4uter"},
        {"": "one too many"},
    )
    arriving = 0.02
    missing = 0.01

    @property
    def count(self) -> int:
        return self.spec.products

    def first(self, number: int, updated_at: str) -> Row:
        draw = self.numbers_for("one", number).random
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
            "list_price": Amount.of(self.retailer.prices[product]),
            "discontinued": draw() < 0.03,
        }

    def changed(self, number: int, row: Row, numbers: Random) -> Row:
        """Another price, category or brand; no longer ordered, or again; or nothing new."""
        how, draw = numbers.random(), numbers.random()
        if how < 0.5:
            return row | {"list_price": _dearer(row["list_price"], draw)}
        if how < 0.65:
            return row | {"category": _CATEGORIES[int(draw * len(_CATEGORIES))]}
        if how < 0.75:
            return row | {"brand": _BRANDS[int(draw * len(_BRANDS))]}
        if how < 0.9:
            return row | {"discontinued": not row["discontinued"]}
        return row

    def corrected(self, row: Row, numbers: Random, sent_at: datetime) -> Row:
        """The same version with the right price."""
        return row | {"list_price": _dearer(row["list_price"], numbers.random())}


def _dearer(price: Amount, draw: float) -> Amount:
    return Amount.of(price.cents + 10 * (1 + int(draw * 9)))
