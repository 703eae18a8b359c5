"""The OpenAPI 3.1 document of the receiver, served at /v1/openapi.json."""

from collections.abc import Mapping
from typing import Any

from headgate.contracts.contract import Contract
from headgate.http import openapi
from headgate.http.openapi import json_response, parameter, problems
from ingest_api.landing.listing import DEFAULT, MOST, STATES

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_ID = parameter("upload_id", "path", "The upload's id, as its receipt names it.", _TEXT)
_NO_KEY: list[Any] = []

SCHEMAS: dict[str, Any] = {
    "Receipt": {
        "type": "object",
        "description": "A durable upload. `bytes` and `sha256` are of the body as it was sent.",
        "required": ["upload", "dataset", "store", "bytes", "sha256", "received", "status"],
        "properties": {
            "upload": _TEXT,
            "dataset": _TEXT,
            "store": _TEXT,
            "bytes": _COUNT,
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "received": {"type": "string", "format": "date-time"},
            "status": {"const": "landed"},
        },
    },
    "Followed": {
        "description": "A receipt, and the state of the upload.",
        "allOf": [{"$ref": "#/components/schemas/Receipt"}],
        "type": "object",
        "required": ["state"],
        "properties": {
            "state": {"enum": list(STATES)},
            "bronze": {"type": ["object", "null"]},
            "silver": {"type": "array", "items": {"type": "object"}},
            "quarantined": {"type": ["object", "null"]},
            "gold": {"type": "array", "items": {"type": "object"}},
        },
    },
    "Page": {
        "type": "object",
        "required": ["uploads", "next"],
        "properties": {
            "uploads": {"type": "array", "items": {"type": "object", "required": ["upload", "bytes", "received"]}},
            "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
        },
    },
    "Presigned": {
        "type": "object",
        "description": "A PUT to send to S3 with these headers, or the receipt where the bytes have landed already.",
        "required": ["upload", "state"],
        "properties": {
            "upload": _TEXT,
            "state": {"enum": ["waiting", *STATES]},
            "advice": {"type": "string", "description": "What to do with bytes that have landed already."},
            "quarantined": {"type": ["object", "null"]},
            "method": {"const": "PUT"},
            "url": {"type": "string", "format": "uri"},
            "headers": {"type": "object", "additionalProperties": _TEXT},
            "expires": {"type": "string", "format": "date-time"},
            "receipt_at": _TEXT,
            "receipt": {"$ref": "#/components/schemas/Receipt"},
        },
    },
    "Dataset": {
        "type": "object",
        "required": ["dataset", "format", "media_types", "encodings", "limits"],
        "properties": {
            "dataset": _TEXT,
            "format": _TEXT,
            "media_types": {"type": "array", "items": _TEXT},
            "encodings": {"type": "array", "items": _TEXT},
            "limits": {"type": "object"},
            "fields": {"type": "array", "items": {"type": "object"}},
            "example": {"type": ["string", "null"]},
        },
    },
}


def description(contracts: Mapping[str, Contract]) -> dict[str, Any]:
    """The document for these datasets."""
    return openapi.document(
        "Headgate receiver",
        "Uploads of stores. A 201 means that the exact bytes are durable. Send the same upload again, with the same "
        "Idempotency-Key, as often as you like: it lands once.",
        {
            "/v1/datasets": {"get": _datasets()},
            "/v1/datasets/{dataset}": {"get": _dataset(contracts)},
            "/v1/datasets/{dataset}/uploads": {"post": _create(contracts)},
            "/v1/datasets/{dataset}/presigned": {"post": _presign(contracts)},
            "/v1/uploads": {"get": _list(contracts)},
            "/v1/uploads/{upload_id}": {"get": _show()},
            "/v1/uploads/{upload_id}/content": {"head": _offset(), "patch": _append(), "delete": _forget()},
            "/healthz": {"get": _health("healthz", "The process answers.")},
            "/readyz": {"get": _health("readyz", "The lake can be written and listed.")},
        },
        SCHEMAS,
    )


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _dataset_parameter(contracts: Mapping[str, Contract]) -> dict[str, Any]:
    return parameter("dataset", "path", "The dataset.", {"type": "string", "enum": sorted(contracts)})


def _datasets() -> dict[str, Any]:
    shape = {"type": "object", "required": ["datasets"]}
    shape["properties"] = {"datasets": {"type": "array", "items": _schema("Dataset")}}  # type: ignore[assignment]
    responses = {"200": json_response("The datasets that this key may upload.", shape), **problems(401)}
    return {"operationId": "showDatasets", "summary": "List the datasets", "responses": responses}


def _dataset(contracts: Mapping[str, Contract]) -> dict[str, Any]:
    return {
        "operationId": "showDataset",
        "summary": "Show a dataset: formats, limits, fields, an example",
        "parameters": [_dataset_parameter(contracts)],
        "responses": {"200": json_response("The dataset.", _schema("Dataset")), **problems(401, 403, 404)},
    }


