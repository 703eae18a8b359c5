"""The retailer's whole model: facts before their dimensions, late and broken uploads, against the definitions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from headgate.contracts.table_contract import differences, load_table_contracts
from headgate.project import Project
from retail.generate import DATASETS, Spec, uploads
from tests.engine.retail_model import Landed, in_order, parsed, tables
from tests.engine.world import NOON, World

pytestmark = pytest.mark.long

SAMPLES = Path(__file__).parents[2] / "samples"
FACTS = ("transactions", "orders", "returns", "stores")
SPEC = Spec(
    stores=2,
    transactions=15,
    uploads=2,
    customers=60,
    products=80,
    late=0.2,
    repeated=0,
    corrected=0.1,
    broken=0.1,
    datasets=DATASETS,
)


class Retailer(World):
    """The repository's project, and its uploads."""

    def __init__(self, spark: SparkSession, project: Project, lake: Path) -> None:
        super().__init__(spark, project, lake)
        self.landed: list[Landed] = []

    def send(self, dataset: str, body: bytes, key: str, store: str = "store-1") -> None:
        """Lands an upload a second after the previous upload."""
        at = NOON + timedelta(seconds=len(self.landed))
        upload = self.land(dataset, body, key=key, store=store, at=at)
        self.landed.append(Landed(dataset, upload, at, parsed(dataset, body)))

    def send_samples(self, datasets: Iterable[str]) -> None:
        for dataset in datasets:
            [path] = SAMPLES.glob(f"{dataset}.*")
            self.send(dataset, path.read_bytes(), key="sample")

    def assert_is_as_defined(self) -> None:
        for table, rows in tables(self.landed).items():
            assert in_order(self.rows(table)) == rows, table


@pytest.fixture(scope="module")
def retailer(spark: SparkSession, repository: Project, tmp_path_factory: pytest.TempPathFactory) -> Retailer:
    return Retailer(spark, repository, tmp_path_factory.mktemp("retailer") / "lake")


def test_facts_are_kept_before_their_dimensions_come(retailer):
    retailer.send_samples(FACTS)
    retailer.run_well()
    retailer.assert_is_as_defined()
    assert {row["name"] for row in retailer.rows("gold.product_performance")} == {"unknown"}


def test_facts_are_corrected_when_dimensions_arrive_with_two_days_of_uploads(retailer):
    retailer.send_samples(("customers", "products"))
    for upload in uploads(SPEC):
        retailer.send(upload.dataset, upload.body, upload.key, upload.store)
    retailer.run_well()
    retailer.assert_is_as_defined()
    names = {row["product_id"]: row["name"] for row in retailer.rows("gold.product_performance")}
    assert (names["sku-10035512"], names["sku-10028830"]) == ("Rye Bread, sliced", "unknown")


def test_every_gold_table_is_as_its_contract_says(retailer):
    for table, contract in load_table_contracts(retailer.project).items():
        columns = retailer.planner().ledger.schema(table, retailer.version(table))
        assert differences(contract, columns) == [], table


def test_athena_can_read_every_table(retailer):
    """Reader version 1: no deletion vectors, column mapping, v2 checkpoints, type widening, variant, zoneless times."""
    for table in retailer.graph.nodes:
        delta = retailer.planner().ledger.open(table)
        protocol, settings = delta.protocol(), delta.metadata().configuration
        assert (protocol.min_reader_version, protocol.reader_features) == (1, None), table
        assert not {"delta.columnMapping.mode", "delta.enableTypeWidening"} & settings.keys(), table
        assert settings.get("delta.enableDeletionVectors", "false") == "false", table
        kinds = str(retailer.planner().ledger.schema(table, retailer.version(table)))
        assert "timestamp_ntz" not in kinds, table
        assert "variant" not in kinds, table
