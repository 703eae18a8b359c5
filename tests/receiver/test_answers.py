"""Receipts on request, health, and responses to failures."""

import hashlib
import logging
from dataclasses import replace

import pytest

from headgate.contracts.environment import Receiver
from headgate.errors import EnvironmentConfigError
from ingest_api.app import create_app
from ingest_api.stores import Stores

NOT_YET = {"state": "landed", "bronze": None, "silver": [], "quarantined": None, "gold": []}


def test_a_store_sees_its_own_receipt(sender):
    answer = sender.post()
    shown = sender.get(answer.headers["Location"])
    assert shown.status_code == 200
    assert shown.get_json() == {**answer.get_json(), **NOT_YET}


def test_a_store_does_not_see_anothers(sender):
    location = sender.post().headers["Location"]
    assert sender.get(location, "key-2").status_code == 404
    assert sender.get(location, "wrong").status_code == 401


@pytest.mark.parametrize("upload", ["x", "transactions.2026112110.store-1." + "0" * 32, "../claims", "a.b.c.d"])
def test_no_such_upload_is_not_found(sender, upload):
    answer = sender.get(f"/v1/uploads/{upload}")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_another_spelling_of_an_upload_is_not_found(sender):
    location = sender.post().headers["Location"]
    assert sender.get(location.replace("store-1", "=73tore-1")).status_code == 404


@pytest.mark.parametrize("area", ["landing", "claims"])
def test_a_store_that_fails_is_answered_with_when_to_come_back(sender, lake, landed, area, caplog):
    lake.mkdir(exist_ok=True)
    (lake / area).write_bytes(b"a file where a folder should be")
    answer = sender.post()
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "5"
    assert str(lake) not in answer.text
    (lake / area).unlink()
    assert sender.post().status_code == 201


def test_a_failed_write_leaves_nothing_behind(sender, lake, landed):
    lake.mkdir(exist_ok=True)
    (lake / "landing").write_bytes(b"")
    sender.post()
    assert landed("incoming") == {}


def test_an_unexpected_error_shows_no_trace(sender, clock, caplog):
    clock.steps = None  # type: ignore[assignment]
    clock.now = None  # type: ignore[assignment]
    answer = sender.post()
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "Traceback" not in answer.text and "NoneType" not in answer.text


@pytest.mark.parametrize(("method", "path", "status"), [("get", "/v2", 404), ("put", "/healthz", 405)])
def test_wrong_routes_are_problems_too(sender, method, path, status):
    answer = getattr(sender.client, method)(path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_health_needs_no_lake_and_readiness_does(sender, lake):
    lake.mkdir(exist_ok=True)
    (lake / "health").write_bytes(b"in the way")
    assert sender.client.get("/healthz").status_code == 200
    assert sender.client.get("/readyz").status_code == 503
    (lake / "health").unlink()
    assert sender.client.get("/readyz").status_code == 200


def test_the_log_has_the_upload_and_neither_content_nor_keys(sender, caplog):
    with caplog.at_level(logging.INFO, "ingest_api"):
        upload = sender.post(b"secret-content", key="secret-key").get_json()["upload"]
        sender.post(b"secret-content", dataset="secret-dataset%0a")
    first, second = (record.fields for record in caplog.records if record.name == "ingest_api.access")
    assert {name: first[name] for name in ("upload", "store", "bytes", "status", "replayed")} == {
        "upload": upload,
        "store": "store-1",
        "bytes": 14,
        "status": 201,
        "replayed": False,
    }
    assert first["ms"] >= 0 and second["status"] == 404
    assert "secret" not in caplog.text and "key-1" not in caplog.text


def test_two_stores_cannot_share_a_key():
    with pytest.raises(EnvironmentConfigError, match="'a' and 'b' share a key"):
        Stores(Receiver(store_keys={"a": ("0" * 64,), "b": ("0" * 64,)}))


def test_a_store_whose_name_fits_no_object_is_refused_at_the_start(environment, contract_of):
    receiver = replace(environment.receiver, store_keys={"店" * 30: ("0" * 64,)})
    with pytest.raises(EnvironmentConfigError, match="too long"):
        create_app(replace(environment, receiver=receiver), {"plain": contract_of("plain")})


def test_a_store_has_several_keys_while_one_replaces_another():
    digests = tuple(hashlib.sha256(key).hexdigest() for key in (b"old", "n\u00e9w".encode()))
    stores = Stores(Receiver(store_keys={"a": digests}))
    assert stores.authenticate("bearer old").store == "a"
    assert stores.authenticate("Bearer " + "n\u00e9w".encode().decode("latin-1")).store == "a"
