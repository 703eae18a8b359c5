"""The receiver on an S3 API: moto with a lock, and an S3 that misbehaves on purpose."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import httpx
import obstore
import pytest
from click.testing import CliRunner
from obstore.store import S3Store

from headgate.cli import serve
from headgate.errors import StorageError
from ingest_api.body import read_body
from ingest_api.land import land
from ingest_api.storage import Storage, impatient
from tests.s3.servers import answering, moto_in_turn, serving, store_at


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


def test_the_receiver_does_not_start_on_a_store_that_overwrites_on_create(repository, monkeypatch):
    monkeypatch.setattr("os.execve", lambda *_: pytest.fail("it starts"))
    with answering() as (store, _):
        keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "HEADGATE_LAKE": "s3://bucket/lake"}
        variables = {**keys, "AWS_ENDPOINT_URL": store.config["endpoint"]}
        refused = CliRunner().invoke(serve.command, ["receiver", "--project", str(repository.root)], env=variables)
    assert isinstance(refused.exception, StorageError)
    assert "overwrites" in refused.exception.what


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
    """A bucket on moto."""
    pytest.importorskip("flask_cors", reason="needs moto[server]")
    with serving(moto_in_turn()) as endpoint:
        httpx.put(f"{endpoint}/bucket")
        yield store_at(endpoint, "bucket", retry_config={"max_retries": 0})
