"""A project whose gold is on S3, and Glue and Athena beside it: moto's server in this process. No Spark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import CommitProperties, Transaction, write_deltalake
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from headgate.cli.main import headgate
from headgate.ledger.metadata import USER_METADATA, CommitMetadata
from headgate.project import Project
from tests.engine.world import write_project

REGION, LAKE, DATABASE = "eu-central-1", "s3://lake/site", "site_gold"
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: daily
version: 1.2.0
status: active
team: {name: Finance}
schema:
  - name: daily
    logicalType: object
    description: One row per store and day.
    properties:
      - {name: store_id, logicalType: string, description: The store.}
      - {name: sold_on, logicalType: date, description: "The day,\\n in UTC."}
      - {name: revenue, logicalType: number, physicalType: "decimal(18,2)", description: What was paid.}
      - {name: manager, logicalType: string, classification: restricted}
"""
TABLE = '''
from headgate import Snapshot, Replace, table


@table("gold.daily", reads={"sales": Snapshot("silver.sales")}, writes=Replace())
def daily(sales):
    """One row per store and day."""
    return sales
'''
SILVER = '''
from headgate import Changes, Merge, table


@table("silver.sales", reads={"sales": Changes("bronze.sales")}, writes=Merge(keys=["id"]))
def sales(sales):
    """One row per sale."""
    return sales
'''
DATASET = """
apiVersion: v3.1.0
kind: DataContract
id: sales
version: 1.0.0
status: active
team: {name: Shops}
customProperties:
  - {property: headgate.format, value: jsonl}
schema:
  - name: sales
    logicalType: object
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true}
"""


@dataclass
class Site:
    """The project, and clients of the services."""

    project: Project
    endpoint: str

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION)

    def headgate(self, *arguments: str, code: int = 0, **variables: str) -> Result:
        """Runs a command of the environment `local`, and checks its exit code."""
        command = [*arguments, "--project", str(self.project.root)]
        result = CliRunner().invoke(headgate, command, env=variables)
        assert (result.exception is None or isinstance(result.exception, SystemExit)) or code, result.exception
        if code == 0:
            assert result.exit_code == 0, result.output
        return result

    def build(self, rows: pa.Table, **options: Any) -> None:
        """Writes gold.daily as a run would leave it."""
        storage = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION}
        metadata = CommitMetadata(table="gold.daily", run="r1").to_json()
        carried = CommitProperties(
            custom_metadata={USER_METADATA: metadata}, app_transactions=[Transaction("gold.daily", 1)]
        )
        uri = f"{LAKE}/gold/daily"
        write_deltalake(uri, rows, storage_options=storage, commit_properties=carried, **options)

    def table(self, name: str = "daily") -> dict[str, Any]:
        return self.client("glue").get_table(DatabaseName=DATABASE, Name=name)["Table"]


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def site(moto_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The project with an empty lake and an empty Glue database."""
    httpx.post(f"{moto_server}/moto-api/reset").raise_for_status()
    for name in [name for name in os.environ if name.startswith(("AWS_", "HEADGATE_"))]:
        monkeypatch.delenv(name)
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    for name, value in {**keys, "AWS_ENDPOINT_URL": moto_server, "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    files = {
        "conf/environments/local.yaml": f"lake: {LAKE}\ncatalog: {{database: {DATABASE}}}\n",
        "conf/datasets/sales.yaml": DATASET,
        "conf/tables/gold/daily.yaml": CONTRACT,
        "jobs/silver/sales.py": SILVER,
        "jobs/gold/daily.py": TABLE,
    }
    site = Site(write_project(tmp_path / "site", files), moto_server)
    place = {"LocationConstraint": REGION}
    site.client("s3").create_bucket(Bucket="lake", CreateBucketConfiguration=place)
    site.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    return site


@pytest.fixture
def rows() -> pa.Table:
    """Two rows of gold.daily."""
    import datetime
    from decimal import Decimal

    day = datetime.date(2026, 3, 1)
    columns = {
        "store_id": ["s1", "s2"],
        "sold_on": [day, day],
        "revenue": pa.array([Decimal("1.50"), None], pa.decimal128(18, 2)),
        "manager": ["Ada", "Bob"],
    }
    return pa.table(columns)
