"""Plausible values for the fields of a contract, by their types, limits, examples and names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from headgate.contracts.allowed import readable
from headgate.contracts.contract import Field
from headgate.errors import UsageError
from headgate.generate.numbers import random_for
from headgate.generate.wording import RANGES, STORE_NAMES, is_identifier, is_later, is_long_ago, text_for

_ABSENT = 0.1  # share of the values of optional fields that are missing
_TRUE = 0.3  # share of booleans that are true
_MAX_ITEMS = 5  # of an array without limits
_TRIES = 100  # to meet a pattern and a length together
_INT_LIMITS = {"int": 2**31 - 1, "bigint": 2**63 - 1}
_DEFAULT_RANGE = (1, 1000)
_DAY = 24 * 3600
_OPEN_SPAN = timedelta(days=30)  # above a minimum without a maximum, or below a maximum without a minimum


@dataclass(frozen=True)
class Circumstances:
    """Where and when a record is made. `moment` is in UTC; `identifiers` says how many ids exist, by column name."""

    numbers: Random
    seed: int
    store: str
    moment: datetime
    identifiers: Mapping[str, int]

    def draw(self) -> float:
        return self.numbers.random()


#: How many different ids a reference has where no generated dataset has the column as its key.
DEFAULT_IDENTIFIERS = 200


def optional_value(field: Field, at: Circumstances) -> Any:
    """Returns a value, or for some records None where the field is optional."""
    if not field.required and at.draw() < _ABSENT:
        return None
    return value_of(field, at)


def value_of(field: Field, at: Circumstances) -> Any:
    """Returns a value that the contract's field accepts. Raises UsageError where its limits exclude each other."""
    if field.type == "struct":
        return {child.name: optional_value(child, at) for child in field.fields}
    if field.type == "array":
        return _items(field, at)
    if field.allowed.enum:
        return _typed(field, _choice(field.allowed.enum, at))
    if field.type == "string" and not field.allowed.pattern and field.name.lower() in STORE_NAMES:
        return at.store
    if is_identifier(field):
        return identifier(field, _popular(at, field), at.seed)
    if field.allowed.examples and not field.allowed.pattern:
        return _typed(field, str(_choice(field.allowed.examples, at)))
    makers = {"string": _text, "boolean": _boolean, "date": _date, "timestamp": _timestamp}
    return makers.get(field.type, _number)(field, at)


def identifier(field: Field, number: int, seed: int) -> Any:
    """Returns the id of a number from 1. Columns of the same name and type get the same ids, so that they join."""
    if field.allowed.enum:
        return _typed(field, field.allowed.enum[(number - 1) % len(field.allowed.enum)])
    if field.type != "string":
        low, high = _bounds(field, (1, _INT_LIMITS.get(field.type, 10**9)))
        return _typed(field, str(int(low) + (number - 1) % (int(high) - int(low) + 1)))
    if field.allowed.pattern:
        return _matching(field, random_for(seed, "identifier", field.name, number))
    stem, width = _stem_of(field)
    return _of_length(field, f"{stem}{number:0{width}d}", keep_end=True)


def _stem_of(field: Field) -> tuple[str, int]:
    """The text before the digits of an id, and how many digits follow: as in the field's first example."""
    example = re.fullmatch(r"(.*?)(\d+)", str(next(iter(field.allowed.examples), "")))
    if example:
        return example.group(1), len(example.group(2))
    return re.sub(r"_?(id|key|no|number)$", "", field.name, flags=re.IGNORECASE).lower() + "-", 6


def _popular(at: Circumstances, field: Field) -> int:
    """A number of an id; low numbers are more frequent, as a few customers buy most."""
    count = at.identifiers.get(field.name, DEFAULT_IDENTIFIERS)
    return 1 + int(at.draw() ** 2 * count)


def _items(field: Field, at: Circumstances) -> list[Any]:
    least = field.allowed.min_items or 0
    most = field.allowed.max_items if field.allowed.max_items is not None else least + _MAX_ITEMS
    count = least + int(at.draw() * (most - least + 1))
    return [value_of(field.item, at) for _ in range(count)] if field.item else []


def _text(field: Field, at: Circumstances) -> str:
    if field.allowed.pattern:
        return _matching(field, at.numbers)
    return _of_length(field, text_for(field.name, at.draw(), at.draw()))


