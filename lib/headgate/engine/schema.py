"""Holds a function's columns against the table as it stands. A table only ever gains columns in place."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, BinaryType, BooleanType, MapType, StructType, VariantType

from headgate.engine.reads import read_at
from headgate.errors import BatchRefused
from headgate.graph import Node
from headgate.plan import Work

# Delta keeps no statistics of the first three, and those of nested values would only fill the log.
_NOT_INDEXED = (BooleanType, BinaryType, VariantType, ArrayType, MapType, StructType)


def require_same_or_added(rows: DataFrame, work: Work, node: Node) -> None:
    """Raises BatchRefused where a column of the target is missing or has another type; added ones may come."""
    if work.whole:
        return
    spark = rows.sparkSession
    held = {f.name: f.dataType.simpleString() for f in read_at(spark, work.head.uri, work.head.version).schema}
    given = {f.name: f.dataType.simpleString() for f in rows.schema}
    changed = [
        f"{name}: {kind} -> {given.get(name, 'missing')}"
        for name, kind in held.items()
        if not name.startswith("_") and given.get(name) != kind
    ]
    if changed:
        raise BatchRefused(
            f"the columns changed: {'; '.join(changed)}",
            where=f"{node.module}:{node.line}",
            fix=f"a table is not changed in place: build it anew with headgate run --rebuild -s {node.name}",
        )


def indexed_columns(rows: DataFrame, partition_by: Sequence[str]) -> list[str]:
    """The columns worth statistics: ordered scalars that are not the folder's name already."""
    fields = [f for f in rows.schema if f.name not in partition_by]
    return [f"`{f.name}`" for f in fields if not isinstance(f.dataType, _NOT_INDEXED)]
