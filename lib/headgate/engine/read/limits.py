"""The limits of a contract (`enum` and `logicalTypeOptions`) as reasons to reject a typed record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from headgate.contracts.contract import Field

# A path inside a record as text, such as items[3].quantity: a literal, or a column where it has an index.
Path = Column


def limit_reasons(fields: Sequence[Field], values: Column, reason: str, shown: int) -> Column | None:
    """Returns an array of reasons, empty for a record within its limits; None where the contract has no limits.

    `values` is the struct of a record's typed columns, `reason` the DDL of a reason (column, rule, value), `shown` the
    characters of a value that a reason repeats.
    """
    parts = list(_reasons(fields, values, F.lit(""), reason, shown))
    if not parts:
        return None
    return F.coalesce(F.flatten(F.array(*parts)), F.array().cast(f"array<{reason}>"))


def _reasons(fields: Sequence[Field], values: Column, path: Path, reason: str, shown: int) -> Iterator[Column]:
    for field in fields:
        yield from _of_field(field, values[field.name], F.concat(path, F.lit(field.sent_name)), reason, shown)


def _of_field(field: Field, value: Column, path: Path, reason: str, shown: int) -> Iterator[Column]:
    """Yields arrays of reasons, never null, for a value at `path`. A null value is within all limits."""
    for rule, broken in _rules(field, value):
        text = F.substring(value.cast("string"), 1, shown)
        entry = F.struct(path.alias("column"), F.lit(rule).alias("rule"), text.alias("value")).cast(reason)
        yield F.when(F.coalesce(broken, F.lit(False)), F.array(entry)).otherwise(F.array().cast(f"array<{reason}>"))
    if field.type == "struct":
        yield from _reasons(field.fields, value, F.concat(path, F.lit(".")), reason, shown)
    if field.item is not None and _has_limits(field.item):
        yield _of_items(field.item, value, path, reason, shown)


def _of_items(item: Field, values: Column, path: Path, reason: str, shown: int) -> Column:
    def of_item(value: Column, index: Column) -> Column:
        at = F.concat(path, F.lit("["), index.cast("string"), F.lit("]"))
        return F.flatten(F.array(*_of_field(item, value, at, reason, shown)))

    return F.coalesce(F.flatten(F.transform(values, of_item)), F.array().cast(f"array<{reason}>"))


def _has_limits(field: Field) -> bool:
    inner = [*field.fields, *([field.item] if field.item else [])]
    return bool(list(_limits_of(field))) or any(_has_limits(child) for child in inner)


def _rules(field: Field, value: Column) -> Iterator[tuple[str, Column]]:
    """Yields the name of each rule and whether a value breaks it."""
    for rule, breaks in _limits_of(field):
        yield rule, breaks(value)


def _limits_of(field: Field) -> Iterator[tuple[str, Callable[[Column], Column]]]:
    allowed = field.allowed
    if allowed.enum:
        texts = [_literal(field, text) for text in allowed.enum]
        yield "enum", lambda value: ~value.isin(*texts)
    if allowed.minimum is not None:
        low = _literal(field, allowed.minimum)
        yield f"minimum: {allowed.minimum}", lambda value: value < low
    if allowed.maximum is not None:
        high = _literal(field, allowed.maximum)
        yield f"maximum: {allowed.maximum}", lambda value: value > high
    if allowed.pattern is not None:
        pattern = allowed.pattern
        yield f"pattern: {pattern}", lambda value: ~value.rlike(pattern)
    yield from _length_limits(field)


def _length_limits(field: Field) -> Iterator[tuple[str, Callable[[Column], Column]]]:
    allowed, size = field.allowed, F.size if field.type == "array" else F.length
    least = allowed.min_items if field.type == "array" else allowed.min_length
    most = allowed.max_items if field.type == "array" else allowed.max_length
    name = "Items" if field.type == "array" else "Length"
    if least is not None:
        yield f"min{name}: {least}", lambda value: value.isNotNull() & (size(value) < least)
    if most is not None:
        yield f"max{name}: {most}", lambda value: value.isNotNull() & (size(value) > most)


def _literal(field: Field, text: str) -> Column:
    """A limit as a literal that compares exactly with the field's values."""
    if field.type in ("int", "bigint", "decimal"):
        return F.expr(f"{text}BD") if field.type == "decimal" else F.lit(int(text))
    if field.type == "double":
        return F.lit(float(text))
    return F.lit(text).cast(field.type)
