"""The OpenAPI 3.1 description of the read API."""

from __future__ import annotations

from functools import cache
from typing import Any

from headgate.http import openapi
from read_api.formats import ARROW, CSV, JSON, NDJSON
from read_api.parameters import FUNCTIONS, OPERATORS

_DESCRIPTION = """Programs read gold tables here. A filter is a parameter `column.operator=value`
(`sale_date.ge=2026-01-01`); `column=value` means `eq`. Follow `next` (or the `Link` header) until it is missing: all
pages are of the same version, and each row comes exactly once. Dates are ISO 8601, times UTC, decimals text."""

_ROW = {"type": "object", "additionalProperties": True}
_ROWS = {
    "type": "object",
    "required": ["table", "version", "masked", "next", "rows"],
    "properties": {
        "table": {"type": "string"},
        "version": {"type": "integer", "description": "The version of the table that was read."},
        "masked": {"type": "array", "items": {"type": "string"}, "description": "Columns that this key sees as null."},
        "next": {"type": ["string", "null"], "description": "The next page; null after the last one."},
        "rows": {"type": "array", "items": _ROW},
    },
}
_COLUMN = {
    "type": "object",
    "required": ["name", "type", "masked"],
    "properties": {
        "name": {"type": "string"},
        "type": {"type": ["string", "object"]},
        "description": {"type": "string"},
        "classification": {"type": ["string", "null"]},
        "masked": {"type": "boolean"},
    },
}
_TABLE = {
    "type": "object",
    "required": ["table", "description", "owner", "contract_version", "links"],
    "properties": {
        "table": {"type": "string"},
        "description": {"type": "string"},
        "owner": {"type": "string"},
        "contract_version": {"type": "string"},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_DETAILS = {
    "type": "object",
    "required": [*_TABLE["required"], "version", "columns"],
    "properties": {
        **_TABLE["properties"],  # type: ignore[dict-item]
        "id": {"type": "string"},
        "version": {"type": "integer"},
        "rows": {"type": ["integer", "null"], "description": "null for a key that is limited to some stores"},
        "stores": {"type": ["array", "null"], "items": {"type": "string"}},
        "columns": {"type": "array", "items": _COLUMN},
        "partition_columns": {"type": "array", "items": {"type": "string"}},
        "freshness": {"type": ["object", "null"]},
        "quality": {"type": ["array", "null"], "items": {"type": "object"}},
        "limits": {"type": "object"},
    },
}
_TABLES = {"type": "object", "required": ["tables"], "properties": {"tables": {"type": "array", "items": _TABLE}}}

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer", "minimum": 0}
_TABLE_NAME = openapi.parameter("table", "path", "A table, such as gold.daily_store_sales.", _TEXT)
_FILTERS = openapi.parameter(
    "filters",
    "query",
    f"Filters, as column.operator=value with {', '.join(OPERATORS)}. `in` takes values separated by commas.",
    {"type": "object", "additionalProperties": _TEXT},
    style="form",
    explode=True,
)
_COLUMNS = openapi.parameter("columns", "query", "Columns, separated by commas; all of them by default.", _TEXT)
_ORDER = openapi.parameter("order", "query", "Columns, separated by commas, with - for descending. Nulls last.", _TEXT)
_LIMIT = openapi.parameter("limit", "query", "Rows of a page; 1000 by default.", {"type": "integer", "minimum": 1})
_CURSOR = openapi.parameter("cursor", "query", "Where the page begins, from `next` of the page before.", _TEXT)
_VERSION = openapi.parameter("version", "query", "A version of the table.", _NUMBER)
_AS_OF = openapi.parameter("as_of", "query", "A time: the version that was the newest then.", _TEXT)
_SINCE = openapi.parameter("since", "query", "Changes after this version; all changes by default.", _NUMBER)
_GROUP_BY = openapi.parameter("group_by", "query", "Columns, separated by commas.", _TEXT)
_AGGREGATE = openapi.parameter(
    "aggregate", "query", f"Aggregates, separated by commas: {', '.join(FUNCTIONS)}, such as sum:revenue.", _TEXT
)


@cache
def document() -> dict[str, Any]:
    """Returns the OpenAPI document."""
    paths = {
        "/v1/tables": _get("listTables", "The tables that the key may read.", [], _json("The tables.", "Tables"), 400),
        "/v1/tables/{table}": _get(
            "showTable",
            "Columns, grain, owner, freshness and quality of a table.",
            [_TABLE_NAME, _VERSION, _AS_OF],
            _json("The table.", "Table"),
            *_TABLE_PROBLEMS,
        ),
        "/v1/tables/{table}/rows": _get(
            "readRows",
            "A page of rows.",
            [_TABLE_NAME, _COLUMNS, _FILTERS, _ORDER, _LIMIT, _CURSOR, _VERSION, _AS_OF],
            _page(),
            *_ROW_PROBLEMS,
        ),
        "/v1/tables/{table}/changes": _get(
            "readChanges",
            "The rows that commits after a version inserted, updated and deleted.",
            [_TABLE_NAME, _COLUMNS, _FILTERS, _SINCE, _LIMIT, _CURSOR],
            _page(),
            *_ROW_PROBLEMS,
        ),
        "/v1/tables/{table}/aggregates": _get(
            "readAggregates",
            "Counts, sums and the like by groups.",
            [_TABLE_NAME, _GROUP_BY, _AGGREGATE, _FILTERS, _VERSION, _AS_OF],
            _page(),
            *_ROW_PROBLEMS,
        ),
    }
    schemas = {"Tables": _TABLES, "Table": _DETAILS, "Rows": _ROWS}
    return openapi.document("Headgate read API", _DESCRIPTION, paths, schemas)


_TABLE_PROBLEMS = (400, 403, 404, 410, 503)
_ROW_PROBLEMS = (*_TABLE_PROBLEMS, 406, 422)


def _get(name: str, summary: str, parameters: list[Any], answer: dict[str, Any], *problems: int) -> dict[str, Any]:
    responses = {"200": answer, "304": {"description": "Not modified."}, **openapi.problems(401, *problems)}
    return {"get": {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}}


def _json(description: str, schema: str) -> dict[str, Any]:
    return openapi.json_response(description, {"$ref": f"#/components/schemas/{schema}"})


def _page() -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    content = {JSON: {"schema": {"$ref": "#/components/schemas/Rows"}}, NDJSON: text, CSV: text, ARROW: {}}
    return {"description": "Rows, in the format that Accept asks for.", "content": content}
