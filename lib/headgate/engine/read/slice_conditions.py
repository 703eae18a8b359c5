"""Conditions that rows of chosen slices meet, built from typed literals.

A value never becomes part of an SQL text as it is: in text it is written as the hex digits of its bytes, so that
nothing in it can be read as SQL, as an escape or as a variable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, IntegralType, StringType

from headgate.engine.runtime.materialize import local_rows

#: A value as Spark casts it to text (None for null), and its type.
Literal = tuple[str | None, str]
#: The least and the greatest value of a column, and how many nulls it has.
Bounds = tuple[Literal, Literal, int]

#: Types whose values are the same after a cast to text and back, and equal where Python's are.
EXACT_AS_TEXT = (StringType, IntegralType, DateType)
_REAL = ("float", "double")


def points_of(values: DataFrame) -> list[dict[str, Literal]]:
    """Returns each row of `values` as literals, in a stable order. One Spark job."""
    rows = values.select(*(F.col(name).cast("string").alias(name) for name in values.columns)).collect()
    types = _types(values)
    return [{name: (row[name], types[name]) for name in values.columns} for row in sorted(rows, key=str)]


def bounds_of(values: DataFrame, by: Sequence[str]) -> dict[str, Bounds]:
    """Returns the bounds of each column of `by`; empty where there are no rows.

    One Spark job, and none where the rows are in the plan.
    """
    rows = exact_rows(values)
    if rows is not None:
        return {name: _bounds([row[name] for row in rows], _types(values)[name]) for name in by} if rows else {}
    sides = [
        f(name).cast("string").alias(f"{label}_{name}") for name in by for label, f in (("lo", F.min), ("hi", F.max))
    ]
    nulls = [F.count_if(F.col(name).isNull()).alias(f"nulls_{name}") for name in by]
    row = values.agg(*sides, *nulls, F.count("*").alias("rows")).collect()[0]
    if not row["rows"]:
        return {}
    types = _types(values)
    sides_of = {name: ((row[f"lo_{name}"], types[name]), (row[f"hi_{name}"], types[name])) for name in by}
    return {name: (*sides_of[name], row[f"nulls_{name}"]) for name in by}


def exact_rows(values: DataFrame) -> list[Row] | None:
    """The rows of a frame that are in the plan and that Python compares and writes as Spark does; None for others."""
    exact = all(isinstance(field.dataType, EXACT_AS_TEXT) for field in values.schema)
    return local_rows(values) if exact else None


def _bounds(values: Sequence[Any], kind: str) -> Bounds:
    present = [value for value in values if value is not None]
    if not present:
        return (None, kind), (None, kind), len(values)
    key = str.encode if kind == "string" else None  # Spark compares bytes
    least, greatest = min(present, key=key), max(present, key=key)
    return (str(least), kind), (str(greatest), kind), len(values) - len(present)


def one_of(points: Sequence[Mapping[str, Literal]], prefix: str = "") -> Column:
    """The condition that a row is in one of these slices, so that other partitions are neither read nor replaced."""
    return F.expr(one_of_as_sql(points, prefix))


def one_of_as_sql(points: Sequence[Mapping[str, Literal]], prefix: str = "") -> str:
    """The condition of `one_of` as SQL, for a writer that takes text alone."""
    slices = (" AND ".join(_equals(prefix, name, value) for name, value in point.items()) for point in points)
    return " OR ".join(f"({condition})" for condition in slices) or "false"


def between(bounds: Mapping[str, Bounds], prefix: str = "") -> Column:
    """A condition that every row of the slices meets, by which files without such a row are skipped."""
    sides = []
    for name, (lo, hi, nulls) in bounds.items():
        column = F.col(f"{prefix}{name}")
        inside = _ordered(column, lo[1]).between(_literal(lo), _literal(hi)) if lo[0] is not None else F.lit(False)
        sides.append(inside | column.isNull() if nulls else inside)
    return reduce(and_, sides, F.lit(True))


def _ordered(column: Column, kind: str) -> Column:
    """-0.0 equals 0.0 for Spark, but not for the statistics of a Parquet file, which a sum keeps out of it."""
    return column + F.lit(0).cast(kind) if kind in _REAL else column


def _literal(value: Literal) -> Column:
    text, kind = value
    return F.lit(text) if kind == "string" else F.lit(text).cast(kind)


def _equals(prefix: str, name: str, value: Literal) -> str:
    text, kind = value
    column = f"{prefix}`{name.replace('`', '``')}`"
    if text is None:
        return f"{column} IS NULL"
    literal = f"CAST(X'{text.encode().hex()}' AS string)"
    if kind == "string":
        return f"{column} = {literal}"
    column = f"({column} + CAST(0 AS {kind}))" if kind in _REAL else column
    return f"{column} = CAST({literal} AS {kind})"


def _types(rows: DataFrame) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in rows.schema}
