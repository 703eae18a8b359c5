"""What a sender needs to know of the datasets: formats, media types, limits, schema, an example."""

import json
from typing import Any

from flask import Blueprint, Response, jsonify

from headgate.contracts.contract import Contract, Field
from ingest_api.routes import authenticate, contract_of
from ingest_api.services import services

catalog = Blueprint("catalog", __name__)

_EXAMPLES: dict[str, Any] = {
    "string": "text",
    "int": 1,
    "bigint": 1,
    "double": 1.5,
    "boolean": True,
    "date": "2026-11-21",
    "timestamp": "2026-11-21T10:25:04Z",
}


@catalog.get("/v1/datasets")
def show_datasets() -> Response:
    """The datasets that this key may upload."""
    sender = authenticate()
    contracts = services().contracts
    allowed = [name for name in sorted(contracts) if sender.datasets is None or name in sender.datasets]
    return jsonify({"datasets": [_summary(contracts[name]) for name in allowed], "sandbox": sender.sandbox})


@catalog.get("/v1/datasets/<dataset>")
def show_dataset(dataset: str) -> Response:
    """One dataset with its fields and an example body."""
    sender = authenticate()
    contract = contract_of(dataset, sender)
    details = {
        "key": [field.sent_name for name in contract.key for field in contract.fields if field.name == name],
        "fields": [_field(field) for field in contract.fields],
        "evolution": contract.evolution,
        "example": example(contract),
    }
    if contract.format == "csv":
        details["csv"] = {
            "delimiter": contract.csv.delimiter,
            "quote": contract.csv.quote,
            "escape": contract.csv.escape,
        }
    return jsonify({**_summary(contract), **details})


def _summary(contract: Contract) -> dict[str, Any]:
    encodings = ["identity" if name == "none" else name for name in contract.compressions]
    limits = {"bytes": services().limit, "record_bytes": contract.max_record_bytes}
    return {
        "dataset": contract.dataset,
        "version": contract.version,
        "description": contract.description,
        "owner": contract.owner,
        "format": contract.format,
        "media_types": list(contract.media_types),
        "encodings": encodings,
        "limits": limits,
        "upload": f"/v1/datasets/{contract.dataset}/uploads",
    }


def _field(field: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": field.sent_name, "type": field.type, "required": field.required}
    if field.description:
        shown["description"] = field.description
    if field.type == "decimal":
        shown |= {"precision": field.precision, "scale": field.scale}
    if field.fields:
        shown["fields"] = [_field(inner) for inner in field.fields]
    if field.item is not None:
        shown["item"] = _field(field.item)
    return shown


def example(contract: Contract) -> str | None:
    """A body with one record that the contract accepts; None for Parquet, which is not text."""
    record = {field.sent_name: _value(field) for field in contract.fields}
    if contract.format == "parquet":
        return None
    if contract.format == "csv":
        delimiter = contract.csv.delimiter
        values = ("" if value is None else str(value) for value in record.values())
        return f"{delimiter.join(record)}\n{delimiter.join(values)}\n"
    text = json.dumps(record, ensure_ascii=False)
    return f"[{text}]" if contract.format == "json_array" else f"{text}\n"


def _value(field: Field) -> Any:
    if field.type == "struct":
        return {inner.sent_name: _value(inner) for inner in field.fields}
    if field.type == "array":
        return [_value(field.item)] if field.item else []
    if field.type == "decimal":
        return f"1.{'0' * field.scale}" if field.scale else "1"
    return _EXAMPLES[field.type]
