"""The receiver behind a Lambda function URL: the same answers as over HTTP."""

import base64
import gzip
import json

import pytest

from ingest_api.lambda_handler import respond


def event(body=b"{}\n", method="POST", path="/v1/datasets/transactions/uploads", **headers):
    sent = {
        "authorization": "Bearer key-1",
        "idempotency-key": "k-1",
        "content-type": "application/x-ndjson",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": sent,
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def test_an_upload_lands_and_a_replay_is_a_replay(app, landed):
    first, again = respond(app, event(b"abc")), respond(app, event(b"abc"))
    assert (first["statusCode"], again["statusCode"]) == (201, 201)
    assert first["body"] == again["body"] and again["headers"]["Idempotent-Replayed"] == "true"
    assert list(landed().values()) == [b"abc"]


def test_the_receipt_is_shown(app):
    upload = json.loads(respond(app, event())["body"])["upload"]
    shown = respond(app, event(b"", "GET", f"/v1/uploads/{upload}"))
    assert (shown["statusCode"], json.loads(shown["body"])["upload"]) == (200, upload)


def test_gzip_is_kept_as_sent(app, landed):
    body = gzip.compress(b"{}\n")
    assert respond(app, event(body, content_encoding="gzip"))["statusCode"] == 201
    assert list(landed().values()) == [body]


@pytest.mark.parametrize(
    ("change", "status"),
    [({"authorization": "Bearer x"}, 401), ({"idempotency_key": ""}, 400), ({"content_type": "text/plain"}, 415)],
)
def test_refusals_are_problems(app, change, status):
    answer = respond(app, event(**change))
    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (status, status)


def test_a_digest_that_differs_is_refused(app, landed):
    wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    answer = respond(app, event(content_digest=wrong))
    assert answer["statusCode"] == 400 and landed() == {}
