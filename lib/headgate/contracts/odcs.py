"""The keys of a contract: the part of the Open Data Contract Standard (ODCS) that Headgate supports.

A key that ODCS knows, but Headgate neither enforces, publishes nor shows, is refused by name: a rule
that is written down and does nothing is worse than none. ODCS's own JSON schema comes with its package;
its Python model is not used, because it drops unknown keys in silence and takes long to import.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headgate.document import Document, Problem

DEFAULT_MAX_RECORD_BYTES = 16 * 2**20
DEFAULT_MAX_RECORDS = 20_000_000
#: Of a compressed upload: one that grows beyond it may be a zip bomb.
DEFAULT_MAX_UNCOMPRESSED_BYTES = 2**30

_TEXT = {"type": "string", "minLength": 1, "x-wanted": "some text"}
_NAME = {
    "type": "string",
    "pattern": "^[A-Za-z][A-Za-z0-9_]*$",
    "x-wanted": "letters, digits and `_`, beginning with a letter (a leading `_` is Headgate's own)",
}
_TYPES = ["string", "integer", "number", "boolean", "date", "timestamp", "object", "array"]

_LENGTH = {"type": "integer", "minimum": 0, "x-wanted": "a whole number from 0"}
_BOUND = {"type": ["number", "string"], "x-wanted": "a number, or a date or timestamp as text"}

_OPTIONS: dict[str, Any] = {
    "title": "the options of a logical type",
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "minimum": _BOUND,
        "maximum": _BOUND,
        "minLength": _LENGTH,
        "maxLength": _LENGTH,
        "pattern": _TEXT,
        "minItems": _LENGTH,
        "maxItems": _LENGTH,
    },
}

_VALUE: dict[str, Any] = {
    "title": "an allowed value",
    "type": "object",
    "additionalProperties": False,
    "required": ["value"],
    "properties": {"value": {"type": ["string", "number"]}, "description": _TEXT},
}

# What limits the values of an uploaded field. A table's contract has no limits: its values are checked by its suite.
_LIMITS: dict[str, Any] = {
    "enum": {"type": "array", "minItems": 1, "x-wanted": "a list of {value: ...}", "items": _VALUE},
    "logicalTypeOptions": _OPTIONS,
}

_ELEMENT: dict[str, Any] = {
    "logicalType": {"enum": _TYPES},
    "physicalType": {"type": "string"},
    "description": _TEXT,
    "classification": _TEXT,
    "examples": {"type": "array", "minItems": 1, "x-wanted": "a list of values"},
    "properties": {
        "type": "array",
        "minItems": 1,
        "x-wanted": "at least one column",
        "items": {"$ref": "#/$defs/column"},
    },
    "items": {"$ref": "#/$defs/items"},
}

_COLUMN: dict[str, Any] = {
    "title": "a column",
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "logicalType"],
    "properties": {
        "name": _NAME,
        "physicalName": {"type": "string", "minLength": 1, "x-wanted": "the name in the upload, such as `_id`"},
        **_ELEMENT,
        **_LIMITS,
        "required": {"type": "boolean"},
        "primaryKey": {"type": "boolean"},
        "primaryKeyPosition": {"type": "integer", "minimum": 1, "x-wanted": "the column's place in the key, from 1"},
    },
}

_ITEMS: dict[str, Any] = {
    "title": "the items of an array",
    "type": "object",
    "additionalProperties": False,
    "required": ["logicalType"],
    "properties": {**_ELEMENT, **_LIMITS},
}

_DATASET: dict[str, Any] = {
    "title": "a schema object",
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "properties"],
    "properties": {
        "name": {
            "type": "string",
            "pattern": "^[a-z][a-z0-9_]*$",
            "x-wanted": "a dataset's name: lower-case letters, digits and `_`, beginning with a letter",
        },
        "logicalType": {"const": "object"},
        "description": _TEXT,
        "properties": _ELEMENT["properties"],
    },
}

_TEAM: dict[str, Any] = {
    "title": "a team",
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {"name": _TEXT},
}

_CUSTOM: dict[str, Any] = {
    "title": "a custom property",
    "type": "object",
    "additionalProperties": False,
    "required": ["property", "value"],
    "properties": {"property": {"type": "string"}, "value": True, "description": _TEXT},
}

#: A contract as Headgate takes it: narrower than ODCS, never wider.
CONTRACT: dict[str, Any] = {
    "title": "a contract",
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "id", "version", "team", "schema", "customProperties"],
    "properties": {
        "apiVersion": {"enum": ["v3.1.0", "v3.2.0"]},
        "kind": {"const": "DataContract"},
        "id": _TEXT,
        "version": _TEXT,
        "status": {"const": "active"},
        "team": _TEAM,
        "schema": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "x-wanted": "exactly one schema object: a contract describes a single dataset",
            "items": _DATASET,
        },
        "customProperties": {"type": "array", "items": _CUSTOM},
    },
    "$defs": {"column": _COLUMN, "items": _ITEMS},
}

_TABLE_COLUMN: dict[str, Any] = {
    **_COLUMN,
    "title": "a table's column",
    "properties": {"name": _NAME, **_ELEMENT},
}

_TABLE: dict[str, Any] = {
    **_DATASET,
    "title": "a table",
    "properties": {
        **_DATASET["properties"],
        "name": {**_DATASET["properties"]["name"], "x-wanted": "the table's name, without its layer"},
    },
}

_TABLE_ITEMS: dict[str, Any] = {**_ITEMS, "title": "the items of a table's array", "properties": _ELEMENT}

#: A table's contract: the public schema of the table, without keys for uploads.
TABLE_CONTRACT: dict[str, Any] = {
    **CONTRACT,
    "title": "a table's contract",
    "required": [key for key in CONTRACT["required"] if key != "customProperties"],
    "properties": {
        **{key: value for key, value in CONTRACT["properties"].items() if key != "customProperties"},
        "schema": {
            **CONTRACT["properties"]["schema"],
            "x-wanted": "exactly one schema object: a contract describes a single table",
            "items": _TABLE,
        },
    },
    "$defs": {"column": _TABLE_COLUMN, "items": _TABLE_ITEMS},
}

_CHARACTER = {"type": "string", "pattern": "^[^\r\n]$", "x-wanted": "a single character"}

#: Keys that ODCS does not have, as custom properties of a contract. Their defaults are in contract.py.
CUSTOM: dict[str, Any] = {
    "title": "headgate's custom properties",
    "type": "object",
    "additionalProperties": False,
    "required": ["headgate.format"],
    "properties": {
        "headgate.format": {"enum": ["json", "json_array", "jsonl", "csv", "parquet"]},
        "headgate.compression": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": ["none", "gzip"]},
            "x-wanted": "a list of none and gzip",
        },
        "headgate.csv.delimiter": _CHARACTER,
        "headgate.csv.quote": _CHARACTER,
        "headgate.csv.escape": _CHARACTER,
        "headgate.evolution": {"enum": ["strict", "add_columns"]},
        "headgate.maxRecordBytes": {
            "type": "integer",
            "minimum": 1,
            "maximum": 2**30,
            "x-wanted": f"a number of bytes from 1 to {2**30}",
        },
        "headgate.maxRecords": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10**9,
            "x-wanted": f"a number of records from 1 to {10**9}",
        },
        "headgate.maxUncompressedBytes": {
            "type": "integer",
            "minimum": 1,
            "maximum": 2**34,
            "x-wanted": f"a number of bytes from 1 to {2**34}",
        },
    },
}

_LEVELS: dict[str, dict[str, Any]] = {
    level["title"]: level
    for level in (
        CONTRACT,
        _DATASET,
        _COLUMN,
        _ITEMS,
        _OPTIONS,
        _VALUE,
        _TEAM,
        _CUSTOM,
        TABLE_CONTRACT,
        _TABLE,
        _TABLE_COLUMN,
        _TABLE_ITEMS,
    )
}
_DEFINED = {  # where ODCS's schema defines a level's keys
    "a schema object": ("SchemaObject", "SchemaElement"),
    "a column": ("SchemaBaseProperty", "SchemaElement"),
    "a table": ("SchemaObject", "SchemaElement"),
    "a table's column": ("SchemaBaseProperty", "SchemaElement"),
    "the items of an array": ("SchemaBaseProperty", "SchemaElement"),
    "the items of a table's array": ("SchemaBaseProperty", "SchemaElement"),
    "a team": ("Team",),
    "a custom property": ("CustomProperty",),
}
_RULES = "remove it; a rule on values is an expectation, in conf/expectations"
_INSTEAD = {
    "quality": _RULES,
    "unique": f"{_RULES}, or a primaryKey",
    "enum": _RULES,
    "logicalTypeOptions": _RULES,
    "physicalName": "remove it; only a column of a dataset may have another name in the upload",
    "servers": "remove it; conf/environments defines the lake",
    "partitioned": "remove it; a table declares `partition_by` in its module",
    "partitionKeyPosition": "remove it; a table declares `partition_by` in its module",
    "name": "remove it; the dataset's name is `name` of its schema object",
    "customProperties": "remove it; Headgate's custom properties belong to the top level of the file",
}


@cache
def published_schema() -> dict[str, Any]:
    """ODCS's own JSON schema, from its package."""
    file = resources.files("open_data_contract_standard") / "schema.json"
    schema: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return schema


