"""The verbs that look, on a lake that two runs made: uploads `first` and `second` of `two_runs`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import history, lineage, plan, show, status
from headgate.engine.verbs import run as engine
from headgate.table import Replace
from headgate.views import reports
from tests.engine.world import World, sale

pytestmark = pytest.mark.long

GOLD = "gold.daily_store_sales"


def shown(world: World, verb: Any, *arguments: str) -> dict[str, Any]:
    """What a verb prints with --json."""
    result = invoke(world, verb, *arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.output)


def invoke(world: World, verb: Any, *arguments: str) -> Any:
    where = ["--project", str(world.project.root)]
    return CliRunner(env={"HEADGATE_LAKE": str(world.lake)}).invoke(verb.command, [*arguments, *where])


def runs(world: World) -> list[str]:
    """The runs by their reports, the oldest first."""
    return [report.run for report in reports.newest(world.environment.object_store(), 9)][::-1]


def uploads(world: World, *slices: str, table: str = GOLD) -> dict[str, tuple[int, str]]:
    """Upload -> its records in the slice, and the run that took it in."""
    arguments = [part for text in slices for part in ("--slice", text)]
    result = shown(world, lineage, table, *arguments)["uploads"]
    return {item["upload"]: (item["records"], item["run"]) for item in result}


def test_a_gold_slice_is_traced_to_the_uploads_of_its_rows(two_runs: World) -> None:
    first, second = (sent.id for sent in two_runs.sent)
    item, two = runs(two_runs)
    assert uploads(two_runs, "sale_date=2026-03-01") == {second: (1, two)}  # sale 1 as corrected; sale 2 is voided
    assert uploads(two_runs, "sale_date=2026-03-02") == {first: (1, item), second: (1, two)}
    assert uploads(two_runs, "sale_date=2026-03-03") == {first: (1, item)}


def test_a_slice_of_a_tables_other_columns_is_traced_by_the_slices_of_its_rows(two_runs: World) -> None:
    first, second = (sent.id for sent in two_runs.sent)
    item, two = runs(two_runs)
    result = uploads(two_runs, "sale_date=2026-03-02", table="silver.transaction_items")
    assert result == {first: (1, item), second: (1, two)}


def test_the_trace_names_the_versions_and_the_runs_that_wrote_the_slice(two_runs: World) -> None:
    item, two = runs(two_runs)
    steps = shown(two_runs, lineage, GOLD, "--slice", "sale_date=2026-03-03")["steps"]
    assert [(step["table"], step["version"], step["run"]) for step in steps] == [
        (GOLD, 1, two),
        ("silver.transactions", 1, two),
        ("bronze.transactions", 1, two),
    ]
    assert [step["written_by"] for step in steps[:2]] == [{"0": item}, {"0": item}]


def test_the_objects_that_are_traced_hold_the_records(two_runs: World) -> None:
    (result,) = shown(two_runs, lineage, GOLD, "--slice", "sale_date=2026-03-03")["uploads"]
    assert json.dumps(sale(5, day=3)) in (two_runs.lake / result["object"]).read_text().splitlines()


def test_each_run_keeps_a_report_that_agrees_with_the_tables(two_runs: World) -> None:
    newest, oldest = reports.newest(two_runs.environment.object_store(), 9)
    for version, report in enumerate((oldest, newest)):
        tables = {table["table"]: table for table in report.tables}
        assert (tables[GOLD]["status"], tables[GOLD]["version"]) == ("done", version)
        assert two_runs.planner().ledger.commit(GOLD, version).run == report.run
    assert tables["silver.transactions"]["counts"]["records"] == 3


def test_status_tells_runs_and_quarantine_and_that_nothing_is_to_do(two_runs: World) -> None:
    result = shown(two_runs, status)
    assert result["run"]["run"] == runs(two_runs)[-1]
    assert [result[key] for key in ("failed", "stale", "undeclared")] == [[], [], []]
    (quarantine,) = (item for item in result["quarantine"] if item["table"] == "silver.transactions")
    assert quarantine["last"] == {"records": 3, "rejected": 0}
    assert quarantine["all"] == {"records": 10, "rejected": 1}


def test_status_shows_a_failed_table_and_it_can_be_selected(grown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    grown.upload([sale(9, day=7)], key="third")
    monkeypatch.setitem(engine._BUILDERS, Replace, lambda job: 1 / 0)
    grown.run()
    failed = {item["table"]: item["reason"] for item in shown(grown, status)["failed"]}
    assert {GOLD, "silver.transaction_items"} <= set(failed) and "division by zero" in failed[GOLD]
    chosen = {table["table"] for table in shown(grown, plan, "-s", "result:error")["tables"]}
    assert chosen == set(failed)


def test_rows_of_a_run_are_by_the_current_code(two_runs: World) -> None:
    assert [table["note"] for table in shown(two_runs, plan)["tables"] if table["note"]] == []
    modified = {table["table"] for table in shown(two_runs, plan, "-s", "state:modified")["tables"]}
    assert not modified & {GOLD, "silver.transactions", "silver.transaction_items", "bronze.transactions"}


def test_every_commit_names_the_code_of_its_rows(two_runs: World) -> None:
    node = two_runs.graph.node(GOLD)
    commits = shown(two_runs, history, GOLD)["commits"]
    assert [commit["code"] for commit in commits] == [node.code_hash] * 2
    assert two_runs.planner().ledger.commit(GOLD, 1).metadata.codes == (node.code_hash,)


def test_gold_and_the_quarantine_are_shown_as_they_were(grown: World) -> None:
    def revenue(*arguments: str) -> dict[str, str]:
        shown = invoke(grown, show, GOLD, "--json", *arguments)
        return {row["sale_date"]: row["revenue"] for row in map(json.loads, shown.output.splitlines())}

    at = shown(grown, history, GOLD)["commits"][1]["at"]
    assert revenue("--version", "0")["2026-03-01"] == "20.00"
    assert revenue("--as-of", at.replace(" ", "T")) == revenue("--version", "0")
    assert revenue()["2026-03-01"] == revenue("--version", "1")["2026-03-01"] == "11.00"
    grown.upload(["{broken again"], key="third")
    grown.run_well()
    rejected = [
        invoke(grown, show, "quarantine.silver.transactions", "--json", "--version", version).output for version in "12"
    ]
    assert [len(text.splitlines()) for text in rejected] == [1, 2]
