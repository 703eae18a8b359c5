"""The receiver behind a Lambda function URL or an API Gateway HTTP API, for small senders: the same application.

Set the handler to `ingest_api.lambda_handler.handler`, and HEADGATE_PROJECT (the folder of the project in the package)
and HEADGATE_ENV. A request to Lambda has at most 6 MB; larger bodies need the receiver under gunicorn.
"""

from __future__ import annotations

import base64
import functools
import os
import sys
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from flask import Flask

from ingest_api.app import for_project

_TEXT = ("application/json", "application/problem+json", "text/")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers one event (payload format 2.0)."""
    return respond(_application(), event)


@functools.cache
def _application() -> Flask:
    """The application, made at the first event of a function instance."""
    return for_project(os.environ.get("HEADGATE_PROJECT", "."), os.environ.get("HEADGATE_ENV", "prod"))


def respond(application: Flask, event: dict[str, Any]) -> dict[str, Any]:
    """The response of a WSGI application to an event."""
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answer.update(status=int(status.partition(" ")[0]), headers=headers)
        return lambda _: None

    iterable = application.wsgi_app(environ_of(event), start_response)
    try:
        body = b"".join(iterable)
    finally:
        if close := getattr(iterable, "close", None):
            close()
    headers = dict(answer["headers"])
    as_text = headers.get("Content-Type", "").startswith(_TEXT)
    return {
        "statusCode": answer["status"],
        "headers": headers,
        "body": body.decode() if as_text else base64.b64encode(body).decode(),
        "isBase64Encoded": not as_text,
    }


def environ_of(event: dict[str, Any]) -> dict[str, Any]:
    """The WSGI environment of an event."""
    http = event["requestContext"]["http"]
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": http["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(event.get("rawPath", "/"), "latin-1"),
        "QUERY_STRING": event.get("rawQueryString", ""),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": event["requestContext"].get("domainName", "lambda"),
        "SERVER_PORT": "443",
        "REMOTE_ADDR": http.get("sourceIp", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in (event.get("headers") or {}).items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key != "CONTENT_LENGTH":  # the received length counts, not the declared length
            environ[f"HTTP_{key}"] = value
    return environ
