"""S3 servers that start anywhere: versitygw, atomic by itself and a process; moto, made so by a lock."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from obstore.store import S3Store

from tests.processes import ROOT, free_port

KEY, SECRET, REGION = "headgate", "headgate-secret", "us-east-1"
BUCKET = "lakes"

#: Control paths of moto's server, for changes of a lake that no S3 client can make.
_TOUCH, _COPY = "/-/touch", "/-/copy"
_FAULTS = {
    "lost": ("500 Internal Server Error", "InternalError"),
    "conflict": ("409 Conflict", "ConditionalRequestConflict"),
    "denied": ("403 Forbidden", "AccessDenied"),
}
_NO_VERSITYGW = "versitygw is not installed: make test-s3 does that where Go is"


@dataclass(frozen=True)
class Server:
    """A running server with one bucket. `folder` has the objects as files, if the server stores files."""

    name: str
    endpoint: str
    folder: Path | None = None

    @property
    def variables(self) -> dict[str, str]:
        return variables_of(self.endpoint)


def variables_of(endpoint: str) -> dict[str, str]:
    """What points Headgate at a server: AWS's own variables, and none of Headgate's."""
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    return {**keys, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": endpoint}


def store_at(endpoint: str, bucket: str, **options: Any) -> S3Store:
    return S3Store(
        bucket,
        endpoint=endpoint,
        region=REGION,
        access_key_id=KEY,
        secret_access_key=SECRET,
        client_options={"allow_http": True},
        **options,
    )


def find_versitygw() -> str | None:
    """Where versitygw is, or None."""
    places = [Path(sys.executable).parent, Path.home() / "go" / "bin", *map(Path, os.get_exec_path())]
    return shutil.which("versitygw", path=os.pathsep.join(map(str, places)))


@contextmanager
def versitygw(folder: Path) -> Iterator[Server]:
    """versitygw over `folder`. Raises FileNotFoundError where it is not installed."""
    command = find_versitygw()
    if command is None:
        raise FileNotFoundError(_NO_VERSITYGW)
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    keys = ["--access", KEY, "--secret", SECRET, "--region", REGION]
    with _process([command, "--port", f"127.0.0.1:{port}", *keys, "--quiet", "--keep-alive", "posix", str(folder)]):
        _wait_for(port)
        yield Server("versitygw", f"http://127.0.0.1:{port}", folder / BUCKET)


@contextmanager
def moto() -> Iterator[Server]:
    """moto in a process of its own."""
    port = free_port()
    with _process([sys.executable, "-m", "tests.s3.servers", str(port)]):
        _wait_for(port)
        endpoint = f"http://127.0.0.1:{port}"
        httpx.put(f"{endpoint}/{BUCKET}").raise_for_status()
        yield Server("moto", endpoint)


@contextmanager
def serving(application: Callable, port: int = 0) -> Iterator[str]:
    """A WSGI application on threads of this process; gives its address."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", port, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def moto_in_turn() -> Callable:
    """moto as a WSGI application. Its conditional put looks and then writes, so requests take turns."""
    from moto.server import DomainDispatcherApplication, create_backend_app

    application, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def in_turn(environ: dict, start_response: Callable) -> list[bytes]:
        with turn:
            if environ["PATH_INFO"] in (_TOUCH, _COPY):
                _control(environ["PATH_INFO"], dict(_asked(environ)))
                start_response("204 No Content", [])
                return []
            return list(application(environ, start_response))

    return in_turn


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[S3Store, list[str]]]:
    """An S3 that answers PUT with these statuses, then 200, holds no object, and lists nothing."""
    script, requested = list(statuses), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(script.pop(0) if script else 200)

        def do_HEAD(self) -> None:
            self.answer(404)

        def do_GET(self) -> None:
            self.answer(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")

        def answer(self, status: int, body: bytes = b"") -> None:
            requested.append(self.command)
            self.send_response(status)
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield store_at(endpoint, "bucket", retry_config={"max_retries": 0}), requested
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def faulty_moto(faults: dict[str, list[str]]) -> Iterator[str]:
    """moto, which at each put of a key does the next of its `faults`; gives its address.

    `lost`: the object is written, and the response is a server error. `conflict`: nothing is written, because
    another put is reported as in progress. `denied`: nothing is written. `pass`: no fault.
    """
    application = moto_in_turn()

    def answer(environ: dict, start_response: Callable) -> Iterable[bytes]:
        key = environ["PATH_INFO"].rpartition("/")[2]
        fault = faults[key].pop(0) if environ["REQUEST_METHOD"] == "PUT" and faults.get(key) else "pass"
        if fault == "pass":
            return application(environ, start_response)
        if fault == "lost":
            application(environ, lambda *_: None)
        status, code = _FAULTS[fault]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) if fault != "lost" else 0)
        start_response(status, [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()]

    with serving(answer) as endpoint:
        httpx.put(f"{endpoint}/{BUCKET}").raise_for_status()
        yield endpoint


# --- changes of a lake that no S3 client can make


def touch(server: Server, key: str, at: datetime) -> None:
    """Sets when an object was last modified."""
    if server.folder:
        os.utime(server.folder / key, (at.timestamp(), at.timestamp()))
    else:
        _ask_moto(server, _TOUCH, key=key, at=at.isoformat())


def copy_below(server: Server, source: str, target: str) -> None:
    """Copies the objects below a prefix, with their modification times."""
    if server.folder:
        shutil.copytree(server.folder / source, server.folder / target)
    else:
        _ask_moto(server, _COPY, source=source, target=target)


def _ask_moto(server: Server, path: str, **params: str) -> None:
    httpx.post(f"{server.endpoint}{path}", params=params).raise_for_status()


def _asked(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from urllib.parse import parse_qsl

    yield from parse_qsl(environ["QUERY_STRING"])


def _control(path: str, params: Mapping[str, str]) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    existing = backend.buckets[BUCKET].keys
    if path == _TOUCH:
        existing[params["key"]].last_modified = datetime.fromisoformat(params["at"]).replace(tzinfo=None)
        return
    for name in [name for name in list(existing) if name.startswith(params["source"] + "/")]:
        copy = params["target"] + name.removeprefix(params["source"])
        backend.copy_object(existing[name], BUCKET, copy)
        existing[copy].last_modified = existing[name].last_modified


# --- processes


@contextmanager
def _process(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    with serving(moto_in_turn(), int(sys.argv[1])):
        threading.Event().wait()
