"""Around each request of a Flask server: its id, its access line in the log, and its metrics."""

from __future__ import annotations

import logging
import time
from typing import Any

from flask import Flask, Response, g, request

from headgate.http.logs import REQUEST_ID, request_id
from headgate.http.metrics import Metrics

HEADER = "X-Request-Id"


def install(app: Flask, server: str, metrics: Metrics | None = None) -> None:
    """Gives each request an id, logs one line to `<server>.access`, and records HTTP_METRICS.

    The line has method, route, status, milliseconds and the facts of `note`; never a body, a query string or a key.
    """
    log = logging.getLogger(f"{server}.access")

    def begin() -> None:
        g.began, g.facts = time.perf_counter(), {}
        REQUEST_ID.set(request_id(request.headers.get(HEADER)))
        if metrics:
            metrics.add("headgate_http_requests_in_progress", 1, server=server)

    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.began
        response.headers[HEADER] = REQUEST_ID.get()
        route, status = request.endpoint or "unknown", response.status_code
        line = {"method": request.method, "route": route, "status": status, "ms": round(seconds * 1000, 1), **g.facts}
        log.info("", extra={"fields": line})
        if metrics:
            labels = {"server": server, "method": request.method, "route": route, "status": str(status)}
            metrics.add("headgate_http_requests_total", 1, **labels)
            metrics.observe("headgate_http_request_seconds", seconds, server=server, route=route)
        return response

    def close(error: BaseException | None) -> None:
        REQUEST_ID.set("")
        if metrics and "began" in g:
            metrics.add("headgate_http_requests_in_progress", -1, server=server)

    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(close)


def note(**facts: Any) -> None:
    """Adds facts to the access line of the current request: ids and counts, never content or a key."""
    g.facts.update(facts)
