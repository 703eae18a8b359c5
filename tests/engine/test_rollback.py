"""A rollback takes rows, quarantine, receipts and position back; the next run gives the tables of a clean run."""

from __future__ import annotations

import pytest

from headgate.engine.verbs.rollback import roll_back
from headgate.errors import UsageError
from headgate.ledger.travel import version_before
from tests.engine import model
from tests.engine.world import World, sale

pytestmark = pytest.mark.long

BRONZE, SILVER, GOLD = "bronze.transactions", "silver.transactions", "gold.daily_store_sales"


def rolled_back(world: World, table: str, to: int) -> int:
    ledger = world.planner().ledger
    return roll_back(world.spark, ledger, ledger.head(table), to)


@pytest.mark.parametrize("table", [BRONZE, SILVER, GOLD])
def test_the_next_run_after_a_rollback_gives_the_tables_of_a_clean_run(grown: World, table: str) -> None:
    grown.upload([sale(2, revised=3), "{broken too"], key="third")
    grown.run_well()
    assert rolled_back(grown, table, 0) == grown.version(table)
    assert table in grown.kinds()
    grown.run_well()
    assert grown.tables() == model.tables(grown.sent)
    assert grown.kinds() == {}


def test_a_rolled_back_table_has_the_position_quarantine_and_receipts_of_then(grown: World) -> None:
    position = grown.planner().ledger.position_at(SILVER, 0)[0].metadata.position
    rejected, receipts = grown.rejected(), grown.receipts()
    grown.upload([sale(9), "{broken too"], key="third")
    grown.run_well()
    rolled_back(grown, SILVER, 1)
    assert (grown.rejected(), grown.receipts()) == (rejected, receipts)
    rolled_back(grown, SILVER, 0)
    assert grown.planner().ledger.head(SILVER).position == position
    assert len(grown.receipts()) == 1


@pytest.mark.s3
def test_a_rollback_between_another_runs_plan_and_its_commit_is_noticed(grown: World) -> None:
    grown.upload([sale(9)], key="third")
    grown.run_well(BRONZE)
    planner = grown.planner()
    planned = planner.plan_table(SILVER)
    rolled_back(grown, SILVER, 0)
    planner.plan_table = lambda _: planned
    assert grown.runner(planner).run([SILVER])[0].status == "done"
    reports = grown.run_well()
    assert "planned before a RESTORE" in reports[SILVER].reason
    assert grown.tables() == model.tables(grown.sent)


def test_a_run_is_a_name_for_the_version_that_it_committed(grown: World) -> None:
    ledger = grown.planner().ledger
    run = ledger.commit(SILVER, 0).run
    assert version_before(ledger, ledger.head(SILVER), run) == 0


@pytest.mark.parametrize(
    ("to", "message"), [("1", "nothing to take back"), ("no-such-run", "no commit of silver.trans")]
)
def test_a_version_that_is_not_before_the_head_is_refused(two_runs: World, to: str, message: str) -> None:
    ledger = two_runs.planner().ledger
    with pytest.raises(UsageError, match=message):
        version_before(ledger, ledger.head(SILVER), to)
