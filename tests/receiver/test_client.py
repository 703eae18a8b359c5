"""The store's client: its requests, retries and final failures."""

import gzip
import hashlib
import socket

import httpx
import pytest

from headgate.client import send
from headgate.errors import UploadRefused


class Network:
    """A receiver that answers as scripted, and a clock that only notes the pauses."""

    def __init__(self, *script: int | httpx.Response | Exception) -> None:
        self.script, self.requests, self.pauses = list(script), [], []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        result = self.script.pop(0) if self.script else 201
        if isinstance(result, Exception):
            raise result
        if isinstance(result, httpx.Response):
            return result
        return receipt_for(request) if result == 201 else httpx.Response(result, json={"detail": f"it was {result}"})

    def send(self, body: bytes = b"abc", **how):
        http = httpx.Client(transport=httpx.MockTransport(self.answer))
        return send(
            "http://receiver/", "key-1", "sales", body, **{**DEFAULTS, **how}, http=http, sleep=self.pauses.append
        )


DEFAULTS = {"idempotency_key": "k-1", "content_type": "application/x-ndjson"}


def receipt_for(request: httpx.Request, **other) -> httpx.Response:
    body = request.content
    receipt = {"upload": "u", "dataset": "sales", "store": "s", "received": "2026-11-21T10:00:00Z", "status": "landed"}
    return httpx.Response(
        201, json={**receipt, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **other}
    )


def test_an_upload_as_it_is_sent():
    network = Network()
    receipt = network.send(b"abc")
    (request,) = network.requests
    assert str(request.url) == "http://receiver/v1/datasets/sales/uploads"
    assert request.headers["Authorization"] == "Bearer key-1"
    assert request.headers["Idempotency-Key"] == '"k-1"'
    assert "Content-Encoding" not in request.headers
    assert (receipt.upload, receipt.bytes, receipt.replayed) == ("u", 3, False)


def test_gzip_compresses_and_compressed_does_not():
    network = Network()
    network.send(b"abc", gzip=True)
    network.send(b"\x1f\x8b...", compressed=True)
    first, second = network.requests
    assert first.headers["Content-Encoding"] == second.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(first.content) == b"abc"
    assert second.content == b"\x1f\x8b..."


@pytest.mark.parametrize(
    "failure", [408, 502, 503, 504, httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.ReadError("x")]
)
def test_what_may_pass_is_tried_again_with_the_same_key_and_bytes(failure):
    network = Network(failure, failure)
    network.send(b"abc", gzip=True)
    assert len({(r.headers["Idempotency-Key"], r.content) for r in network.requests}) == 1
    assert len(network.requests) == 3


def test_pauses_grow_and_heed_the_receiver():
    asks = httpx.Response(503, headers={"Retry-After": "7"})
    network = Network(503, 503, asks, httpx.Response(503, headers={"Retry-After": "9999"}))
    network.send()
    first, second, third, fourth = network.pauses
    assert 0.25 <= first <= 0.5 <= second <= 1.0
    assert (third, fourth) == (7.0, 60.0)


def test_tries_come_to_an_end():
    network = Network(*[503] * 9)
    with pytest.raises(UploadRefused, match="after 3 tries: 503 it was 503"):
        network.send(tries=3)
    assert len(network.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 500, 200, 302])
def test_a_refusal_is_not_tried_again(status):
    network = Network(status)
    with pytest.raises(UploadRefused, match=f"{status} it was {status}"):
        network.send()
    assert len(network.requests) == 1


def test_a_201_that_is_no_receipt_is_no_success():
    for answer in (httpx.Response(201, text="<html>"), httpx.Response(201, json=[1]), httpx.Response(201, json={})):
        with pytest.raises(UploadRefused, match="not a receipt"):
            Network(answer).send()


def test_a_receipt_for_other_bytes_is_no_success():
    other = receipt_for(httpx.Request("POST", "http://x", content=b"xyz"))
    with pytest.raises(UploadRefused, match="other bytes"):
        Network(other).send(b"abc")


@pytest.mark.parametrize("url", ["receiver", "ftp://receiver", "http://receiver:port"])
def test_a_wrong_address_is_said_at_once(url):
    with pytest.raises(UploadRefused, match="cannot be sent"):
        send(url, "k", "sales", b"", sleep=lambda _: pytest.fail("tried again"), **DEFAULTS)


def test_an_error_does_not_show_the_key():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(UploadRefused, match="cannot be sent") as raised:
            send(url, "secret\nkey", "sales", b"", tries=1, **DEFAULTS)
    assert "secret" not in str(raised.value)


def test_the_client_and_the_receiver_agree(app, landed):
    http = httpx.Client(transport=httpx.WSGITransport(app=app))
    upload = {"url": "http://r", "key": "key-1", "dataset": "transactions", "body": b"abc", "http": http}
    awkward = r'a"b\c'
    first = send(**upload, idempotency_key=awkward, content_type="application/x-ndjson")
    again = send(**upload, idempotency_key=awkward, content_type="application/x-ndjson")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.upload == again.upload
    assert list(landed().values()) == [b"abc"]
    with pytest.raises(UploadRefused, match="no such dataset; known: plain"):
        send(**{**upload, "dataset": "sale"}, idempotency_key="k", content_type="application/x-ndjson")
