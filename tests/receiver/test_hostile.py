"""Hostile requests: whatever is sent, no 500, no leak, and no object outside of its place."""

import base64
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.lake.upload_identity import parse_path
from ingest_api.app import create_app
from tests.receiver.conftest import CONTRACTS, Sender

NAUGHTY = [
    "", " ", "\\", "'", '"', "';--", "../..", "..%2f..%2f", "%00", "%0d%0aX: 1", "\u202e", "é", "店",
    "null", "NaN",
    "-1",
    "1e400",
    "${jndi:ldap://x}", "{{7*7}}", "<script>", "a" * 300, "/etc/passwd", "C:\\con", "\x7f", "=?utf-8?q?x?=",
]  # fmt: skip
HEADERS = (
    "Authorization", "Idempotency-Key", "Content-Type", "Content-Encoding", "Content-Digest", "Repr-Digest",
    "Upload-Complete", "Upload-Length", "Upload-Offset", "X-Request-Id", "Accept", "Expect-Continue",
)  # fmt: skip
LEAKS = ("Traceback", "ingest_api/", "headgate/", "key-1", "site-packages")


def check(answer, lake):
    assert answer.status_code < 500, answer.text
    assert not [word for word in LEAKS if word in answer.text]
    assert str(lake) not in answer.text
    assert_in_place(lake)


def assert_in_place(lake):
    """Every file of the lake is where its name says, and nothing is next to the lake."""
    files = [path for path in lake.rglob("*") if path.is_file()] if lake.exists() else []
    for path in (path.relative_to(lake) for path in files):
        assert path.parts[0] in ("landing", "late", "claims", "health", "incoming", "sandbox"), path
        if path.parts[0] == "landing":
            upload, suffix = parse_path(str(path))
            assert upload.path(suffix) == str(path)
    assert {path.name for path in lake.parent.iterdir()} <= {"lake"}


@pytest.mark.parametrize("value", NAUGHTY)
@pytest.mark.parametrize("header", HEADERS)
def test_naughty_strings_in_headers(sender, lake, header, value):
    try:
        wire = value.encode().decode("latin-1")
        answer = sender.post(**{header.replace("-", "_"): wire})
    except ValueError:
        return  # the test's own client refuses line breaks
    check(answer, lake)


@pytest.mark.parametrize("value", NAUGHTY)
def test_naughty_strings_in_paths(sender, lake, value):
    headers = {"Authorization": "Bearer key-1"}
    for path in (f"/v1/datasets/{value}", f"/v1/datasets/{value}/uploads", f"/v1/uploads/{value}", f"/{value}"):
        for method in ("get", "post", "put", "patch", "delete", "head"):
            check(getattr(sender.client, method)(path, headers=headers), lake)
    for name in ("date", "cursor", "limit", "state", "store", "dataset"):
        check(sender.client.get("/v1/uploads", query_string={name: value}, headers=headers), lake)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.text(st.characters(min_codepoint=0, max_codepoint=255, exclude_characters="\r\n"), max_size=300))
def test_any_key_lands_in_its_place_or_is_refused(sender, lake, key):
    check(sender.post(key=key), lake)


def test_a_gzip_bomb_is_stored_and_never_inflated(sender, landed):
    import gzip

    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    assert sender.post(bomb, Content_Encoding="gzip").status_code == 201
    assert list(landed().values()) == [bomb]


def test_a_store_cannot_overwrite_or_read_another_stores_upload(sender, landed):
    mine = sender.post(b"mine").get_json()
    theirs = sender.post(b"theirs", Authorization="Bearer key-2").get_json()
    assert mine["upload"] != theirs["upload"]
    assert sorted(landed().values()) == [b"mine", b"theirs"]
    for path in (f"/v1/uploads/{theirs['upload']}", f"/v1/uploads/{theirs['upload']}/content"):
        assert sender.get(path).status_code in (404, 405)
    assert theirs["upload"] not in sender.get("/v1/uploads?date=2026-11-21").text


def test_the_same_key_from_64_senders_to_two_receivers_lands_once(environment, clock, landed):
    apps = [create_app(environment, CONTRACTS, clock=clock) for _ in range(2)]
    barrier = Barrier(64)

    def post(number):
        barrier.wait()
        return Sender(apps[number % 2].test_client()).post(b"x" * 10_000)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(post, range(64)))
    assert {answer.status_code for answer in answers} == {201}
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len({answer.data for answer in answers}) == 1
    assert len(landed()) == 1


@pytest.mark.parametrize("declared", ["-1", "x", "1e3", "18446744073709551616", "5"])
def test_wrong_lengths_never_land_a_part(sender, landed, declared):
    environ = {"CONTENT_LENGTH": declared, "wsgi.input": io.BytesIO(b"abc")}
    headers = {"Authorization": "Bearer key-1", "Idempotency-Key": "k", "Content-Type": "application/x-ndjson"}
    answer = sender.client.post("/v1/datasets/transactions/uploads", headers=headers, environ_overrides=environ)
    assert answer.status_code < 500
    assert [body for body in landed().values() if body not in (b"", b"abc")] == []


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_a_right_content_digest_lands(sender, algorithm):
    digest = hashlib.new(algorithm.replace("-", ""), b"abc").digest()
    field = f"{algorithm}=:{base64.b64encode(digest).decode()}:"
    assert sender.post(b"abc", Content_Digest=field).status_code == 201


@pytest.mark.parametrize("field", ["sha-256=:AAAA:", "sha-256=abc", "x", "sha-256=:****:"])
def test_a_digest_that_cannot_be_read_is_refused(sender, landed, field):
    answer = sender.post(b"abc", Content_Digest=field)
    assert (answer.status_code, answer.get_json()["type"]) == (400, "urn:headgate:problem:content-digest")
    assert landed() == {}


def test_a_wrong_content_digest_is_refused(sender, landed):
    field = f"sha-256=:{base64.b64encode(hashlib.sha256(b'other').digest()).decode()}:"
    answer = sender.post(b"abc", Content_Digest=field)
    assert (answer.status_code, answer.get_json()["type"]) == (400, "urn:headgate:problem:digest-mismatch")
    assert landed() == {}


def test_an_unknown_algorithm_is_ignored(sender):
    assert sender.post(b"abc", Content_Digest="unixsum=:MQ==:").status_code == 201
