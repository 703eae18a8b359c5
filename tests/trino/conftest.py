"""The retailer's gold on an S3 server, built by Spark and registered in Glue by Headgate; Trino over both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from headgate.aws.catalog.glue import GlueDatabase
from headgate.aws.clients import BotoClients
from headgate.cli.catalog import registrations
from headgate.cli.options import Target
from headgate.contracts.catalog import Catalog
from headgate.contracts.environment import Environment
from headgate.engine.delta.commit import Committer
from headgate.ledger.ledger import Ledger, schema_of
from headgate.planning.plan import Kind, Work
from headgate.views.gold import GoldColumn, GoldTable
from retail.generate import DATASETS, Spec, uploads
from tests.engine.world import NOON, World
from tests.s3.servers import REGION, Server
from tests.trino.server import DATABASE, Trino, glue_server, trino_server

SAMPLES = Path(__file__).parents[2] / "samples"
SPEC = Spec(
    stores=2,
    transactions=15,
    uploads=2,
    customers=40,
    products=40,
    late=0.2,
    repeated=0,
    corrected=0.1,
    broken=0.1,
    datasets=DATASETS,
)
#: Partition values that a path has to escape.
ODD_PARTS = ["plain", "a b", "a/b", "a=b", "ä€", "100%", "it's", 'say "x"', "q?#&+:", " ", None]
#: Texts of which one can be no partition: Delta's protocol reads an empty value as null.
UNFIT_PARTS = [*ODD_PARTS[:-2], "", None]
#: Gold tables of hard values -> the texts of their first partition column.
HARD = {"gold.hard": ODD_PARTS, "gold.unfit": UNFIT_PARTS, "gold.empty": []}


@dataclass(frozen=True)
class Gold:
    """Gold tables that are registered in Glue, and their lake."""

    environment: Environment
    tables: tuple[str, ...]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.environment)


@pytest.fixture(scope="session", autouse=True)
def installed() -> tuple[Path, Path]:
    """Where Trino and its Java are; without them everything here is skipped before Spark starts."""
    home, java = os.environ.get("TRINO_HOME", ""), os.environ.get("TRINO_JAVA_HOME", "")
    if not (home and java and (Path(home) / "bin" / "launcher").exists()):
        pytest.skip("needs Trino and Java 24 or newer: make test-trino")
    return Path(home), Path(java)


@pytest.fixture(scope="session")
def glue(s3_server: Server) -> Iterator[str]:
    """A Glue API with the empty database of gold; boto3's clients of Glue find it."""
    with glue_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def world(spark, repository, tmp_path_factory) -> World:
    """The retailer's project on an empty lake, whose gold is registered in Glue."""
    world = World(spark, repository, tmp_path_factory.mktemp("trino") / "lake")
    world.environment = replace(world.environment, catalog=Catalog(DATABASE, region=REGION))
    return world


@pytest.fixture(scope="session")
def retail(world: World, repository, glue) -> Gold:
    """Every gold table of the retailer, built by two runs, registered as `headgate deploy` does."""
    sent = 0
    for dataset in DATASETS:
        for path in SAMPLES.glob(f"{dataset}.*"):
            world.land(dataset, path.read_bytes(), key="sample", at=NOON + timedelta(seconds=sent))
            sent += 1
    world.run_well()
    for upload in uploads(SPEC):
        at = NOON + timedelta(seconds=sent)
        world.land(upload.dataset, upload.body, key=upload.key, store=upload.store, at=at)
        sent += 1
    world.run_well()
    done = registrations(Target(repository, world.environment, as_json=False), world.graph)
    assert {item.action for item in done} <= {"create", "current"}
    return Gold(world.environment, tuple(f"gold.{item.table}" for item in done))


@pytest.fixture(scope="session")
def hard(world: World, spark, glue) -> Gold:
    """The tables of `HARD`, as runs write them: odd partition values, nulls, decimals, times, nested values."""
    gold, node = Gold(world.environment, tuple(HARD)), world.graph.node("gold.daily_store_sales")
    for table, parts in HARD.items():
        rows = spark.createDataFrame(hard_rows(parts) if parts else hard_rows(ODD_PARTS).slice(0, 0))
        work = Work(table, Kind.REBUILD, "", gold.ledger.head(table))
        committer = Committer(spark, gold.ledger, replace(node, name=table), work, "hard")
        with committer.writing_whole(rows, ["part", "day"]) as batch:
            pass
        committer.overwrite(batch, batch.partition_by, batch.properties)
    documents = [_document(gold, table) for table in gold.tables]
    GlueDatabase(BotoClients(REGION).client("glue"), DATABASE, "hard").register(documents)
    return gold


def hard_rows(parts: list[str | None]) -> pa.Table:
    """A row for each partition value."""
    count = len(parts)
    base = datetime(2026, 3, 29, 0, 59, 59, 999999, tzinfo=UTC)
    columns = {
        "part": pa.array(parts, pa.string()),
        "day": pa.array(
            [None if n == 3 else date(2026, 1, 1) + timedelta(days=n % 3) for n in range(count)], pa.date32()
        ),
        "number": pa.array([2**53 + 1, -(2**63), 2**63 - 1, *range(count - 3)], pa.int64()),
        "small": pa.array([None, *range(count - 1)], pa.int32()),
        "money": pa.array([None, *(Decimal(n) / 100 for n in range(1, count))], pa.decimal128(18, 2)),
        "wide": pa.array([Decimal("9" * 38), Decimal("-" + "9" * 38), *([None] * (count - 2))], pa.decimal128(38, 0)),
        "ratio": pa.array([0.1, -0.0, 1e308, 5e-324, *([None] * (count - 4))], pa.float64()),
        "at": pa.array(
            [base + timedelta(milliseconds=n) if n % 4 else None for n in range(count)], pa.timestamp("us", "UTC")
        ),
        "flag": pa.array([n % 2 == 0 if n % 3 else None for n in range(count)], pa.bool_()),
        "text": pa.array(["", "line\nbreak", "tab\t", "\\N", "NULL", "é€😀", *(["x"] * (count - 6))], pa.string()),
        "tags": pa.array([["a", None], [], None, *([["x"]] * (count - 3))], pa.list_(pa.string())),
    }
    return pa.table(columns)


def _document(gold: Gold, table: str) -> GoldTable:
    types = schema_of(gold.ledger.open(table).schema().to_json())
    columns = tuple(GoldColumn(name, kind) for name, kind in types.items())
    return GoldTable(table, gold.environment.table_uri(table), columns)


@pytest.fixture(scope="session")
def trino(installed, s3_server: Server, glue: str, tmp_path_factory: Any) -> Iterator[Trino]:
    home, java = installed
    with trino_server(home, java, tmp_path_factory.mktemp("server"), s3_server.variables, glue) as server:
        yield server
