"""Helpers for an OpenAPI 3.1 document: the parts that are the same for every server."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from headgate import __version__
from headgate.http.problems import MEDIA_TYPE

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "A stable identifier of the kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "The problem and its correction, for people."},
    },
}


def document(
    title: str, description: str, paths: Mapping[str, Any], schemas: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns an OpenAPI 3.1 document whose operations need a bearer key unless they say `security: []`."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "description": description, "version": __version__, "license": _LICENSE},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "Your client's key."}},
            "schemas": {"Problem": PROBLEM_SCHEMA, **(schemas or {})},
        },
    }


_LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def problems(*statuses: int) -> dict[str, Any]:
    """Returns the responses of these statuses, each a problem document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def json_response(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a response with a JSON body of `schema`."""
    return {"description": description, "content": {"application/json": {"schema": dict(schema)}}}


def parameter(name: str, where: str, description: str, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Returns a parameter; `where` is path, query or header. A path parameter is required."""
    required = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, "description": description, "schema": dict(schema), **required, **more}