@cache
def published_validator() -> Any:
    """A validator of ODCS's own JSON schema."""
    import jsonschema_rs

    return jsonschema_rs.validator_for(published_schema())


def explain(level: str, key: str) -> tuple[str, str] | None:
    """What to say, and to do, about a key that `level` does not take; None where only its spelling can help."""
    if level == _OPTIONS["title"]:
        return "Headgate does not enforce this option", f"use {', '.join(_OPTIONS['properties'])}, or an expectation"
    home = next((name for name, other in _LEVELS.items() if key in other["properties"]), None)
    if key in _odcs_keys(level) or (home is None and any(key in _odcs_keys(other) for other in _LEVELS)):
        return f"ODCS knows `{key}`, Headgate does not enforce it yet", _advice(level, key)
    if home:
        return f"belongs to {home}, not to {level}", "move it there"
    if key == "owner":
        return "ODCS has no `owner`", "write team: {name: ...}"
    return _custom_hint(level, key)


def _custom_hint(level: str, key: str) -> tuple[str, str] | None:
    """Where a key of Headgate's own was written as if ODCS had it."""
    own = {name.removeprefix("headgate."): name for name in CUSTOM["properties"]} if level in _LEVELS else {}
    near = get_close_matches(key.removeprefix("headgate."), [*_accepted(level), *own], n=1)
    if not near or near[0] not in own:
        return None
    item = f"{{property: {own[near[0]]}, value: ...}}"
    return f"unknown key. Did you mean '{own[near[0]]}'?", f"write it as an item of customProperties: {item}"


