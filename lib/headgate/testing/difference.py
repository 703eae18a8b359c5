"""How two lists of rows differ, as chispa shows it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]

_NO_COLUMN = "(no such column)"


def difference(left: Sequence[Row], right: Sequence[Row]) -> str:
    """The differing rows, in chispa's table of df1 (left) and df2; empty if there are none."""
    gone, come = _beyond(left, right), _beyond(right, left)
    if not gone and not come:
        return ""
    columns = list(dict.fromkeys(name for row in (*gone, *come) for name in row))
    differ = [name for name in columns if _column(gone, name) != _column(come, name)]
    return f"differing: {', '.join(differ)}\n{_shown(gone, come, columns)}"


def like_stored(literal: Any, stored: Sequence[Any]) -> Any:
    """Converts a literal to the type of `stored`: a text or a number to a decimal, a text to a time."""
    like = next((value for value in stored if value is not None), None)
    if isinstance(like, Decimal) and isinstance(literal, str | int | float):
        return Decimal(str(literal))
    if isinstance(like, datetime) and isinstance(literal, str):
        moment = datetime.fromisoformat(literal)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(like, date) and isinstance(literal, str):
        return date.fromisoformat(literal)
    return literal


def _column(rows: Sequence[Row], name: str) -> list[str]:
    return [_plain(row.get(name)) for row in rows]


def _beyond(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """The rows that are not among `others`, each as often as it is there more often."""
    left, result = Counter(_plain(row) for row in others), []
    for row in sorted(rows, key=_plain):
        left[_plain(row)] -= 1
        if left[_plain(row)] < 0:
            result.append(row)
    return result


def _plain(value: Any) -> str:
    """A canonical text of a value: equal for 15.5 and 15.50, and for a time in different zones."""
    if isinstance(value, Decimal):
        return repr(value.normalize() + 0)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return repr([(name, _plain(inner)) for name, inner in sorted(value.items())])
    if isinstance(value, list | tuple):
        return repr([_plain(inner) for inner in value])
    return repr(value)


def _shown(left: Sequence[Row], right: Sequence[Row], columns: Sequence[str]) -> str:
    from chispa import DataFramesNotEqualError, FormattingConfig
    from chispa.formatting import Format
    from chispa.rows_comparer import assert_basic_rows_equality
    from pyspark.sql import Row as SparkRow

    # A terminal shows differences in colour; other outputs would show the colour codes.
    terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()
    formats = FormattingConfig() if terminal else FormattingConfig(*(Format() for _ in range(4)))
    df1, df2 = (
        [SparkRow(**{name: row.get(name, _NO_COLUMN) for name in columns}) for row in rows] for rows in (left, right)
    )
    try:
        assert_basic_rows_equality(df1, df2, formats=formats)
    except DataFramesNotEqualError as error:
        return str(error).strip()
    return ""
