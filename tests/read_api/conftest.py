"""A read API in this process over small gold tables: no Spark."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from flask import Flask

from headgate.contracts.environment import Environment, Receiver
from headgate.contracts.read_access import ReadApi
from headgate.contracts.table_contract import TableContract
from headgate.http.keys import digest_of
from read_api.app import create_app
from tests.read_api.tables import CLIENTS, FIELDS, Client, sale, write


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def settings() -> ReadApi:
    clients = {name: {"keys": [{"sha256": digest_of(name)}], "scopes": scopes} for name, scopes in CLIENTS.items()}
    return ReadApi(refresh_seconds=0, clients=clients)


@pytest.fixture
def environment(lake: Path, settings: ReadApi) -> Environment:
    path = Path("conf/environments/local.yaml")
    return Environment("local", str(lake), "local", {}, timedelta(hours=26), Receiver(), path, read_api=settings)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with gold.sales (300 rows in two commits), gold.customers and gold.rates."""
    lake = tmp_path_factory.mktemp("built") / "lake"
    write(lake, (sale(number) for number in range(200)))
    write(lake, (sale(number) for number in range(200, 300)))
    write_deltalake(str(lake / "gold/customers"), pa.table({"customer_id": ["c1", "c2"], "city": ["Bonn", "Köln"]}))
    rates = pa.table({"currency": ["EUR", "USD"], "rate": pa.array([Decimal(1), Decimal("1.1")], pa.decimal128(18, 6))})
    write_deltalake(str(lake / "gold/rates"), rates)
    return lake


@pytest.fixture
def sales(built: Path, lake: Path) -> Path:
    """A copy of the built lake, for the test to change."""
    return Path(shutil.copytree(built, lake))


@pytest.fixture
def contracts() -> dict[str, TableContract]:
    return {
        name: TableContract(name, "1.0.0", f"One row per {name}.", "Tests", fields, "0" * 64, Path("x.yaml"))
        for name, fields in FIELDS.items()
    }


@pytest.fixture
def app(environment: Environment, contracts: dict[str, TableContract], sales: Path) -> Flask:
    return create_app(environment, contracts, b"secret")


@pytest.fixture
def client(app: Flask) -> Callable[[str], Client]:
    return lambda key: Client(app, key)


@pytest.fixture
def analyst(client: Callable[[str], Client]) -> Client:
    return client("analyst")
