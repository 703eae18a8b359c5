"""A receiver in this process: a lake in a folder, a clock in the test's hand, a store with a key."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from headgate.contracts.contract import Contract
from headgate.contracts.environment import Environment, Receiver
from headgate.contracts.upload_format import CsvDialect
from ingest_api.app import create_app

LIMIT = 100_000
KEYS = {"store-1": "key-1", "store-2": "key-2", "Köln/../1": "key-3"}


def contract(dataset: str, format: str = "jsonl", compressions: tuple[str, ...] = ("none", "gzip")) -> Contract:
    return Contract(
        dataset=dataset,
        version="1.0.0",
        description="",
        owner="Tests",
        fields=(),
        key=(),
        format=format,
        compressions=compressions,
        csv=CsvDialect(),
        evolution="strict",
        max_record_bytes=1_000_000,
        hash="0" * 64,
        path=Path("conf/datasets") / f"{dataset}.yaml",
    )


CONTRACTS = {
    "transactions": contract("transactions"),
    "plain": contract("plain", compressions=("none",)),
    "stores": contract("stores", "csv", ("gzip",)),
}


class Clock:
    """A clock that moves only on request; `steps` are added at each reading."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
        self.steps: list[timedelta] = []

    def __call__(self) -> datetime:
        if self.steps:
            self.now += self.steps.pop(0)
        return self.now


class Sender:
    """A store at the receiver: posts with its key and sensible headers, each of which a test may replace."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def post(
        self, body: bytes = b'{"a":1}\n', key: str = "k-1", dataset: str = "transactions", **headers: str | None
    ) -> TestResponse:
        base = {
            "Authorization": "Bearer key-1",
            "Idempotency_Key": key,
            "Content_Type": "application/x-ndjson",
            **headers,
        }
        sent = {name.replace("_", "-"): value for name, value in base.items() if value is not None}
        return self.client.post(f"/v1/datasets/{dataset}/uploads", data=body, headers=sent)

    def get(self, path: str, key: str = "key-1") -> TestResponse:
        return self.client.get(path, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def environment(lake: Path) -> Environment:
    digests = {store: (hashlib.sha256(key.encode()).hexdigest(),) for store, key in KEYS.items()}
    receiver = Receiver(max_upload_bytes=LIMIT, store_keys=digests)
    return Environment(
        "local", str(lake), "local", {}, timedelta(hours=26), receiver, Path("conf/environments/local.yaml")
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(environment: Environment, clock: Clock) -> Flask:
    return create_app(environment, CONTRACTS, clock=clock)


@pytest.fixture
def sender(app: Flask) -> Sender:
    return Sender(app.test_client())


@pytest.fixture
def landed(lake: Path):  # type: ignore[no-untyped-def]
    """The files below landing/ (or another area) by path from the lake, with their bytes."""

    def look(area: str = "landing") -> dict[str, bytes]:
        return {str(p.relative_to(lake)): p.read_bytes() for p in (lake / area).rglob("*") if p.is_file()}

    return look


@pytest.fixture
def contract_of():  # type: ignore[no-untyped-def]
    return CONTRACTS.__getitem__
