"""Columns of a table and the values that a client may compare them with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from headgate.http.problems import Problem

_INTEGERS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
_DUCKDB = {
    "string": "VARCHAR", "byte": "TINYINT", "short": "SMALLINT", "integer": "INTEGER", "long": "BIGINT",
    "float": "FLOAT", "double": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMPTZ",
    "binary": "BLOB",
}  # fmt: skip
_WHOLE = re.compile(r"[+-]?\d{1,19}")
_DECIMAL = re.compile(r"[+-]?\d{1,38}(\.\d{1,38})?")
_DECIMAL_TYPE = re.compile(r"decimal\((\d+),(-?\d+)\)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Column:
    """A column: `type` is its type in the Delta log, a text for scalars and a mapping for nested types."""

    name: str
    type: Any
    description: str = ""
    classification: str = ""
    masked: bool = False

    @property
    def is_scalar(self) -> bool:
        """Whether values can be compared and ordered."""
        return isinstance(self.type, str) and self.type != "binary"

    @property
    def is_number(self) -> bool:
        """Whether sums and averages are possible."""
        return isinstance(self.type, str) and (
            self.type in (*_INTEGERS, "float", "double") or self.type.startswith("decimal")
        )

    @property
    def sql_type(self) -> str:
        """The type in DuckDB's SQL."""
        return sql_type(self.type)

    def value(self, text: str) -> Any:
        """Returns the typed value of a text of the client. Raises Problem 400."""
        parse = _PARSERS.get(self.type.partition("(")[0], _text) if isinstance(self.type, str) else _text
        try:
            return parse(text, self)
        except (ValueError, OverflowError):
            raise Problem(
                400, "invalid-value", f"'{_short(text)}' is not a value of column '{self.name}', a {self.type}"
            ) from None


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}..."


def sql_type(kind: Any) -> str:
    """Returns DuckDB's name of a type of the Delta log."""
    if isinstance(kind, str):
        return _DUCKDB.get(kind, kind.upper())
    if kind["type"] == "struct":
        fields = ", ".join(f"{quoted(field['name'])} {sql_type(field['type'])}" for field in kind["fields"])
        return f"STRUCT({fields})"
    if kind["type"] == "array":
        return f"{sql_type(kind['elementType'])}[]"
    return f"MAP({sql_type(kind['keyType'])}, {sql_type(kind['valueType'])})"


_ARROW = {
    "string": pa.string(), "byte": pa.int8(), "short": pa.int16(), "integer": pa.int32(), "long": pa.int64(),
    "float": pa.float32(), "double": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"), "binary": pa.binary(),
}  # fmt: skip


def arrow_type(kind: Any) -> pa.DataType:
    """Returns the Arrow type of a type of the Delta log."""
    if isinstance(kind, str):
        match = _DECIMAL_TYPE.fullmatch(kind)
        return pa.decimal128(int(match[1]), int(match[2])) if match else _ARROW[kind]
    if kind["type"] == "struct":
        return pa.struct([(f["name"], arrow_type(f["type"])) for f in kind["fields"]])
    if kind["type"] == "array":
        return pa.list_(arrow_type(kind["elementType"]))
    return pa.map_(arrow_type(kind["keyType"]), arrow_type(kind["valueType"]))


def quoted(name: str) -> str:
    """Returns a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _text(text: str, column: Column) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    return text


def _integer(text: str, column: Column) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    value, bits = int(text), _INTEGERS[column.type]
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise ValueError(text)
    return value


def _decimal(text: str, column: Column) -> Decimal:
    match = _DECIMAL_TYPE.fullmatch(column.type)
    if match is None or not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    precision, scale = int(match[1]), int(match[2])
    value = Decimal(text)
    digits = value.as_tuple().digits
    exponent = int(value.as_tuple().exponent)
    if -exponent > scale or len(digits) + exponent > precision - scale:
        raise ValueError(text)
    return value


def _double(text: str, column: Column) -> float:
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def _boolean(text: str, column: Column) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _date(text: str, column: Column) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _timestamp(text: str, column: Column) -> datetime:
    return parse_time(text)


def parse_time(text: str) -> datetime:
    """Returns the time of an ISO 8601 text in UTC; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_PARSERS: Mapping[str, Any] = {
    "string": _text, "byte": _integer, "short": _integer, "integer": _integer, "long": _integer, "decimal": _decimal,
    "float": _double, "double": _double, "boolean": _boolean, "date": _date, "timestamp": _timestamp,
}  # fmt: skip


def to_plain(value: Any) -> Any:
    """Returns a typed value as JSON, for a cursor; `from_plain` is the inverse."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def from_plain(value: Any, column: Column) -> Any:
    """Returns the typed value of a cursor's value; the cursor is signed, so that it is not checked again."""
    if value is None or not isinstance(value, str):
        return value
    kind = column.type.partition("(")[0]
    if kind == "decimal":
        return Decimal(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "date":
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if kind == "timestamp" else value
