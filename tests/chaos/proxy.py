"""An S3 endpoint with faults: it forwards requests to a real endpoint, and injects a fault into a share of them.

A request is passed on with its `Host` header as it came, so that its signature holds.
"""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: The faults of a request, with their relative frequencies.
FAULTS = {
    "500": 3,  # an error, and nothing is done
    "503 SlowDown": 3,
    "reset before": 3,  # the connection breaks, and nothing is done
    "reset after": 3,  # the request takes effect, and its response is lost
    "torn body": 3,  # half of the request's body arrives; without a body, half of the response
    "timeout": 1,  # no answer for `STALL` seconds, then the connection breaks
}
STALL = 12.0
_CODES = {"500": (500, "InternalError"), "503 SlowDown": (503, "SlowDown")}
_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}


@contextmanager
def misbehaving(
    endpoint: str,
    share: float,
    seed: int = 7,
    *,
    faults: Mapping[str, int] = FAULTS,
    among: Callable[[str, str], bool] = lambda method, path: True,
) -> Iterator[tuple[str, Counter[str]]]:
    """The address of a proxy to `endpoint` on this machine, and how many requests met which fault ("" is none).

    `among` decides by method and path whether a request may get a fault; other requests are not counted.
    """
    drawn, met, turn = random.Random(seed), Counter[str](), threading.Lock()  # noqa: S311

    def fault(method: str, path: str) -> str:
        if not among(method, path):
            return ""
        with turn:
            hit = drawn.random() < share
            kind = drawn.choices(list(faults), list(faults.values()))[0] if hit else ""
            met[kind] += 1
            return kind

    class Handler(_Handler):
        upstream = urlsplit(endpoint).netloc
        next_fault = staticmethod(fault)

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", met
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignores clients that closed the connection, which is intended."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: str

    def next_fault(self, method: str, path: str) -> str:
        raise NotImplementedError

    def _serve(self) -> None:
        fault, length = self.next_fault(self.command, self.path), int(self.headers.get("Content-Length") or 0)
        if fault == "torn body" and length:
            self._tear(length)
            return
        body = self.rfile.read(length)
        if fault in _CODES:
            self._refuse(*_CODES[fault])
        elif fault == "timeout":
            time.sleep(STALL)
            self._break()
        elif fault == "reset before":
            self._break()
        else:
            self._pass_on(body, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

    def _pass_on(self, body: bytes, fault: str) -> None:
        requested = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            self._send_head(requested, len(body))
            requested.send(body)
            answer = requested.getresponse()
            content = answer.read()
        except OSError:  # the real endpoint is gone
            self._break()
            return
        finally:
            requested.close()
        if fault == "reset after":
            self._break()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        details = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        if answer.status not in (204, 304):
            self.send_header("Content-Length", details or "0")
        self.end_headers()
        if fault == "torn body":
            self.wfile.write(content[: len(content) // 2])
            self._break()
            return
        self.wfile.write(content)

    def _send_head(self, upstream: http.client.HTTPConnection, length: int) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP:
                upstream.putheader(name, value)
        upstream.putheader("Content-Length", str(length))
        upstream.endheaders()

    def _tear(self, length: int) -> None:
        """Passes on half of the body, and breaks both connections."""
        requested = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            self._send_head(requested, length)
            requested.send(self.rfile.read(length // 2))
        finally:
            requested.close()
            self._break()

    def _refuse(self, status: int, code: str) -> None:
        content = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _break(self) -> None:
        """A reset: unread and unsent bytes are lost."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
