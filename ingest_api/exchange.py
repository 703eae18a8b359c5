"""Around each request: its time limit, the rest of an unread body, its line in the log."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask, Response, g, request

from ingest_api.landing.body import BodyCut, pieces
from ingest_api.services import services

# A body has this long, in seconds, from first to last byte: 128 MiB at 1.2 Mbit/s. A thread is not
# held for longer by a client that sends a byte now and then.
BODY_SECONDS = 900.0
# How long, in seconds, the rest of a refused body is read so that its sender gets to the answer.
DRAIN_SECONDS = 10.0

_UNREAD, _READ, _BROKEN = "unread", "read", "broken"
_log = logging.getLogger("ingest_api.access")


def install(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_drain)
    app.after_request(_write_log)  # Flask runs the last one first: the line's time leaves the drain out


def note(**facts: Any) -> None:
    """Adds facts about the upload to the request's log line: never content, never a key."""
    g.facts.update(facts)


def body_is_read() -> None:
    """Says that nothing of the request's body is left."""
    g.body = _READ


def body_is_broken() -> None:
    """Says that no more of the body will come, or that its end cannot be known."""
    g.body = _BROKEN


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends the reading of the body after `seconds`: the connection's input is shut, and the body cut.

    Only a timer does that: a server's `read` goes on as long as any byte comes. Under a server that
    does not show its socket there is no limit.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    timer = threading.Timer(seconds, _shut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


def _begin() -> None:
    g.began = time.monotonic()
    g.facts = {}
    g.body = _READ if request.method in ("GET", "HEAD") and not request.content_length else _UNREAD


def _drain(response: Response) -> Response:
    """Reads what is left of a refused body, up to a bound: else its sender may wait, or never see the answer.

    Beyond the bound, or where the body is broken, the connection is closed.
    """
    if g.body == _BROKEN or (g.body == _UNREAD and not _drained(services().limit)):
        response.headers["Connection"] = "close"
        # gunicorn takes no such header from an application; its configuration file puts this here.
        if close := getattr(request.environ.get("wsgi.input"), "close_connection", None):
            close()
    return response


def _drained(bound: int) -> bool:
    """Whether the body came to its end within `bound` bytes and the time limit."""
    count, end = 0, time.monotonic() + DRAIN_SECONDS
    try:
        with time_limit(DRAIN_SECONDS):
            for piece in pieces(request.stream):
                count += len(piece)
                if count > bound or time.monotonic() > end:
                    return False
    except BodyCut:
        return False
    return True


def _write_log(response: Response) -> Response:
    milliseconds = round((time.monotonic() - g.began) * 1000)
    line = {"method": request.method, "route": request.endpoint, "status": response.status_code, "ms": milliseconds}
    _log.info(json.dumps({**line, **g.facts}))
    return response
