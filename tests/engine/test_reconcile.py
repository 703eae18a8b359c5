"""`reconcile` finds nothing after runs, and reports changes by others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from deltalake import DeltaTable, write_deltalake

from headgate.reconcile import Finding, Level, Reconciler, landing, records, slices
from headgate.reconcile.finding import Kind
from tests.engine.world import World, sale

pytestmark = pytest.mark.long

BRONZE, SILVER, GOLD = "bronze.transactions", "silver.transactions", "gold.daily_store_sales"
ITEMS = "silver.transaction_items"


def findings(world: World) -> dict[tuple[str, str], Finding]:
    """(table, message) -> finding, without findings that wait for the next run."""
    reconciler = Reconciler(world.environment, world.graph, digest=True, clock=lambda: world.now)
    checks = list(reconciler.checks(world.graph.nodes))
    waiting = Level.WAITING
    return {(check.table, f.kind.message): f for check in checks for f in check.findings if f.kind.level is not waiting}


def test_after_runs_the_only_finding_is_a_voided_sale(grown: World) -> None:
    assert findings(grown) == {}
    grown.upload([sale(1, revised=1, items=[]), sale(8, day=6, revised=1, voided=True), "{broken"], key="third")
    grown.upload([], key="empty")
    grown.run_well()
    assert {place: finding.names for place, finding in findings(grown).items()} == {
        (ITEMS, slices.EMPTY.message): ("transaction_id=20260301-store-1-000001",)  # a sale without items, as sent
    }


def test_there_are_no_findings_while_uploads_wait_or_only_bronze_has_run(grown: World) -> None:
    grown.upload([sale(9, day=2), "{broken"], key="third")
    assert findings(grown) == {}
    grown.run_well(BRONZE)
    assert findings(grown) == {}


def test_there_are_no_findings_after_a_rebuild(grown: World) -> None:
    grown.run(rebuild=True)
    assert findings(grown) == {}


def delete(table: str, where: str) -> Callable[[World], None]:
    return lambda world: DeltaTable(world.path(table)).delete(where) and None


def double(table: str, where: str) -> Callable[[World], None]:
    """Rows of a table once more, as a writer that knows nothing of Headgate would add them."""

    def add(world: World) -> None:
        delta = DeltaTable(world.path(table))
        rows = world.spark.read.format("delta").load(world.path(table)).filter(where).toArrow()
        assert rows.num_rows > 0
        write_deltalake(delta, rows, mode="append", partition_by=delta.metadata().partition_columns)

    return add


def lose_object(world: World) -> None:
    next(iter(sorted((world.lake / "landing").rglob("*.jsonl")))).unlink()


def add_day(world: World) -> None:
    rows = world.spark.read.format("delta").load(world.path(GOLD)).limit(1)
    moved = rows.selectExpr("DATE '2025-01-01' AS sale_date", *[c for c in rows.columns if c != "sale_date"])
    moved.select(rows.columns).write.format("delta").mode("append").save(world.path(GOLD))


@pytest.mark.parametrize(
    ("damage", "table", "kind", "named"),
    [
        (lose_object, BRONZE, landing.GONE, "transactions.2026030212.store-1."),
        (double(BRONZE, "_state = 'receipt'"), BRONZE, landing.TWICE_IN_BRONZE, ": 2 receipts"),
        (delete(SILVER, "_state = 'receipt'"), SILVER, records.NO_RECEIPT, "transactions.2026030212.store-1."),
        (delete(SILVER, "_state = 'rejected'"), SILVER, records.QUARANTINE, ": 0 rejected records"),
        (delete(SILVER, "_state = 'live'"), SILVER, records.LOST_ROWS, "1 keys; 7 were inserted"),
        (double(SILVER, "_state = 'live' AND sale_date = '2026-03-06'"), SILVER, records.TWO_KEYS, "000008"),
        (delete(GOLD, "sale_date = '2026-03-06'"), GOLD, slices.EMPTY, "sale_date=2026-03-06"),
        (add_day, GOLD, slices.EXTRA, "sale_date=2025-01-01"),
    ],
    ids=["object", "bronze", "receipts", "quarantine", "rows", "key", "day", "slice"],
)
def test_damage_is_named(grown: World, damage: Callable[[World], None], table: str, kind: Kind, named: str) -> None:
    damage(grown)
    names = findings(grown)[table, kind.message].names
    assert any(named in name for name in names), names
