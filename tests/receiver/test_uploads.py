"""The response to each upload, and the state of the lake afterwards."""

import gzip
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from headgate.lake.upload_identity import parse_path

ULID = "01KAJ5M8Z0ABCDEFGHJKMNPQRS"


def test_an_upload_lands_with_its_exact_bytes_and_a_receipt(sender, landed):
    body = bytes(range(256)) * 10
    answer = sender.post(body)
    receipt = answer.get_json()
    assert answer.status_code == 201
    assert list(landed().values()) == [body]
    assert receipt["bytes"] == len(body)
    assert receipt["sha256"] == hashlib.sha256(body).hexdigest()
    assert (receipt["dataset"], receipt["store"], receipt["status"]) == ("transactions", "store-1", "landed")
    assert receipt["received"].endswith("Z") and len(receipt["received"]) == len("2026-11-21T10:30:00Z")
    assert answer.headers["Location"] == f"/v1/uploads/{receipt['upload']}"
    assert "Idempotent-Replayed" not in answer.headers


def test_an_upload_without_content_lands(sender, landed):
    assert sender.post(b"").status_code == 201
    assert list(landed().values()) == [b""]


def test_the_hour_is_the_clocks_for_a_key_without_one(sender, landed):
    sender.post(key="k-1")
    assert next(iter(landed())).startswith(
        "landing/transactions/dt=2026-11-21/hour=10/transactions.2026112110.store-1."
    )


def test_the_hour_is_the_keys_where_it_names_one(sender, landed):
    sender.post(key=ULID, dataset="plain")
    path = next(iter(landed()))
    assert parse_path(path)[0].hour.year == 2025
    assert landed("claims") == {}


def test_a_key_with_an_hour_needs_no_claim_however_it_is_compressed(sender, landed):
    sender.post(key=ULID)
    assert sender.post(gzip.compress(b'{"a":1}\n'), key=ULID, Content_Encoding="gzip").status_code == 422
    assert landed("claims") == {} and len(landed()) == 1


def test_a_replay_is_answered_byte_for_byte_the_same(sender, landed):
    first = sender.post(key="k-1")
    again = sender.post(key="k-1")
    assert again.status_code == 201
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(landed()) == 1


def test_a_replay_in_a_later_hour_is_still_the_same_object(sender, landed, clock):
    first = sender.post(key="k-1")
    clock.now = clock.now.replace(day=24)
    assert sender.post(key="k-1").data == first.data
    assert len(landed()) == 1


@pytest.mark.parametrize("other", [b'{"a":2}\n', b"longer than the first"])
def test_other_bytes_under_the_same_key_are_refused(sender, landed, other):
    sender.post(b'{"a":1}\n', key="k-1")
    answer = sender.post(other, key="k-1")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert list(landed().values()) == [b'{"a":1}\n']


def test_the_same_key_with_another_compression_is_refused(sender, landed):
    body = b'{"a":1}\n'
    sender.post(body, key="k-1")
    assert sender.post(gzip.compress(body), key="k-1", Content_Encoding="gzip").status_code == 422
    assert len(landed()) == 1


def test_gzip_stays_gzip(sender, landed):
    body = gzip.compress(b'{"a":1}\n')
    answer = sender.post(body, Content_Encoding="gzip")
    ((path, content),) = landed().items()
    assert answer.status_code == 201
    assert path.endswith(".jsonl") and content == body


def test_quoted_and_bare_keys_are_the_same(sender, landed):
    first = sender.post(key="abc")
    again = sender.post(key='"abc"')
    assert again.data == first.data and again.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_of_two_stores_or_datasets_makes_uploads_apart(sender, landed):
    sender.post(key="k-1")
    sender.post(key="k-1", Authorization="Bearer key-2")
    sender.post(key="k-1", dataset="plain")
    assert len(landed()) == 3


@pytest.mark.parametrize("key", ["../../../etc/passwd", "a/b", "%2e%2e%2f", "x" * 255, "a\\b", "k=v;x", "{}"])
def test_no_key_leads_out_of_the_hours_folder(sender, landed, lake, key):
    assert sender.post(key=key).status_code == 201
    (path,) = landed()
    assert parse_path(path)[0].path(".jsonl") == path
    assert {p.name for p in lake.parent.iterdir()} == {"lake"}


def test_a_stores_name_is_only_a_name(sender, landed, lake):
    answer = sender.post(Authorization="Bearer key-3")
    assert answer.get_json()["store"] == "Köln/../1"
    assert sender.get(answer.headers["Location"], "key-3").get_json()["upload"] == answer.get_json()["upload"]
    assert {p.name for p in lake.parent.iterdir()} == {"lake"}


@pytest.mark.parametrize("key", [None, "", " ", '"', '""', '"abc', '"a"b', '"a";p=1', "a b", "é", "x" * 256, "a\tb"])
def test_a_missing_or_wrong_key_is_refused(sender, landed, key):
    answer = sender.post(key=key)
    assert (answer.status_code, answer.get_json()["type"]) == (400, "urn:headgate:problem:idempotency-key")
    assert landed() == {}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic key-1", "Bearer other", "key-1"])