def _create(contracts: Mapping[str, Contract]) -> dict[str, Any]:
    headers = [
        *_upload_headers(),
        parameter("Content-Digest", "header", "RFC 9530; checked while the body comes.", _TEXT),
        parameter("Upload-Complete", "header", "?0 begins a resumable upload.", {"enum": ["?0", "?1"]}),
        parameter("Upload-Length", "header", "Bytes of the whole resumable upload.", _COUNT),
        parameter("Repr-Digest", "header", "Digest of the whole resumable upload.", _TEXT),
    ]
    types = sorted({media_type for contract in contracts.values() for media_type in contract.media_types})
    content = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in types}
    return {
        "operationId": "createUpload",
        "summary": "Send an upload",
        "parameters": [_dataset_parameter(contracts), *headers],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "201": json_response("Durable.", _schema("Receipt")),
            **problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
        },
    }


def _presign(contracts: Mapping[str, Contract]) -> dict[str, Any]:
    headers = [
        *_upload_headers(),
        parameter("Content-Type", "header", "The media type of the upload.", _TEXT, required=True),
        parameter("Upload-Length", "header", "Bytes of the upload.", _COUNT, required=True),
        parameter("Repr-Digest", "header", "sha-256 of the upload, as RFC 9530 writes it.", _TEXT, required=True),
    ]
    return {
        "operationId": "presignUpload",
        "summary": "Send an upload straight to S3",
        "parameters": [_dataset_parameter(contracts), *headers],
        "responses": {
            "200": json_response("The PUT to send.", _schema("Presigned")),
            **problems(400, 401, 403, 404, 413, 415, 422, 429, 501, 503),
        },
    }


def _upload_headers() -> list[dict[str, Any]]:
    return [
        parameter(
            "Idempotency-Key",
            "header",
            "One key for each upload, the same on each retry. A UUIDv7 or ULID is landed fastest.",
            {"type": "string", "pattern": "^[!-~]{1,255}$"},
            required=True,
        ),
        parameter("Content-Encoding", "header", "gzip is kept as sent.", {"enum": ["identity", "gzip"]}),
    ]


def _list(contracts: Mapping[str, Contract]) -> dict[str, Any]:
    day = {"type": "string", "format": "date"}
    parameters = [
        parameter("date", "query", "The day of the uploads, in UTC. Default: today.", day),
        parameter("dataset", "query", "Only this dataset.", {"type": "string", "enum": sorted(contracts)}),
        parameter("state", "query", "Only uploads in this state.", {"enum": list(STATES)}),
        parameter("store", "query", "The store of the key; any other is refused.", _TEXT),
        parameter("limit", "query", "Most uploads of a page.", {"type": "integer", "minimum": 1, "maximum": MOST}),
        parameter("cursor", "query", "`next` of the page before.", _TEXT),
    ]
    return {
        "operationId": "listUploads",
        "summary": f"List the store's uploads of a day, {DEFAULT} a page",
        "parameters": parameters,
        "responses": {"200": json_response("A page.", _schema("Page")), **problems(400, 401, 403, 503)},
    }


def _show() -> dict[str, Any]:
    return {
        "operationId": "showUpload",
        "summary": "Show a receipt, and the state of the upload",
        "parameters": [_ID],
        "responses": {"200": json_response("The receipt.", _schema("Followed")), **problems(401, 404, 503)},
    }


def _offset() -> dict[str, Any]:
    headers = {"Upload-Offset": {"schema": _COUNT}, "Upload-Complete": {"schema": _TEXT}}
    kept = {"204": {"description": "Upload-Offset says how many bytes are kept.", "headers": headers}}
    empty = {str(status): {"description": "See the status."} for status in (401, 404, 503)}
    return {"operationId": "showOffset", "summary": "Ask how far it is", "parameters": [_ID], "responses": kept | empty}


def _append() -> dict[str, Any]:
    parameters = [
        _ID,
        parameter("Upload-Offset", "header", "Where the body begins.", _COUNT, required=True),
        parameter("Upload-Complete", "header", "?1: it ends here.", {"enum": ["?0", "?1"]}, required=True),
    ]
    body = {"application/partial-upload": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "operationId": "appendToUpload",
        "summary": "Go on with a resumable upload",
        "parameters": parameters,
        "requestBody": {"required": True, "content": body},
        "responses": {
            "201": json_response("Durable.", _schema("Receipt")),
            "204": {"description": "Kept; the upload goes on."},
            **problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
        },
    }


def _forget() -> dict[str, Any]:
    responses = {"204": {"description": "Forgotten."}, **problems(401, 404, 503)}
    return {
        "operationId": "forgetUpload",
        "summary": "Forget an upload that has not landed",
        "parameters": [_ID],
        "responses": responses,
    }


def _health(name: str, summary: str) -> dict[str, Any]:
    status = {"type": "object", "required": ["status"], "properties": {"status": _TEXT}}
    return {
        "operationId": name,
        "summary": summary,
        "security": _NO_KEY,
        "responses": {"200": json_response(summary, status), **problems(503)},
    }
