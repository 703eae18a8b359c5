"""Uploads straight to S3: what is signed is what lands, once, and the receipt says so."""

import base64
import hashlib
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from ingest_api.app import create_app
from tests.receiver.conftest import CONTRACTS, Sender
from tests.s3.servers import moto_in_turn, serving

BODY = b'{"a":1}\n' * 1000


@pytest.fixture
def sender(environment, clock, monkeypatch):
    pytest.importorskip("flask_cors", reason="needs moto[server]")
    with serving(moto_in_turn()) as endpoint:
        httpx.put(f"{endpoint}/bucket")
        for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("ENDPOINT_URL", endpoint)):
            monkeypatch.setenv(f"AWS_{name}", value)
        on_s3 = replace(environment, lake=f"s3://bucket/{uuid4()}")
        yield Sender(create_app(on_s3, CONTRACTS, clock=clock).test_client())


def digest(body):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(sender, body=BODY, key="k-1", **headers):
    wanted = {
        "Authorization": "Bearer key-1",
        "Idempotency-Key": key,
        "Content-Type": "application/x-ndjson",
        "Upload-Length": str(len(body)),
        "Repr-Digest": digest(body),
        **headers,
    }
    sent = {name: value for name, value in wanted.items() if value is not None}
    return sender.client.post("/v1/datasets/transactions/presigned", headers=sent)


def put(answer, body=BODY):
    return httpx.put(answer["url"], content=body, headers=answer["headers"])


def test_a_body_put_to_s3_has_a_receipt(sender):
    answer = sign(sender).get_json()
    assert sender.get(answer["receipt_at"]).status_code == 404
    assert put(answer).status_code == 200
    receipt = sender.get(answer["receipt_at"]).get_json()
    assert (receipt["bytes"], receipt["sha256"]) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert sender.post(BODY).headers["Idempotent-Replayed"] == "true"


def test_length_digest_and_condition_are_signed(sender):
    answer = sign(sender).get_json()
    signed = httpx.URL(answer["url"]).params["X-Amz-SignedHeaders"].split(";")
    assert {"content-length", "if-none-match", "x-amz-checksum-sha256"} <= set(signed)


def test_a_second_put_is_refused_and_changes_nothing(sender):
    answer = sign(sender).get_json()
    put(answer)
    assert put(answer).status_code == 412
    again = sign(sender).get_json()
    assert (again["state"], again["receipt"]["upload"]) == ("landed", answer["upload"])
    assert again["advice"] == "it waits for the next run: nothing to do"


def test_other_bytes_under_a_landed_key_are_refused(sender):
    put(sign(sender).get_json())
    answer = sign(sender, b"other")
    assert (answer.status_code, answer.get_json()["type"]) == (422, "urn:headgate:problem:key-reused")


def test_an_upload_that_lands_hours_later_is_marked_late(sender, clock):
    answer = sign(sender, key="019ab5c0-1234-7abc-8def-0123456789ab").get_json()
    put(answer)
    assert sender.get(answer["receipt_at"]).status_code == 200
    storage = sender.client.application.extensions["headgate"].storage
    assert [path["path"] for batch in storage.objects.list("late/") for path in batch]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": None}, 400, "parameter"),
        ({"Repr-Digest": None}, 400, "parameter"),
        ({"Upload-Length": str(6 * 2**30)}, 413, "too-large"),
        ({"Content-Type": "text/html"}, 415, "unsupported-media-type"),
        ({"Authorization": "Bearer x"}, 401, "unauthorized"),
        ({"Idempotency-Key": None}, 400, "idempotency-key"),
    ],
)
def test_what_is_refused(sender, headers, status, code):
    answer = sign(sender, **headers)
    assert (answer.status_code, answer.get_json()["type"]) == (status, f"urn:headgate:problem:{code}")


def test_a_lake_in_a_folder_has_no_presigned_uploads(environment, clock):
    local = Sender(create_app(environment, CONTRACTS, clock=clock).test_client())
    assert sign(local).status_code == 501