def _accepted(level: str) -> dict[str, Any]:
    result: dict[str, Any] = _LEVELS.get(level, {}).get("properties", {})
    return result


def _odcs_keys(level: str) -> set[str]:
    schema = published_schema()
    if level in (CONTRACT["title"], TABLE_CONTRACT["title"]):
        return set(schema["properties"])
    return {key for name in _DEFINED.get(level, ()) for key in schema["$defs"][name]["properties"]}


def _advice(level: str, key: str) -> str:
    if level in (CONTRACT["title"], TABLE_CONTRACT["title"]) and key == "description":
        return "remove it; the description is that of the schema object"
    if level == TABLE_CONTRACT["title"] and key == "customProperties":
        return "remove it; uploads are described in the contract of a dataset"
    if level == _ITEMS["title"] and key == "required":
        return "remove it; an item of an array is never null"
    return _INSTEAD.get(key, "remove it")


def published_problems(document: Document) -> list[Problem]:
    """Returns the problems that ODCS's own schema finds in a document.

    jsonschema-rs, because jsonschema evaluates `unevaluatedProperties` again at each level: a contract of ten nested
    objects took minutes.
    """
    errors = published_validator().iter_errors(document.value)
    return [document.problem(tuple(error.instance_path), error.message[:200]) for error in errors]