def _matching(field: Field, numbers: Random) -> str:
    """A text that matches the field's pattern and has an allowed length. Raises UsageError after some tries."""
    from rstr import Rstr  # only contracts with patterns need it

    allowed = field.allowed
    least, most = allowed.min_length or 0, allowed.max_length
    for _ in range(_TRIES):
        text = Rstr(numbers).xeger(allowed.pattern or "")
        if len(text) >= least and (most is None or len(text) <= most):
            return text
    raise UsageError(
        f"no text matches the pattern {allowed.pattern} and has an allowed length",
        where=f"generate: {field.name}",
        fix="correct pattern, minLength or maxLength in the contract",
    )


def _of_length(field: Field, text: str, *, keep_end: bool = False) -> str:
    padded = text.ljust(field.allowed.min_length or 0, "x")
    most = field.allowed.max_length
    if most is None or len(padded) <= most:
        return padded
    return padded[len(padded) - most :] if keep_end else padded[:most].rstrip() or padded[:most]


def _boolean(field: Field, at: Circumstances) -> bool:
    return at.draw() < _TRUE


def _number(field: Field, at: Circumstances) -> int | float | Decimal:
    """A number between the field's bounds, small ones more often."""
    low, high = _bounds(field, next((span for name, span in RANGES if name.search(field.name)), _DEFAULT_RANGE))
    share = Decimal(at.draw() * at.draw()) if field.allowed.minimum is None else Decimal(at.draw())
    value = low + (high - low) * share
    if field.type == "double":
        return round(float(value), 3)
    scale = field.scale if field.type == "decimal" else 0
    value = round(value, scale)
    return value if field.type == "decimal" else int(min(max(value, low), high))


def _bounds(field: Field, usual: tuple[float, float]) -> tuple[Decimal, Decimal]:
    """The least and the greatest value: the contract's limits where there are some, else usual ones."""
    low, high = (Decimal(str(bound)) for bound in usual)
    if field.allowed.minimum is not None:
        low = Decimal(field.allowed.minimum)
        high = max(high, low + 1000) if field.allowed.maximum is None else high
    if field.allowed.maximum is not None:
        high = Decimal(field.allowed.maximum)
        low = min(low, high - 1000) if field.allowed.minimum is None and low > high else low
    if field.type == "decimal":
        largest = Decimal(10) ** (field.precision - field.scale) - Decimal(1).scaleb(-field.scale)
        low, high = max(low, -largest), min(high, largest)
    return low, max(low, high)


def _date(field: Field, at: Circumstances) -> date:
    return _moment(field, at).date()


def _timestamp(field: Field, at: Circumstances) -> datetime:
    return _moment(field, at)


def _moment(field: Field, at: Circumstances) -> datetime:
    """The record's time, or a time before or after it that fits the field's name, within the field's limits."""
    moment = at.moment
    if is_long_ago(field.name):
        moment -= timedelta(days=round((20 + 60 * at.draw()) * 365))
    elif is_later(field.name):
        moment += timedelta(seconds=int(at.draw() * 2 * _DAY))
    low, high = _time_limits(field)
    if (low is not None and moment < low) or (high is not None and moment > high):
        start = low if low is not None else (high or moment) - _OPEN_SPAN
        end = high if high is not None else start + _OPEN_SPAN
        return start + timedelta(seconds=int((end - start).total_seconds() * at.draw()))
    return moment


def _time_limits(field: Field) -> tuple[datetime | None, datetime | None]:
    return _time_limit(field, field.allowed.minimum), _time_limit(field, field.allowed.maximum)


def _time_limit(field: Field, text: str | None) -> datetime | None:
    value = None if text is None else readable(text, field.type)
    if value is None or isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)


def _choice(values: tuple[Any, ...], at: Circumstances) -> Any:
    return values[int(at.draw() * len(values))]


def _typed(field: Field, text: str) -> Any:
    """`text` of an enum or an example as a value of the field's type; as it is where the type cannot hold it."""
    if field.type == "boolean":
        return text.lower() == "true"
    value = readable(text, field.type)
    if field.type == "double" and value is not None:
        return float(value)
    return text if value is None else value
