"""Resumable uploads: bytes that were kept are not sent again, whoever receives the rest."""

import base64
import hashlib
import random
from datetime import timedelta
from io import BytesIO

import httpx
import obstore
import pytest

from ingest_api.app import create_app
from tests.receiver.conftest import CONTRACTS, Sender
from tests.s3.servers import moto_in_turn, serving, store_at

PARTIAL = "application/partial-upload"


def begin(sender, key="k-1", **headers):
    return sender.post(b"", key, Upload_Complete="?0", **headers)


def append(sender, place, offset, body, last="?0", length=None):
    """A PATCH whose body ends after `body`; `length` declares more bytes, as a connection that is cut leaves it."""
    headers = {
        "Authorization": "Bearer key-1",
        "Content-Type": PARTIAL,
        "Upload-Offset": str(offset),
        "Upload-Complete": last,
    }
    environ = {"CONTENT_LENGTH": str(length or len(body)), "wsgi.input": BytesIO(body)}
    return sender.client.patch(place, headers=headers, environ_overrides=environ)


def offset_of(sender, place):
    answer = sender.client.head(place, headers={"Authorization": "Bearer key-1"})
    return int(answer.headers["Upload-Offset"])


def test_an_upload_in_three_requests_lands_whole(sender, landed):
    place = begin(sender).headers["Location"]
    assert append(sender, place, 0, b"abc").status_code == 204
    assert append(sender, place, 3, b"def").headers["Upload-Offset"] == "6"
    assert landed() == {}
    answer = append(sender, place, 6, b"ghi", "?1")
    assert (answer.status_code, answer.headers["Upload-Complete"]) == (201, "?1")
    assert answer.get_json()["sha256"] == hashlib.sha256(b"abcdefghi").hexdigest()
    assert list(landed().values()) == [b"abcdefghi"]
    assert landed("incoming") == {}


def test_what_came_before_a_cut_is_kept(sender, landed):
    place = begin(sender).headers["Location"]
    assert append(sender, place, 0, b"abcd", "?1", length=100).status_code == 408
    assert offset_of(sender, place) == 4
    assert append(sender, place, 4, b"efg", "?1").status_code == 201
    assert list(landed().values()) == [b"abcdefg"]


def test_a_request_at_another_offset_is_refused_with_the_right_one(sender):
    place = begin(sender).headers["Location"]
    append(sender, place, 0, b"abc")
    answer = append(sender, place, 2, b"c")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "3")
    assert answer.get_json()["type"].endswith("#mismatching-upload-offset")
    assert answer.get_json()["expected-offset"] == 3


def test_the_same_key_finds_the_same_upload_on_another_receiver(environment, sender, clock):
    first = begin(sender)
    append(sender, first.headers["Location"], 0, b"abc")
    other = Sender(create_app(environment, CONTRACTS, clock=clock).test_client())
    again = begin(other)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Upload-Offset"] == "3"
    assert append(other, again.headers["Location"], 3, b"d", "?1").status_code == 201


def test_an_upload_that_has_landed_is_a_replay_before_any_byte_is_sent(sender):
    receipt = sender.post(b"abc").get_json()
    answer = begin(sender)
    assert (answer.headers["Upload-Complete"], answer.headers["Idempotent-Replayed"]) == ("?1", "true")
    assert answer.get_json() == receipt


def test_other_bytes_are_refused_before_any_byte_is_sent(sender):
    sender.post(b"abc")
    assert begin(sender, Repr_Digest=digest_field(b"other")).status_code == 422


@pytest.mark.parametrize("headers", [{"Upload_Length": "4"}, {"Repr_Digest": "x"}])
def test_a_whole_that_differs_does_not_land(sender, landed, headers):
    if "Repr_Digest" in headers:
        headers = {"Repr_Digest": digest_field(b"other")}
    place = begin(sender, **headers).headers["Location"]
    assert append(sender, place, 0, b"abc", "?1").status_code == 400
    assert landed() == {} and landed("incoming") == {}


def test_an_abandoned_upload_expires(sender, clock, landed):
    place = begin(sender).headers["Location"]
    append(sender, place, 0, b"abc")
    clock.now += timedelta(hours=25)
    assert append(sender, place, 3, b"d").status_code == 404
    assert landed("incoming") == {}


def test_an_upload_is_forgotten_on_request(sender, landed):
    place = begin(sender).headers["Location"]
    headers = {"Authorization": "Bearer key-1"}
    assert sender.client.delete(place, headers=headers).status_code == 204
    assert sender.client.head(place, headers=headers).status_code == 404
    assert landed("incoming") == {}


def test_another_store_sees_nothing_of_it(sender):
    place = begin(sender).headers["Location"]
    headers = {"Authorization": "Bearer key-2", "Content-Type": PARTIAL}
    for method in ("head", "patch", "delete"):
        assert getattr(sender.client, method)(place, headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("name", "value"), [("Upload_Complete", "yes"), ("Upload_Length", "-1"), ("Upload_Length", "9" * 20)]
)
def test_wrong_fields_are_refused(sender, name, value):
    headers = {"Upload_Complete": "?0", name: value}
    assert sender.post(b"", **headers).status_code == 400


def test_more_than_the_limit_is_refused(sender):
    assert begin(sender, Upload_Length="100001").status_code == 413
    place = begin(sender).headers["Location"]
    append(sender, place, 0, b"x" * 60_000)
    assert append(sender, place, 60_000, b"x" * 60_000).status_code == 413


def test_on_s3_cuts_at_random_places_keep_the_bytes(environment, clock):
    """Over two receivers, with parts of 8 MiB and tails."""
    pytest.importorskip("flask_cors", reason="needs moto[server]")
    content = random.Random(1).randbytes(20_000_000)  # noqa: S311 - no secret
    with serving(moto_in_turn()) as endpoint:
        httpx.put(f"{endpoint}/resumed")
        objects = store_at(endpoint, "resumed", retry_config={"max_retries": 0})
        senders = [receiver(environment, objects, clock) for _ in range(2)]
        place = begin(senders[0], "cut", Repr_Digest=digest_field(content)).headers["Location"]
        answer = cut_at(senders, place, content, (1_000, 5_000_000, 8_388_608, 8_400_000, 17_000_000))
        assert (answer.status_code, answer.get_json()["sha256"]) == (201, hashlib.sha256(content).hexdigest())
        paths = [item["path"] for item in obstore.list(objects).collect()]
        assert not [path for path in paths if path.startswith("incoming/")]
        (path,) = [path for path in paths if path.startswith("landing/")]
        assert bytes(obstore.get(objects, path).bytes()) == content
        assert begin(senders[1], "cut").headers["Idempotent-Replayed"] == "true"


def cut_at(senders, place, content, cuts):
    """Sends `content`, cut at these places, each time to the next receiver; the last answer."""
    for number, cut in enumerate(cuts):
        sender = senders[number % 2]
        offset = offset_of(sender, place)
        assert append(sender, place, offset, content[offset:cut], "?1", len(content) - offset).status_code == 408
        assert offset_of(senders[1 - number % 2], place) == cut
    return append(senders[0], place, cuts[-1], content[cuts[-1] :], "?1")


def receiver(environment, objects, clock):
    app = create_app(environment, CONTRACTS, store=objects, clock=clock)
    services = app.extensions["headgate"]
    object.__setattr__(services, "limit", 10**9)
    return Sender(app.test_client())


def digest_field(content):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
