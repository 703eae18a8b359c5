"""Checks whether Athena can read a Delta table: its columns, layout and protocol.

Each rule has its reason: documented limits of Athena engine 3, of the Glue catalog, and of Trino, which Athena is
based on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Types of a table's log that Athena cannot read, and why.
_TYPES = {
    "timestamp_ntz": "has no zone, which needs a reader of version 3; cast it to timestamp",
    "variant": "makes Athena refuse the whole table; keep its text, or the fields that are needed",
    "void": "is a column that has only nulls and no type; cast it, or leave it out",
}
_TYPES["null"] = _TYPES["void"]
_NO_PARTITIONS = ("binary", "struct", "array", "map")
_NAME = re.compile(r"[a-z0-9_]{1,255}")
_READER = 1
#: Properties that a table must not have: the value that is harmless, and why.
_PROPERTIES = {
    "delta.columnMapping.mode": ("none", "names in the log are other than in the files"),
    "delta.enableDeletionVectors": ("false", "rows that are deleted would be read"),
    "delta.enableTypeWidening": ("false", "a widened column vanishes without an error"),
    "delta.checkpointPolicy": ("classic", "a checkpoint of version 2 cannot be read"),
}


def unreadable_columns(columns: Mapping[str, Any], partition_by: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Returns (column, problem with reason) of the columns (name -> type, as `ledger.schema_of` gives them).

    A field of a struct is named by its path. Headgate's own columns do not count: gold has none.
    """
    plain = {name: kind for name, kind in columns.items() if not name.startswith("_")}
    results = [*_fields("", plain), *_alike("", plain)]
    for name in partition_by:
        if (kind := _kind(plain.get(name))) in _NO_PARTITIONS:
            results.append((name, f"is a partition column of type {kind}, which Glue cannot hold; use another"))
    return results


def unreadable_protocol(reader: int, features: Iterable[str], properties: Mapping[str, str]) -> list[str]:
    """What of a table's protocol and properties Athena cannot read, and why."""
    results = []
    if reader > _READER:
        join = ", ".join(sorted(features)) or "none named"
        results.append(f"needs a reader of version {reader} (features: {join}); version {_READER} can be relied on")
    for name, (harmless, why) in _PROPERTIES.items():
        if properties.get(name, harmless).lower() != harmless:
            results.append(f"has {name} = {properties[name]}: {why}")
    return results


def _fields(path: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, kind in fields.items():
        if not _NAME.fullmatch(name):
            yield path + name, _misnamed(name)
        yield from _types(path + name, kind)


def _misnamed(name: str) -> str:
    if _NAME.fullmatch(name.lower()):
        return f"has upper case, which Glue folds away: Athena would call it '{name.lower()}'; name it so"
    if len(name) > 255:
        return "has a name of more than 255 characters, which Glue refuses"
    return "has a name that Athena refuses; use letters, digits and underscores only"


def _types(path: str, kind: Any) -> Iterator[tuple[str, str]]:
    """Problems of the type of a column and of its nested types."""
    if isinstance(kind, str):
        if kind in _TYPES:
            yield path, f"is {kind}, which {_TYPES[kind]}"
    elif kind["type"] == "struct":
        inner = {field["name"]: field["type"] for field in kind["fields"]}
        yield from _fields(f"{path}.", inner)
        yield from _alike(f"{path}.", inner)
    else:
        for part in ("elementType", "keyType", "valueType"):
            if part in kind:
                yield from _types(path, kind[part])


def _alike(path: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names that are equal for Glue, which ignores case."""
    counts = Counter(name.lower() for name in fields)
    for name in fields:
        if counts[name.lower()] > 1 and name != name.lower():
            yield path + name, f"differs from another column only by case, and both are '{name.lower()}' in Athena"


def _kind(kind: Any) -> str:
    return kind["type"] if isinstance(kind, dict) else str(kind)
