"""The receiver on an S3 API: moto with a lock, and an S3 that misbehaves on purpose."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO

import httpx
import obstore
import pytest
from click.testing import CliRunner
from obstore.store import S3Store

from headgate.cli import serve
from headgate.errors import StorageError
from ingest_api.landing.body import SMALL_BYTES, Body, BodyCut
from ingest_api.landing.land import KeyReused, land
from ingest_api.storage import S3Storage
from ingest_api.storage.base import Facts
from ingest_api.storage.opening import impatient
from tests.s3.servers import answering, moto_in_turn, serving, store_at

FACTS = Facts(datetime(2026, 11, 21, 10, tzinfo=UTC), "0" * 64)


def test_one_of_many_at_the_same_moment_creates(s3, contract_of):
    def post(number):
        return land(S3Storage(s3), contract_of("transactions"), "store-1", "k-1", Body(BytesIO(b"x" * 1000)))

    with ThreadPoolExecutor(16) as pool:
        landings = list(pool.map(post, range(16)))
    assert sum(not landing.replayed for landing in landings) == 1
    assert len({landing.receipt for landing in landings}) == 1
    (only,) = [result for batch in obstore.list(s3, "landing/") for result in batch]
    assert (only["path"], only["size"]) == (landings[0].path, 1000)


def test_a_store_that_honours_conditions_is_ready(s3):
    S3Storage(s3).probe()


def test_a_store_that_overwrites_on_create_is_not_ready():
    with answering() as (store, _), pytest.raises(StorageError, match="overwrites"):
        S3Storage(store).probe()


def test_the_receiver_does_not_start_on_a_store_that_overwrites_on_create(repository, monkeypatch):
    monkeypatch.setattr("os.execve", lambda *_: pytest.fail("it starts"))
    with answering() as (store, _):
        keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "HEADGATE_LAKE": "s3://bucket/lake"}
        variables = {**keys, "AWS_ENDPOINT_URL": store.config["endpoint"]}
        refused = CliRunner().invoke(serve.command, ["receiver", "--project", str(repository.root)], env=variables)
    assert isinstance(refused.exception, StorageError)
    assert "overwrites" in refused.exception.message


def test_a_conflict_is_not_taken_for_an_object_that_exists():
    with answering(409, 409, 200) as (store, requested):
        assert S3Storage(store).create("landing/x", b"abc", FACTS) is not None
    assert requested == ["PUT", "HEAD", "PUT", "HEAD", "PUT"]


def test_conflicts_without_end_are_an_error(monkeypatch):
    monkeypatch.setattr("ingest_api.storage.s3._CONFLICT_PAUSES", (0.0, 0.0))
    with answering(409, 409) as (store, _), pytest.raises(StorageError, match="in progress"):
        S3Storage(store).create("landing/x", b"abc", FACTS)


def test_a_store_that_is_gone_is_an_error():
    with answering() as (store, _):
        pass
    with pytest.raises(StorageError, match="cannot write"):
        S3Storage(store).create("landing/x", b"abc", FACTS)


def test_the_receivers_store_gives_up_within_seconds():
    store = S3Store("bucket", prefix="p", region="us-east-1", client_options={"allow_http": True})
    quick = impatient(store)
    assert quick.prefix == "p" and quick.config["bucket"] == "bucket"
    assert quick.client_options["allow_http"] == "true"
    assert quick.retry_config["retry_timeout"].total_seconds() <= 20


@pytest.fixture
def s3() -> Iterator[S3Store]:
    """A bucket on moto."""
    pytest.importorskip("flask_cors", reason="needs moto[server]")
    with serving(moto_in_turn()) as endpoint:
        httpx.put(f"{endpoint}/bucket")
        yield store_at(endpoint, "bucket", retry_config={"max_retries": 0})


KEY_WITH_ITS_HOUR = "019ab5c0-1234-7abc-8def-0123456789ab"


def landing_of(store, contract, key, content=b"abc"):
    return land(S3Storage(store), contract, "store-1", key, Body(BytesIO(content)))


def test_an_upload_whose_key_names_its_hour_costs_one_request(contract_of, monkeypatch):
    monkeypatch.setattr("ingest_api.landing.land.mark_late", lambda *_: None)  # the key's hour is long past
    with answering() as (store, requests):
        landing_of(store, contract_of("transactions"), KEY_WITH_ITS_HOUR)
    assert requests == ["PUT"]


def test_any_other_key_costs_two(contract_of):
    with answering() as (store, requests):
        landing_of(store, contract_of("transactions"), "k-1")
    assert requests == ["PUT", "PUT"]


def test_a_replay_says_what_the_first_answer_said_without_reading_the_object(s3, contract_of, monkeypatch):
    first = landing_of(s3, contract_of("transactions"), "replayed")
    monkeypatch.setattr(S3Storage, "sha256", lambda *_: pytest.fail("reads the object"))
    again = landing_of(s3, contract_of("transactions"), "replayed")
    assert (first.replayed, again.replayed) == (False, True)
    assert first.receipt == again.receipt


def test_a_long_body_lands_in_parts_once(s3, contract_of):
    content = bytes(range(256)) * (SMALL_BYTES // 256 * 2 + 100)
    first = landing_of(s3, contract_of("transactions"), "long", content)
    again = landing_of(s3, contract_of("transactions"), "long", content)
    assert (first.replayed, again.replayed) == (False, True)
    assert first.receipt == again.receipt
    assert bytes(obstore.get(s3, first.path).bytes()) == content
    with pytest.raises(KeyReused):
        landing_of(s3, contract_of("transactions"), "long", content[:-1] + b"!")


def test_a_long_body_that_is_cut_leaves_nothing(s3, contract_of):
    body = Body(BytesIO(b"x" * (2 * SMALL_BYTES)), declared=2 * SMALL_BYTES + 1)
    with pytest.raises(BodyCut):
        land(S3Storage(s3), contract_of("transactions"), "store-1", "cut", body)
    assert not [item for item in obstore.list(s3, "landing/").collect() if item["size"] == 2 * SMALL_BYTES]
