"""What the names of columns suggest about their values."""

import re

from headgate.contracts.contract import Field

#: Columns that hold the store that sends the upload.
STORE_NAMES = ("store", "store_id", "shop", "shop_id", "site", "site_id")

_IDENTIFIER = re.compile(r"(^|_)(id|key|sku|uuid|no)$|[a-z]Id$", re.IGNORECASE)
_LATER = re.compile(r"(end|finish|clos|deliver|ship|return|expir|due|until|valid_to)", re.IGNORECASE)
_LONG_AGO = re.compile(r"(birth|born|dob)", re.IGNORECASE)
_VERSION = re.compile(r"(updat|revis|modif|chang|version)", re.IGNORECASE)

#: Patterns of names of numbers -> their usual range.
RANGES = [
    (re.compile(pattern, re.IGNORECASE), span)
    for pattern, span in (
        (r"(^|_)(lat|latitude)$", (-90, 90)),
        (r"(^|_)(lon|lng|longitude)$", (-180, 180)),
        (r"year", (2015, 2026)),
        (r"month", (1, 12)),
        (r"percent|pct", (0, 100)),
        (r"share|ratio|rate", (0, 1)),
        (r"quantity|qty|count|pieces", (1, 12)),
        (r"line|position|rank", (1, 9)),
        (r"temperature|celsius", (-10, 35)),
        (r"discount|tax|fee", (0, 20)),
        (r"price|amount|total|cost|revenue", (0.5, 250)),
    )
]

_CITIES = ("Aachen", "Bonn", "Düsseldorf", "Köln", "Lyon", "Málaga", "Gent", "Utrecht", "Łódź", "Graz")
_FIRST = ("Anna", "Björn", "Céline", "Emre", "Fatma", "Grażyna", "Héctor", "Inès", "Jürgen", "Luís")
_LAST = ("Müller", "Schmidt", "Dąbrowski", "Lefèvre", "García", "de Vries", "O'Brien", "Yılmaz", "Weiß", "Janssens")
_COLORS = ("amber", "blue", "coral", "green", "ivory", "red", "silver", "white")
_THINGS = ("bench", "candle", "clock", "jar", "lamp", "mug", "shelf", "tray")
_STREETS = ("Marktplatz", "Bahnhofstraße", "Rue de l'Église", "Calle Mayor", "Kerkstraat")

_WORDS = [
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"city|town", _CITIES),
        (r"country", ("AT", "BE", "DE", "ES", "FR", "NL", "PL")),
        (r"currency", ("EUR",)),
        (r"first_?name|given", _FIRST),
        (r"last_?name|surname|family", _LAST),
        (r"status|state", ("new", "open", "done", "cancelled")),
        (r"gender|sex", ("f", "m", "x")),
        (r"colou?r", _COLORS),
        (r"language|locale", ("de", "en", "es", "fr", "nl", "pl")),
        (r"unit$", ("piece", "kg", "l", "m")),
        (r"note|comment|description|reason|remark", ("as agreed", "call back", "first time", "see receipt", "urgent")),
    )
]


def is_identifier(field: Field) -> bool:
    """Returns whether a field holds an id, such as customer_id or sku."""
    return field.type in ("string", "int", "bigint") and bool(_IDENTIFIER.search(field.name))


def is_later(name: str) -> bool:
    """Returns whether a column holds a time after the record's own, such as delivered_at."""
    return bool(_LATER.search(name))


def is_long_ago(name: str) -> bool:
    """Returns whether a column holds a date of birth."""
    return bool(_LONG_AGO.search(name))


def is_version(name: str) -> bool:
    """Returns whether a column says when a record was last changed, such as updated_at."""
    return bool(_VERSION.search(name))


def text_for(name: str, first: float, second: float) -> str:
    """Returns a text that suits a column's name, chosen by two numbers from 0 to 1."""
    if re.search(r"e-?mail", name, re.IGNORECASE):
        return f"user.{1 + int(first * 9000)}@example.org"
    if re.search(r"phone|mobile", name, re.IGNORECASE):
        return f"+493023125{int(first * 1000):03d}"  # a range reserved for fiction
    if re.search(r"url|link|website", name, re.IGNORECASE):
        return f"https://example.org/{_pick(_THINGS, first)}"
    if re.search(r"street|address", name, re.IGNORECASE):
        return f"{_pick(_STREETS, first)} {1 + int(second * 120)}"
    for pattern, words in _WORDS:
        if pattern.search(name):
            return _pick(words, first)
    if re.search(r"(customer|user|person|member|employee|author).*name|full_?name", name, re.IGNORECASE):
        return f"{_pick(_FIRST, first)} {_pick(_LAST, second)}"
    if re.search(r"name|title|product|item", name, re.IGNORECASE):
        return f"{_pick(_COLORS, first)} {_pick(_THINGS, second)}"
    return f"{name} {chr(ord('A') + int(first * 8))}"


def _pick(words: tuple[str, ...], share: float) -> str:
    return words[int(share * len(words))]