def test_without_a_known_key_nothing_is_taken(sender, landed, header):
    answer = sender.post(Authorization=header)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert landed() == {}


def test_an_unknown_dataset_is_answered_with_the_known_ones(sender):
    answer = sender.post(dataset="transaction")
    assert answer.status_code == 404
    assert answer.get_json()["datasets"] == ["plain", "stores", "transactions"]


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-ndjson; charset=latin-1"])
def test_another_media_type_is_refused_with_the_accepted_ones(sender, media_type):
    answer = sender.post(Content_Type=media_type)
    assert answer.status_code == 415
    assert "application/x-ndjson" in answer.get_json()["accepted_types"]


@pytest.mark.parametrize("media_type", ["application/x-ndjson;charset=utf-8", 'Application/X-NDJSON; charset="UTF-8"'])
def test_parameters_and_case_of_a_media_type_do_not_matter(sender, media_type):
    assert sender.post(Content_Type=media_type).status_code == 201


@pytest.mark.parametrize(
    ("dataset", "encoding"), [("transactions", "br"), ("plain", "gzip"), ("transactions", "gzip, gzip")]
)
def test_another_content_encoding_is_refused(sender, dataset, encoding):
    assert sender.post(dataset=dataset, Content_Encoding=encoding).status_code == 415


def test_identity_is_refused_where_the_contract_takes_gzip_only(sender):
    assert sender.post(b"a,b\n", dataset="stores", Content_Type="text/csv").status_code == 415
    assert sender.post(b"x", dataset="stores", Content_Type="text/csv", Content_Encoding="gzip").status_code == 201


def test_a_declared_length_above_the_limit_is_refused(sender, landed):
    answer = sender.post(b"x" * 100_001)
    assert (answer.status_code, answer.get_json()["limit"]) == (413, 100_000)
    assert landed() == {}
    assert sender.post(b"x" * 100_000).status_code == 201


def test_a_chunked_body_is_taken_up_to_the_limit(sender, landed):
    assert chunked(sender, b"x" * 100_000, "k-1").status_code == 201
    assert chunked(sender, b"x" * 100_001, "k-2").status_code == 413
    assert [len(body) for body in landed().values()] == [100_000]


def test_a_body_shorter_than_declared_does_not_land(sender, landed):
    """As under gunicorn, whose input stream ends early without an error."""
    environ = {"CONTENT_LENGTH": "500"}
    answer = raw(sender, io.BytesIO(b"x" * 400), "k-1", environ)
    assert answer.status_code == 408
    assert landed() == {}


def test_a_body_whose_framing_breaks_does_not_land(sender, landed):
    class Breaks(io.RawIOBase):
        def read(self, size=-1):
            raise ConnectionResetError

    assert raw(sender, Breaks(), "k-1").status_code == 408
    assert landed() == {}


def test_an_early_answer_reads_the_body_first(sender):
    body = io.BytesIO(b"x" * 90_000)
    answer = raw(sender, body, "k-1", authorization="Bearer wrong")
    assert (answer.status_code, body.tell()) == (401, 90_000)
    assert "Connection" not in answer.headers


def test_an_early_answer_to_an_endless_body_closes_the_connection(sender):
    class Endless(io.RawIOBase):
        sent = 0

        def read(self, size=-1):
            self.sent += size
            return b"x" * size

    body = Endless()
    answer = raw(sender, body, "k-1", authorization="Bearer wrong")
    assert (answer.status_code, answer.headers["Connection"]) == (401, "close")
    assert body.sent < 1_000_000


def test_one_of_many_at_the_same_moment_creates_and_the_others_replay(app, landed):
    barrier = Barrier(16)

    def post(_):
        barrier.wait()
        return post_as(app.test_client(), b"x" * 50_000)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert list(landed().values()) == [b"x" * 50_000]


def test_of_different_bytes_at_the_same_moment_one_wins(app, landed):
    barrier = Barrier(16)

    def post(number):
        barrier.wait()
        return post_as(app.test_client(), b"%05d" % number)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, range(16)))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 15
    (content,) = landed().values()
    (won,) = [answer.get_json() for answer in answers if answer.status_code == 201]
    assert won["sha256"] == hashlib.sha256(content).hexdigest()


def post_as(client, body, key="k-1"):
    headers = {"Authorization": "Bearer key-1", "Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
    return client.post("/v1/datasets/transactions/uploads", data=body, headers=headers)


def raw(sender, stream, key, environ=None, authorization="Bearer key-1"):
    """A request whose body is `stream`, as a server hands it over."""
    headers = {"Authorization": authorization, "Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
    environ = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, **(environ or {}), "wsgi.input": stream}
    return sender.client.post("/v1/datasets/transactions/uploads", headers=headers, environ_overrides=environ)


def chunked(sender, body, key):
    return raw(sender, io.BytesIO(body), key, {"HTTP_TRANSFER_ENCODING": "chunked"})
