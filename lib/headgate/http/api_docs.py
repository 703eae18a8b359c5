"""Serves an OpenAPI document and a page to read and try it: /v1/openapi.json and /v1/docs.

The page is Swagger UI. Its files come from the package flask-openapi3-swagger and are served from here, because a
server in a private network reaches no content delivery network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, send_from_directory

_PACKAGE = "flask_openapi3_swagger"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="docs/assets/css/swagger-ui.css"></head>
<body><div id="ui"></div>
<script src="docs/assets/js/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body></html>"""
_START = """window.ui = SwaggerUIBundle({
  url: "openapi.json", dom_id: "#ui", deepLinking: true, persistAuthorization: false, validatorUrl: null });"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def install(app: Flask, document: Callable[[], Mapping[str, Any]]) -> None:
    """Adds the routes to `app`; `document` returns the OpenAPI document."""
    routes = Blueprint("api_docs", __name__, url_prefix="/v1")

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return Response(json.dumps(document()), content_type="application/json")

    @routes.get("/docs")
    def page() -> Response:
        title = document()["info"]["title"]
        headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(_PAGE.format(title=title), headers=headers, content_type="text/html; charset=utf-8")

    @routes.get("/docs/start.js")
    def start() -> Response:
        return Response(_START, content_type="text/javascript; charset=utf-8")

    @routes.get("/docs/assets/<path:name>")
    def asset(name: str) -> Response:
        return send_from_directory(_assets(), name, max_age=86400)

    app.register_blueprint(routes)


def _assets() -> Path:
    """Returns the folder of Swagger UI's files, without importing their package."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{_PACKAGE} is not installed: pip install 'headgate[receiver]'")
    return Path(spec.origin).parent / "templates" / "swagger"
