"""Compares a function's columns with those of its table. A table only ever gains columns in place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.contracts import table_contract
from headgate.contracts.table_contract import TableContract
from headgate.errors import BatchRefused
from headgate.ledger.ledger import Ledger, schema_of
from headgate.planning.graph import Node
from headgate.planning.plan import Work


def require_same_or_added(rows: DataFrame, work: Work, node: Node, ledger: Ledger) -> None:
    """Raises BatchRefused where a column of the target is missing or has another type; added ones may come."""
    if work.whole:
        return
    changed, _ = differences(ledger.schema(node.name, work.head.version), schema_of(rows.schema.json()))
    if changed:
        raise BatchRefused(
            f"the columns changed: {'; '.join(changed)}",
            where=f"{node.module}:{node.line}",
            fix=f"columns do not change in place: rebuild the table with headgate run --rebuild -s {node.name}",
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


def differences(existing: Mapping[str, Any], returned: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Describes the columns of a table that a function no longer returns or returns with another type, and added ones.

    existing, returned: column name -> type, of the table and of the function's rows.
    """
    business = [name for name in existing if not name.startswith("_")]
    changed = [
        f"{name}: {_shown(existing[name])} -> {_shown(returned.get(name, 'missing'))}"
        for name in business
        if returned.get(name) != existing[name]
    ]
    new = [name for name in returned if name not in existing and not name.startswith("_")]
    added = [f"{name}: {_shown(returned[name])}" for name in new]
    return changed, added


def _shown(kind: object) -> str:
    return kind if isinstance(kind, str) else json.dumps(kind)


def content_hash(rows: DataFrame, prefix: str = "", existing: Sequence[str] | None = None) -> Column:
    """Returns a hash of a row's content that separates a null from a value, and a column from the next.

    existing: the columns that the hashed side has, where it is a table that has yet to gain some of `rows`.
    """

    def value(name: str) -> Column:
        there = existing is None or name in existing
        return F.col(f"{prefix}{name}") if there else F.lit(None).cast(rows.schema[name].dataType)

    exact = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}
    return F.md5(F.to_json(F.struct(*(value(name).alias(name) for name in rows.columns)), exact))


def with_columns_of(existing: DataFrame, rows: DataFrame) -> DataFrame:
    """Returns `existing` with the columns of `rows`; a column that it has yet to gain is null."""
    new = [field for field in rows.schema if field.name not in existing.columns]
    missing = (F.lit(None).cast(field.dataType).alias(field.name) for field in new)
    return existing.select("*", *missing).select(rows.columns)
