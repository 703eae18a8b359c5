"""Permissions and rates of stores."""

import hashlib
import json
from dataclasses import replace

import pytest

from headgate.http.problems import Problem
from ingest_api.app import create_app
from ingest_api.stores import Rates
from tests.receiver.conftest import CONTRACTS, Sender


@pytest.fixture
def with_keys(environment, clock, tmp_path):
    """A receiver with a key file that holds these clients."""

    def make(**clients):
        file = tmp_path / "keys.yaml"
        write(file, clients)
        settings = replace(environment.receiver, key_file=str(file), workers=1)
        app = create_app(replace(environment, receiver=settings), CONTRACTS, clock=clock)
        return Sender(app.test_client()), file

    return make


def write(file, clients):
    file.write_text(json.dumps({"format": 1, "clients": clients}))


def client(*keys, **scopes):
    return {"keys": [{"sha256": hashlib.sha256(key.encode()).hexdigest()} for key in keys], "scopes": scopes}


def test_a_key_covers_its_datasets_only(with_keys, landed):
    sender, _ = with_keys(till=client("t-1", datasets=["plain"]))
    assert sender.post(dataset="plain", Authorization="Bearer t-1").status_code == 201
    answer = sender.post(Authorization="Bearer t-1")
    assert (answer.status_code, answer.get_json()["datasets"]) == (403, ["plain"])
    assert len(landed()) == 1


def test_a_key_is_rotated_without_a_restart(with_keys, monkeypatch):
    monkeypatch.setattr("headgate.http.keys.RELOAD_SECONDS", 0.0)
    sender, file = with_keys(till=client("old"))
    assert sender.post(Authorization="Bearer new").status_code == 401
    write(file, {"till": client("old", "new")})
    assert sender.post(Authorization="Bearer new").status_code == 201
    write(file, {"till": client("new")})
    assert sender.post(Authorization="Bearer old").status_code == 401


def test_a_key_file_that_breaks_leaves_the_last_keys_valid(with_keys, monkeypatch):
    monkeypatch.setattr("headgate.http.keys.RELOAD_SECONDS", 0.0)
    sender, file = with_keys(till=client("t-1"))
    file.write_text("{")
    assert sender.post(Authorization="Bearer t-1").status_code == 201


def test_a_disabled_store_has_no_valid_key(with_keys):
    sender, _ = with_keys(till={**client("t-1"), "disabled": True})
    assert sender.post(Authorization="Bearer t-1").status_code == 401


def test_a_sandbox_key_lands_where_no_pipeline_reads(with_keys, landed, lake):
    sender, _ = with_keys(till=client("t-1", sandbox=True))
    receipt = sender.post(Authorization="Bearer t-1").get_json()
    assert not (lake / "landing").exists()
    ((path, content),) = landed("sandbox/landing").items()
    assert path.startswith("sandbox/landing/transactions/") and content == b'{"a":1}\n'
    assert sender.get(f"/v1/uploads/{receipt['upload']}", "t-1").get_json()["sandbox"] is True


def test_a_store_beyond_its_rate_is_told_when_to_come_back(with_keys):
    sender, _ = with_keys(till=client("t-1", per_minute=6))
    assert sender.post(key="a", Authorization="Bearer t-1").status_code == 201
    answer = sender.post(key="b", Authorization="Bearer t-1")
    assert (answer.status_code, answer.get_json()["type"]) == (429, "urn:headgate:problem:too-many-uploads")
    assert 1 <= int(answer.headers["Retry-After"]) <= 11


def test_a_rate_refills_and_is_shared_by_the_workers():
    now = [0.0]
    rates = Rates(workers=2, clock=lambda: now[0])
    rates.take("till", 120)  # one a second for each of two workers, with a burst of ten
    for _ in range(9):
        rates.take("till", 120)
    with pytest.raises(Problem) as raised:
        rates.take("till", 120)
    assert raised.value.headers["Retry-After"] == "1"
    now[0] = 2.0
    rates.take("till", 120)
    rates.take("till", 120)
    rates.take("other", 120)


def test_an_unknown_scope_is_refused_at_the_start(with_keys):
    with pytest.raises(Exception, match="sandbx"):
        with_keys(till=client("t-1", sandbx=True))
