"""Turns problems into Flask responses, so that every failure of a server is a problem document."""

import json
import logging

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from headgate.http.problems import MEDIA_TYPE, Problem

_log = logging.getLogger(__name__)


def problem_response(problem: Problem) -> Response:
    """Returns the response for a problem: its status, headers and document."""
    return Response(json.dumps(problem.as_dict()), problem.status, problem.headers, content_type=MEDIA_TYPE)


def install_error_handlers(app: Flask, unexpected: str = "an internal error; the server's log has the details") -> None:
    """Makes `app` answer a Problem, an HTTP error of Flask or any other exception with a problem document.

    `unexpected` is the detail of the 500 response; the exception itself goes to the log only.
    """

    def on_unexpected(error: Exception) -> Response:
        _log.exception("unexpected error")
        return problem_response(Problem(500, "internal", unexpected))

    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, on_unexpected)


def _on_http_error(error: HTTPException) -> Response:
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return problem_response(Problem(error.code or 500, "http", error.description or error.name, headers))
