"""A gold table as a Glue document, and how a registered table differs from it. No I/O.

Athena 3 and Trino recognise a Delta table by `table_type=DELTA` and `spark.sql.sources.provider=delta`; Trino takes
the address from the SerDe's `path`. Both read columns from Delta's log: Glue's columns serve people and BI tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.views.gold import GoldColumn, GoldTable

#: The parameter by which a table registered by Headgate is recognised; its value is the project's name.
PROJECT = "headgate.project"

_HIVE = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint"}  # the other names are the same
_MAX_COMMENT = 255  # characters of a column's comment in Glue
_MAX_DESCRIPTION = 2048
_MAX_OWNER = 255
#: What `UpdateTable` takes of what `GetTable` returns.
_INPUT_KEYS = frozenset(
    [
        "Name",
        "Description",
        "Owner",
        "Retention",
        "StorageDescriptor",
        "PartitionKeys",
        "TableType",
        "Parameters",
    ]
)


def table_input(table: GoldTable, project: str) -> dict[str, Any]:
    """The document that registers a table, as `CreateTable` takes it. Equal tables give equal documents."""
    return {
        "Name": table.short_name,
        "Description": _line(table.description, _MAX_DESCRIPTION),
        **({"Owner": _line(table.owner, _MAX_OWNER)} if table.owner else {}),  # Glue refuses an empty owner
        "TableType": "EXTERNAL_TABLE",
        "Parameters": _parameters(table, project),
        "PartitionKeys": [],  # Delta's log knows the partitions
        "StorageDescriptor": {
            "Columns": [_column(column) for column in table.columns],
            "Location": table.location,
            "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                "Parameters": {"serialization.format": "1", "path": table.location},
            },
        },
    }


def differences(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """How a registered table (as `GetTable` returns it) differs from the document that it should have.

    Parameters that others set do not count, and neither does what Glue adds.
    """
    return [
        *_column_differences(_columns_of(existing), _columns_of(wanted)),
        *_value_differences(existing, wanted),
    ]


def updated(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The document for `UpdateTable`: what is wanted, with the parameters that others have set."""
    kept = {key: existing[key] for key in _INPUT_KEYS if key in existing and key != "Owner"}
    others = {name: value for name, value in existing.get("Parameters", {}).items() if not name.startswith("headgate.")}
    return {**kept, **wanted, "Parameters": {**others, **wanted["Parameters"]}}


def hive_type(kind: Any) -> str:
    """A type of a table's log (as `ledger.schema_of` returns it) as Glue writes it."""
    if isinstance(kind, str):
        return _HIVE.get(kind, kind)
    if kind["type"] == "struct":
        fields = (f"{field['name']}:{hive_type(field['type'])}" for field in kind["fields"])
        return f"struct<{','.join(fields)}>"
    if kind["type"] == "array":
        return f"array<{hive_type(kind['elementType'])}>"
    return f"map<{hive_type(kind['keyType'])},{hive_type(kind['valueType'])}>"


def _parameters(table: GoldTable, project: str) -> dict[str, str]:
    own = {
        PROJECT: project,
        "headgate.table": table.name,
        "headgate.grain": table.grain,
        "headgate.owner": table.owner,
        "headgate.fresh_within": table.fresh_within,
        "headgate.contract_version": table.contract_version,
        "headgate.partitioned_by": ",".join(table.partition_by),
    }
    return {
        "EXTERNAL": "TRUE",
        "classification": "delta",
        "table_type": "DELTA",
        "spark.sql.sources.provider": "delta",
        **{name: value for name, value in own.items() if value},
    }


def _column(column: GoldColumn) -> dict[str, Any]:
    document: dict[str, Any] = {"Name": column.name, "Type": hive_type(column.type)}
    if column.comment:
        document["Comment"] = _line(column.comment, _MAX_COMMENT)
    if column.classification:
        document["Parameters"] = {"headgate.classification": column.classification}
    return document


def _line(text: str, limit: int) -> str:
    """A text on one line, as Glue takes it, cut to `limit` characters."""
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def _columns_of(document: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Column -> (type, comment, classification)."""
    columns = document.get("StorageDescriptor", {}).get("Columns", ())
    return {
        column["Name"]: (
            column.get("Type", ""),
            column.get("Comment", ""),
            column.get("Parameters", {}).get("headgate.classification", ""),
        )
        for column in columns
    }


def _column_differences(
    existing: Mapping[str, tuple[str, str, str]], wanted: Mapping[str, tuple[str, str, str]]
) -> list[str]:
    results = [f"column {name} is missing" for name in wanted if name not in existing]
    results += [f"column {name} is no longer in the table" for name in existing if name not in wanted]
    for name in (name for name in wanted if name in existing and existing[name] != wanted[name]):
        (kind, comment, _), (new_kind, new_comment, _) = existing[name], wanted[name]
        if kind != new_kind:
            results.append(f"column {name} is {kind}, and {new_kind} in the table")
        elif comment != new_comment:
            results.append(f"the comment of column {name} is out of date")
        else:
            results.append(f"the classification of column {name} is out of date")
    if not results and list(existing) != list(wanted):
        results.append("the columns are in another order")
    return results


def _value_differences(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    before, after = _values_of(existing), _values_of(wanted)
    own = {name for name in {*before, *after} if name in after or name.startswith("headgate.")}
    return [
        f"{name} is {before.get(name) or 'missing'}, and should be {after.get(name) or 'unset'}"
        for name in sorted(own)
        if before.get(name, "") != after.get(name, "")
    ]


def _values_of(document: Mapping[str, Any]) -> dict[str, str]:
    """What of a document is one text each, by a name that a message can show."""
    storage = document.get("StorageDescriptor", {})
    return {
        **document.get("Parameters", {}),
        "description": document.get("Description", ""),
        "owner": document.get("Owner", ""),
        "table type": document.get("TableType", ""),
        "location": storage.get("Location", ""),
        "path": storage.get("SerdeInfo", {}).get("Parameters", {}).get("path", ""),
    }
