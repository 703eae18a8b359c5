"""Types of a table's log as Athena's SQL has them, and which of them Athena compares with each other."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

#: Athena's names; a type of a log that is not here has the same name there.
_ATHENA = {
    "string": "varchar",
    "byte": "tinyint",
    "short": "smallint",
    "integer": "integer",
    "long": "bigint",
    "float": "real",
    "binary": "varbinary",
    "timestamp": "timestamp(3) with time zone",
}
_TEMPORAL = exp.DataType.TEMPORAL_TYPES - {exp.DataType.Type.TIME, exp.DataType.Type.TIMETZ}


def athena_type(kind: Any) -> str:
    """A type as `ledger.schema_of` returns it, in Athena's SQL."""
    if isinstance(kind, str):
        return _ATHENA.get(kind, kind)
    if kind["type"] == "struct":
        fields = (f'"{field["name"]}" {athena_type(field["type"])}' for field in kind["fields"])
        return f"row({', '.join(fields)})"
    if kind["type"] == "array":
        return f"array({athena_type(kind['elementType'])})"
    return f"map({athena_type(kind['keyType'])}, {athena_type(kind['valueType'])})"


def family(kind: Any) -> str:
    """Which types Athena compares with each other: number, text, boolean, date or time, ...; empty where not known."""
    if not isinstance(kind, exp.DataType):
        return ""
    if kind.this in exp.DataType.NUMERIC_TYPES:
        return "number"
    if kind.this in exp.DataType.TEXT_TYPES:
        return "text"
    if kind.this is exp.DataType.Type.BOOLEAN:
        return "boolean"
    if kind.this in _TEMPORAL:
        return "a date or time"
    return ""
