"""Which values a field of a contract allows: `enum` and `logicalTypeOptions` of ODCS, and `examples`.

The engine rejects records with other values; `headgate generate` makes values that fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_NUMBERS = ("int", "bigint", "decimal", "double")
_TIMES = ("date", "timestamp")
#: Options of logicalTypeOptions -> the types of field that they apply to.
OPTIONS: dict[str, tuple[str, ...]] = {
    "minimum": (*_NUMBERS, *_TIMES),
    "maximum": (*_NUMBERS, *_TIMES),
    "minLength": ("string",),
    "maxLength": ("string",),
    "pattern": ("string",),
    "minItems": ("array",),
    "maxItems": ("array",),
}
_ENUM_TYPES = ("string", "int", "bigint", "decimal", "date")


@dataclass(frozen=True)
class Allowed:
    """The values that a field allows. None, or an empty tuple, sets no limit.

    `enum`, `minimum` and `maximum` are text that the field's type can hold, such as "2026-03-01" or "0.5"; both bounds
    are included. Lengths are in characters. `pattern` has to match somewhere in the text, as in ODCS: anchor it.
    `examples` limit nothing.
    """

    enum: tuple[str, ...] = ()
    minimum: str | None = None
    maximum: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    examples: tuple[Any, ...] = ()

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Allowed:
        """Returns the limits that `dataclasses.asdict` wrote. Raises TypeError for anything else."""
        return cls(**{**value, "enum": tuple(value["enum"]), "examples": tuple(value["examples"])})


#: No limits.
ANYTHING = Allowed()


def read_allowed(column: Mapping[str, Any]) -> Allowed:
    """Returns the limits of a column of a contract document."""
    options = column.get("logicalTypeOptions", {})
    return Allowed(
        enum=tuple(_text(item["value"]) for item in column.get("enum", [])),
        minimum=_text(options["minimum"]) if "minimum" in options else None,
        maximum=_text(options["maximum"]) if "maximum" in options else None,
        min_length=options.get("minLength"),
        max_length=options.get("maxLength"),
        pattern=options.get("pattern"),
        min_items=options.get("minItems"),
        max_items=options.get("maxItems"),
        examples=tuple(column.get("examples", [])),
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def limit_problems(column: Mapping[str, Any], kind: str) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Yields the mistakes in the limits of a column of type `kind`, each as (place in the column, mistake, advice)."""
    for option in column.get("logicalTypeOptions", {}):
        if kind not in OPTIONS[option]:
            suiting = ", ".join(name for name, kinds in OPTIONS.items() if kind in kinds)
            fix = f"use {suiting}" if suiting else "remove it"
            yield ("logicalTypeOptions", option), f"does not apply to a {kind}", fix
            return
    if "enum" in column and kind not in _ENUM_TYPES:
        yield ("enum",), f"does not apply to a {kind}", "remove it"
        return
    allowed = read_allowed(column)
    for index, text in enumerate(allowed.enum):
        if readable(text, kind) is None:
            yield ("enum", index), f"'{text}' is not a {kind}", "write a value of the field's type"
    yield from _bound_problems(allowed, kind)
    yield from _pattern_problems(allowed)


def _bound_problems(allowed: Allowed, kind: str) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    bounds = {"minimum": allowed.minimum, "maximum": allowed.maximum}
    values = {name: readable(text, kind) for name, text in bounds.items() if text is not None}
    for name, value in values.items():
        if value is None:
            yield ("logicalTypeOptions", name), f"'{bounds[name]}' is not a {kind}", "write a value of the field's type"
    pairs = [
        ("minimum", values.get("minimum"), values.get("maximum")),
        ("minLength", allowed.min_length, allowed.max_length),
        ("minItems", allowed.min_items, allowed.max_items),
    ]
    for name, least, most in pairs:
        if least is not None and most is not None and least > most:
            yield ("logicalTypeOptions", name), f"{least} is more than the maximum, {most}", "swap the two"


def _pattern_problems(allowed: Allowed) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    try:
        re.compile(allowed.pattern or "")
    except re.error as error:
        fix = "write a regular expression"
        yield ("logicalTypeOptions", "pattern"), f"is not a regular expression: {error}", fix


def readable(text: str, kind: str) -> Any:
    """Returns `text` as a value of a scalar type that can be compared; None where it is not of the type.

    A timestamp is in UTC, without a time zone.
    """
    try:
        if kind in ("int", "bigint"):
            return int(text)
        if kind in ("decimal", "double"):
            number = Decimal(text)
            return number if number.is_finite() else None
        if kind == "date":
            return date.fromisoformat(text)
        if kind == "timestamp":
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, InvalidOperation):
        return None
    return text
