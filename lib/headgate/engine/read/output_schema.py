"""Holds a function's columns against the table as it stands. A table only ever gains columns in place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, BooleanType, MapType, StructType, VariantType

from headgate.contracts import table_contract
from headgate.contracts.table_contract import TableContract
from headgate.errors import BatchRefused
from headgate.ledger.ledger import Ledger, schema_of
from headgate.planning.graph import Node
from headgate.planning.plan import Work

# Delta keeps no statistics of the first three, and those of nested values would only fill the log.
_NOT_INDEXED = (BooleanType, BinaryType, VariantType, ArrayType, MapType, StructType)


def require_same_or_added(rows: DataFrame, work: Work, node: Node, ledger: Ledger) -> None:
    """Raises BatchRefused where a column of the target is missing or has another type; added ones may come."""
    if work.whole:
        return
    changed, _ = differences(ledger.schema(node.name, work.head.version), schema_of(rows.schema.json()))
    if changed:
        raise BatchRefused(
            f"the columns changed: {'; '.join(changed)}",
            where=f"{node.module}:{node.line}",
            fix=f"a table is not changed in place: build it anew with headgate run --rebuild -s {node.name}",
        )


def require_contract(rows: DataFrame, contract: TableContract | None, node: Node) -> None:
    """Raises BatchRefused where a table's columns are other than its contract says."""
    wrong = table_contract.differences(contract, schema_of(rows.schema.json())) if contract else []
    if wrong:
        raise BatchRefused(
            f"the columns are not those of its contract: {'; '.join(wrong)}",
            where=f"{node.module}:{node.line}",
            fix=f"correct the function, or the contract in conf/tables/{node.name.replace('.', '/')}.yaml",
        )


def differences(held: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The columns of a table that a function gives no more, or otherwise; and those that it gives anew. In words."""
    own = [name for name in held if not name.startswith("_")]
    changed = [
        f"{name}: {_shown(held[name])} -> {_shown(given.get(name, 'missing'))}"
        for name in own
        if given.get(name) != held[name]
    ]
    added = [f"{name}: {_shown(kind)}" for name, kind in given.items() if name not in held and not name.startswith("_")]
    return changed, added


def _shown(kind: object) -> str:
    return kind if isinstance(kind, str) else json.dumps(kind)


def indexed_columns(rows: DataFrame, partition_by: Sequence[str]) -> list[str]:
    """The columns worth statistics: ordered scalars that are not the folder's name already."""
    fields = [f for f in rows.schema if f.name not in partition_by]
    return [f"`{f.name}`" for f in fields if not isinstance(f.dataType, _NOT_INDEXED)]


def content_hash(rows: DataFrame, prefix: str = "", held: Sequence[str] | None = None) -> Column:
    """A hash of a row's content that tells a null from a value, and one column from the next.

    `held` are the columns that the hashed side has, where it is a table that has yet to gain some of `rows`.
    """

    def value(name: str) -> Column:
        there = held is None or name in held
        return F.col(f"{prefix}{name}") if there else F.lit(None).cast(rows.schema[name].dataType)

    exact = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}
    return F.md5(F.to_json(F.struct(*(value(name).alias(name) for name in rows.columns)), exact))


def with_columns_of(held: DataFrame, rows: DataFrame) -> DataFrame:
    """`held` with the columns of `rows`: null where it has yet to gain one."""
    new = [field for field in rows.schema if field.name not in held.columns]
    missing = (F.lit(None).cast(field.dataType).alias(field.name) for field in new)
    return held.select("*", *missing).select(rows.columns)
