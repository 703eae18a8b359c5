"""A contract and a function may add columns to existing tables; other changes are refused by the plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli import plan
from headgate.engine.verbs.schema_changes import schema_changes
from headgate.planning.plan import Kind
from tests.engine.world import World, edit_project, sale

pytestmark = pytest.mark.long

SILVER, ITEMS, GOLD = "silver.transactions", "silver.transaction_items", "gold.daily_store_sales"
CONTRACT, MODULE = "conf/datasets/transactions.yaml", "jobs/silver/transactions.py"
BEFORE_ITEMS = "      - name: items\n"
LOYALTY = "      - name: loyalty\n        logicalType: string\n        description: The card.\n"


@pytest.fixture
def edited(grown: World, tmp_path: Path) -> Callable[..., World]:
    """The lake of two runs under a copy of its project, in whose files texts are replaced."""

    def edit(file: str, old: str, new: str) -> World:
        return edit_project(grown, tmp_path / "project", file, old, new)

    return edit


def test_a_new_optional_field_flows_to_silver_and_gold_and_is_null_in_old_rows(edited) -> None:
    edited(CONTRACT, BEFORE_ITEMS, LOYALTY + BEFORE_ITEMS)
    edited(MODULE, '"items",', '"items",\n        "loyalty",')
    world = edited(
        "jobs/gold/daily_store_sales.py", 'F.count("*")', 'F.count("loyalty").alias("with_card"), F.count("*")'
    )
    world.upload([{**sale(30, day=4), "loyalty": "gold card"}], key="third")
    world.run_well()
    cards = {row["transaction_id"][-6:]: row["loyalty"] for row in world.rows(SILVER)}
    assert (cards.pop("000030"), set(cards.values())) == ("gold card", {None})
    counts = {row["sale_date"].day: row["with_card"] for row in world.rows(GOLD)}
    assert (counts[4], counts[1]) == (1, None)  # day 1 was not computed again


def test_a_widened_field_is_refused_until_the_table_is_rebuilt(edited) -> None:
    world = edited(CONTRACT, "physicalType: int\n", "physicalType: bigint\n")
    world.upload([sale(30, register=3)], key="third")
    assert world.kinds()[SILVER] == "after"
    world.run("bronze.transactions")
    work = world.plan(SILVER)[SILVER]
    assert (work.kind, work.reason) == (Kind.REFUSED, "register was widened from int to bigint")
    reports = world.run()
    assert reports[SILVER].error["code"] == "contract-changed"
    assert "headgate run --rebuild -s silver.transactions" in reports[SILVER].error["fix"]
    assert {reports[GOLD].status, reports[ITEMS].status} == {"skipped"}
    version = world.version(SILVER)
    rebuilt = world.runner(rebuild=True).run([SILVER])[0]
    assert (rebuilt.status, rebuilt.version) == ("done", version + 1)
    assert world.planner().ledger.schema(SILVER, version + 1)["register"] == "long"
    assert world.run_well()[GOLD].work == "rebuild"  # its source's schema changed


def test_the_plan_of_schemas_shows_the_changes_of_the_next_run(edited) -> None:
    edited(MODULE, '"items",', '"items",\n        F.lit(1).alias("one"),')
    edited("jobs/gold/daily_store_sales.py", '.cast("decimal(18,2)")', '.cast("decimal(20,2)")')
    world = edited("jobs/silver/transaction_items.py", '"transaction_id",', '"transaction_id", "no_such",')
    result = schema_changes(world.spark, world.project, world.environment, world.graph, (SILVER, ITEMS, GOLD))
    silver, items, gold = result
    assert (silver.changed, silver.added) == ((), ("one: integer",))
    assert "no_such" in items.error
    assert (gold.changed, gold.added) == (("revenue: decimal(18,2) -> decimal(20,2)",), ())


@pytest.mark.parametrize(("column", "code"), [('"no_such"', 1), ('F.lit(1).alias("extra")', 0)])
def test_the_command_that_compares_schemas_fails_where_a_function_does(edited, monkeypatch, column, code) -> None:
    world = edited("jobs/silver/transaction_items.py", '"transaction_id",', f'"transaction_id", {column},')
    monkeypatch.setattr(plan, "spark_that_looks", lambda _: nullcontext(world.spark.newSession()))
    monkeypatch.setenv("HEADGATE_LAKE", str(world.lake))
    arguments = ["--schema", "--json", "--project", str(world.project.root), "-s", ITEMS]
    done = CliRunner().invoke(plan.command, arguments)
    assert done.exit_code == code, done.output
    (items,) = json.loads(done.stdout)["tables"]
    assert ("no_such" in items["error"], items["added"]) == (True, []) if code else (False, ["extra: integer"])
