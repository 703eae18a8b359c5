"""The receiver on an S3 API: moto with a lock, and an S3 that misbehaves on purpose."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import httpx
import obstore
import pytest
from obstore.store import S3Store

from headgate.errors import StorageError
from ingest_api.body import read_body
from ingest_api.land import land
from ingest_api.storage import Storage, impatient


def test_one_of_many_at_the_same_moment_creates(s3, contract_of):
    def post(number):
        return land(Storage(s3), contract_of("transactions"), "store-1", "k-1", read_body(BytesIO(b"x" * 1000)))

    with ThreadPoolExecutor(16) as pool:
        landings = list(pool.map(post, range(16)))
    assert sum(not landing.replayed for landing in landings) == 1
    assert len({landing.receipt for landing in landings}) == 1
    (only,) = [found for batch in obstore.list(s3, "landing/") for found in batch]
    assert (only["path"], only["size"]) == (landings[0].path, 1000)


def test_a_store_that_honours_conditions_is_ready(s3):
    Storage(s3).probe()


def test_a_store_that_overwrites_on_create_is_not_ready():
    with answering() as (store, _), pytest.raises(StorageError, match="overwrites"):
        Storage(store).probe()


def test_a_conflict_is_not_taken_for_an_object_that_exists():
    with answering(409, 409, 200) as (store, asked):
        assert Storage(store).create("landing/x", BytesIO(b"abc")) is True
    assert asked == ["PUT", "HEAD", "PUT", "HEAD", "PUT"]


def test_conflicts_without_end_are_an_error(monkeypatch):
    monkeypatch.setattr("ingest_api.storage._CONFLICT_PAUSES", (0.0, 0.0))
    with answering(409, 409) as (store, _), pytest.raises(StorageError, match="under way"):
        Storage(store).create("landing/x", BytesIO(b"abc"))


def test_a_store_that_is_gone_is_an_error():
    with answering() as (store, _):
        pass
    with pytest.raises(StorageError, match="cannot write"):
        Storage(store).create("landing/x", BytesIO(b"abc"))


def test_the_receivers_store_gives_up_within_seconds():
    store = S3Store("bucket", prefix="p", region="us-east-1", client_options={"allow_http": True})
    quick = impatient(store)
    assert quick.prefix == "p" and quick.config["bucket"] == "bucket"
    assert quick.client_options["allow_http"] == "true"
    assert quick.retry_config["retry_timeout"].total_seconds() <= 20


@pytest.fixture
def s3() -> Iterator[S3Store]:
    """A bucket on moto. Its conditional put looks and then writes, so requests take turns."""
    pytest.importorskip("flask_cors", reason="needs moto[server]")
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def in_turn(environ, start_response):
        with turn:
            return list(application(environ, start_response))

    server = make_server("127.0.0.1", 0, in_turn, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    httpx.put(f"{endpoint}/bucket")
    yield store_at(endpoint)
    server.shutdown()
    thread.join()
    server.server_close()


def store_at(endpoint: str) -> S3Store:
    return S3Store(
        "bucket",
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="k",
        secret_access_key="s",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[S3Store, list[str]]]:
    """An S3 that answers PUT with these statuses, then 200, holds no object, and lists nothing."""
    script, asked = list(statuses), []

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
            asked.append(self.command)
            self.send_response(status)
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield store_at(f"http://127.0.0.1:{server.server_port}"), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
