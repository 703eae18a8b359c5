"""Which texts a partition column can hold.

Delta's protocol reads an empty partition value as null. Delta's own writers (MERGE, OPTIMIZE) put a value into the name
of a folder and parse it from there: Hive's name for null comes back as null, and a long text or one with NUL cannot be
a folder's name. A table with such a text keeps the column as an ordinary column, so that no value is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from headgate.errors import BatchRefused

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
#: The most bytes of a file's name, of which `column=value` is one; a character that is escaped takes three.
MOST_BYTES = 255
_ESCAPED = r"[\x00-\x7f&&[^A-Za-z0-9_.-]]"  # as Java has it
_ESCAPED_IN_PYTHON = re.compile(r"[\x00-,/:-@\[-^`{-\x7f]")


class UnfitPartitionText(BatchRefused):
    """A partition column has a text that no partition can hold. `column` is its name."""

    def __init__(self, column: str, table: str) -> None:
        super().__init__(
            f"the partition column '{column}' has a text that no partition can hold: one that is empty, has NUL, is "
            f"{HIVE_NULL}, or is longer than a folder's name",
            where=table,
            fix=f"build the table again, which keeps {column} as an ordinary column: headgate run --rebuild -s {table}",
        )
        self.column = column


def is_unfit(column: str, text: str) -> bool:
    """Whether no partition can hold `text` as the value of `column`."""
    if text in ("", HIVE_NULL) or "\0" in text:
        return True
    return len(f"{column}={_ESCAPED_IN_PYTHON.sub('%00', text)}".encode()) > MOST_BYTES


def require_fit(partitions: Iterable[Mapping[str, str | None]], text_columns: Iterable[str], table: str) -> None:
    """Raises UnfitPartitionText where a partition's value is unfit. partitions: by column, null as None."""
    names = list(text_columns)
    for partition in partitions:
        for name in names:
            value = partition.get(name)
            if value is not None and is_unfit(name, value):
                raise UnfitPartitionText(name, table)


def require_rows_fit(rows: DataFrame, columns: Iterable[str], table: str) -> None:
    """Raises UnfitPartitionText where a row has an unfit text in one of `columns`. One Spark job, where one is text."""
    names = text_columns(rows, columns)
    if not names:
        return
    counts = rows.agg(*(F.count_if(_unfit(name)).alias(f"n{number}") for number, name in enumerate(names))).collect()[0]
    for number, name in enumerate(names):
        if counts[f"n{number}"]:
            raise UnfitPartitionText(name, table)


def text_columns(rows: DataFrame, columns: Iterable[str]) -> list[str]:
    """The text columns among `columns`, without Headgate's own, whose values always fit."""
    types = {field.name: field.dataType for field in rows.schema}
    return [name for name in columns if isinstance(types.get(name), StringType) and not name.startswith("_")]


def _unfit(name: str) -> Column:
    text = F.col(f"`{name}`")
    size = F.octet_length(F.regexp_replace(text, _ESCAPED, "%00")) + len(f"{name}=".encode())
    return text.isin("", HIVE_NULL) | text.contains("\0") | (size > MOST_BYTES)
