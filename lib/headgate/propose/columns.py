"""Which columns of a contract a proposed table uses, and how."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headgate.contracts.contract import Contract, Field
from headgate.generate.wording import is_identifier, is_version

_MAX_MEASURES = 3
_WIDER = 10  # digits that the sum of a decimal has more


@dataclass(frozen=True)
class Measure:
    """A column of a gold table: `name` is `expression` (PySpark) over the column `source`; `sums` says sum or mean."""

    name: str
    expression: str
    source: str
    sums: bool


def sequence_column(contract: Contract) -> str | None:
    """Returns the column with a record's version, such as updated_at or revision; None where there is none."""
    suitable = ("timestamp", "int", "bigint")
    names = [
        field.name
        for field in contract.fields
        if field.required and field.type in suitable and is_version(field.name) and field.name not in contract.key
    ]
    return next(iter(names), None)


def day_column(contract: Contract) -> tuple[str, str] | None:
    """Returns a timestamp column and the name of its day, such as (sold_at, sold_on); None where none is needed.

    None is needed where the dataset has a required date, or no timestamp besides its version.
    """
    names = {field.name.lower() for field in contract.fields}
    if any(field.type == "date" and field.required for field in contract.fields):
        return None
    sequence = sequence_column(contract)
    times = [field for field in contract.fields if field.type == "timestamp" and field.name != sequence]
    for field in sorted(times, key=lambda field: not field.required):
        day = re.sub(r"_at$", "_on", field.name) if field.name.endswith("_at") else f"{field.name}_date"
        if day.lower() not in names:
            return field.name, day
    return None


def slice_column(contract: Contract, columns: Iterable[str]) -> str | None:
    """Returns the column of a silver table that a gold table groups by: a day, else a category; None without either."""
    names = set(columns)
    day = day_column(contract)
    if day is not None and day[1] in names:
        return day[1]
    present = [field for field in contract.fields if field.name in names]
    groups = (
        (field for field in present if field.type == "date" and field.required),
        (field for field in present if field.type == "date"),
        (field for field in present if field.type == "string" and field.allowed.enum),
        (field for field in present if _is_category(field, contract.key) and field.required),
        (field for field in present if _is_category(field, contract.key)),
    )
    return next((field.name for group in groups for field in group), None)


def _is_category(field: Field, key: Sequence[str]) -> bool:
    return field.type == "string" and field.name not in key and not is_identifier(field)


def measures(contract: Contract, columns: Iterable[str], by: Iterable[str]) -> list[Measure]:
    """Returns sums of the numbers of a silver table, and means of its doubles; at most three."""
    names = set(columns) - {*by, sequence_column(contract)} - set(contract.key)
    numeric = [f for f in contract.fields if f.name in names and f.type in ("decimal", "double", "int", "bigint")]
    return [_measure(field) for field in numeric if not is_identifier(field)][:_MAX_MEASURES]


def _measure(field: Field) -> Measure:
    if field.type == "double":
        name = f"mean_{field.name}"
        return Measure(name, f'F.avg("{field.name}").alias("{name}")', field.name, sums=False)
    name = f"total_{field.name}"
    cast = ""
    if field.type == "decimal":
        cast = f'.cast("decimal({min(38, field.precision + _WIDER)},{field.scale})")'
    return Measure(name, f'F.sum("{field.name}"){cast}.alias("{name}")', field.name, sums=True)
