"""Holds a function's columns against the table as it stands. A table only ever gains columns in place."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, BinaryType, BooleanType, MapType, StructType, VariantType

from headgate.errors import BatchRefused
from headgate.graph import Node
from headgate.ledger import Ledger, schema_of
from headgate.plan import Work

# Delta keeps no statistics of the first three, and those of nested values would only fill the log.
_NOT_INDEXED = (BooleanType, BinaryType, VariantType, ArrayType, MapType, StructType)


def require_same_or_added(rows: DataFrame, work: Work, node: Node, ledger: Ledger) -> None:
    """Raises BatchRefused where a column of the target is missing or has another type; added ones may come."""
    if work.whole:
        return
    held = ledger.schema(node.name, work.head.version)
    given = schema_of(rows.schema.json())
    changed = [
        f"{name}: {_shown(kind)} -> {_shown(given.get(name, 'missing'))}"
        for name, kind in held.items()
        if not name.startswith("_") and given.get(name) != kind
    ]
    if changed:
        raise BatchRefused(
            f"the columns changed: {'; '.join(changed)}",
            where=f"{node.module}:{node.line}",
            fix=f"a table is not changed in place: build it anew with headgate run --rebuild -s {node.name}",
        )


def _shown(kind: object) -> str:
    return kind if isinstance(kind, str) else json.dumps(kind)


def indexed_columns(rows: DataFrame, partition_by: Sequence[str]) -> list[str]:
    """The columns worth statistics: ordered scalars that are not the folder's name already."""
    fields = [f for f in rows.schema if f.name not in partition_by]
    return [f"`{f.name}`" for f in fields if not isinstance(f.dataType, _NOT_INDEXED)]
