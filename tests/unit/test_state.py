"""Tables that were built by older code, or are not declared any more: reported, selected, and not changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from headgate.cli import plan, run, tables
from headgate.errors import UsageError
from headgate.planning.plan import Kind, Source, Work
from headgate.planning.state import codes_after, modified, note, suites_after, undeclared
from headgate.views import reports
from tests.unit.lake import CONTRACT, DAILY, NOON, SALES, Lake

ALL = {"bronze.sales", "silver.sales", "silver.lines", "gold.daily"}
REBUILD_DAILY = "built by older code: old rows not rebuilt (headgate run --rebuild -s gold.daily)"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.built()
    return lake


def planned(lake: Lake, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(plan.command, ["--project", str(lake.project.root), "--json", *arguments])
    assert result.exit_code == 0, result.exception
    return json.loads(result.output)


def notes(lake: Lake) -> dict[str, str]:
    return {table["table"]: table["note"] for table in planned(lake)["tables"] if table["note"]}


def names(lake: Lake, *selectors: str) -> set[str]:
    arguments = [part for selector in selectors for part in ("-s", selector)]
    return {table["table"] for table in planned(lake, *arguments)["tables"]}


def change_code(lake: Lake) -> None:
    lake.write("jobs/gold/daily.py", DAILY + "\n# changed\n")


# --- older code


def test_a_table_that_its_code_built_has_no_note(lake: Lake) -> None:
    assert notes(lake) == {}


def test_a_changed_module_is_shown_with_the_command_that_rebuilds(lake: Lake) -> None:
    change_code(lake)
    assert notes(lake) == {"gold.daily": REBUILD_DAILY}


def test_the_note_is_printed_with_the_work_and_does_not_change_it(lake: Lake) -> None:
    change_code(lake)
    shown = CliRunner().invoke(plan.command, ["--project", str(lake.project.root)]).output
    assert f"gold.daily: {REBUILD_DAILY}" in shown and "nothing to do" in shown


def test_a_dry_run_tells_it_too(lake: Lake) -> None:
    change_code(lake)
    shown = CliRunner().invoke(run.command, ["--project", str(lake.project.root), "--dry-run"]).output
    assert f"gold.daily: {REBUILD_DAILY}" in shown


def test_a_changed_contract_is_told_of_the_table_that_types_its_records_and_not_of_bronze(lake: Lake) -> None:
    lake.write("conf/datasets/sales.yaml", CONTRACT.replace("version: 1.0.0", "version: 1.1.0"))
    assert notes(lake) == {
        "silver.sales": REBUILD_DAILY.replace("gold.daily", "silver.sales"),
    }


def test_a_changed_helper_is_shown_for_the_tables_that_import_helpers(lake: Lake) -> None:
    lake.write("jobs/common/money.py", "CENTS = 100\n")
    lake.write("jobs/gold/daily.py", DAILY.replace("\n\n", "\nfrom jobs.common.money import CENTS\n\n", 1))
    lake.daily([(1, "north")])
    assert notes(lake) == {}
    lake.write("jobs/common/money.py", "CENTS = 1000\n")
    assert notes(lake) == {"gold.daily": REBUILD_DAILY}


def test_an_increment_by_new_code_does_not_hide_the_old_rows(lake: Lake) -> None:
    old = lake.graph.node("gold.daily").code_hash
    change_code(lake)
    new = lake.graph.node("gold.daily").code_hash
    work = Work("gold.daily", Kind.INCREMENT, "", lake.ledger.head("gold.daily"), {"silver.sales": Source("s", 1, 0)})
    codes = codes_after(work, new)
    assert set(codes) == {old, new}
    lake.daily([(1, "north")], codes=codes)
    assert notes(lake) == {"gold.daily": REBUILD_DAILY}


def test_a_whole_build_leaves_no_old_rows(lake: Lake) -> None:
    head = lake.ledger.head("gold.daily")
    assert codes_after(Work("gold.daily", Kind.REBUILD, "", head), "new") == ["new"]


def expect_rows(lake: Lake, count: int) -> str:
    """Gives gold.daily a suite, and its hash."""
    expectation = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": count}}
    suite = {"name": "gold.daily", "expectations": [expectation]}
    lake.write("conf/expectations/gold/daily.json", json.dumps(suite))
    return lake.graph.node("gold.daily").suite_hash


def test_rows_that_another_or_no_suite_checked_are_shown(lake: Lake) -> None:
    suite = expect_rows(lake, 1)
    details = {"gold.daily": "its suite changed: old rows not judged by it (headgate check --table gold.daily)"}
    assert notes(lake) == details
    work = Work("gold.daily", Kind.INCREMENT, "", lake.ledger.head("gold.daily"), {"silver.sales": Source("s", 1, 0)})
    lake.daily([(1, "north")], suites=suites_after(work, suite))
    assert notes(lake) == details
    rebuilt = Work("gold.daily", Kind.REBUILD, "", lake.ledger.head("gold.daily"))
    lake.daily([(1, "north")], suites=suites_after(rebuilt, suite))
    assert notes(lake) == {}


def test_a_table_that_is_rebuilt_anyway_has_no_note(lake: Lake) -> None:
    change_code(lake)
    node, head = lake.graph.node("gold.daily"), lake.ledger.head("gold.daily")
    assert note(lake.graph, node, Work("gold.daily", Kind.REBUILD, "", head)) == ""
    assert note(lake.graph, node, Work("gold.daily", Kind.INCREMENT, "", head)) == REBUILD_DAILY


# --- state:modified, result:error


def test_modified_are_the_changed_the_redeclared_and_the_not_built(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert modified(lake.graph, lake.ledger) == ALL
    lake.built()
    assert modified(lake.graph, lake.ledger) == set()
    change_code(lake)
    assert modified(lake.graph, lake.ledger) == {"gold.daily"}


def test_a_table_declared_otherwise_than_it_was_built_is_modified(lake: Lake) -> None:
    lake.daily([(1, "north")], declared="otherwise")
    assert modified(lake.graph, lake.ledger) == {"gold.daily"}


def test_state_modified_selects_tables_with_their_readers(lake: Lake) -> None:
    assert names(lake, "state:modified") == set()
    lake.write("jobs/silver/sales.py", SALES + "\n# changed\n")
    assert names(lake, "state:modified") == {"silver.sales"}
    assert names(lake, "state:modified+") == {"silver.sales", "silver.lines", "gold.daily"}


def test_result_error_selects_tables_that_failed_in_their_last_run(lake: Lake) -> None:
    def ran(run: str, **statuses: str) -> None:
        results = [{"table": name.replace("__", "."), "status": status} for name, status in statuses.items()]
        reports.write(lake.environment.object_store(), reports.RunReport(run, NOON, NOON, results))

    assert names(lake, "result:error") == set()
    ran("20260302T1", silver__sales="failed", silver__lines="failed", gold__daily="skipped", gold__gone="failed")
    ran("20260302T2", silver__lines="done")
    assert names(lake, "result:error") == {"silver.sales"}
    assert names(lake, "result:error", "bronze.*") == {"silver.sales", "bronze.sales"}


def test_other_verbs_take_the_selectors_too(lake: Lake) -> None:
    change_code(lake)
    arguments = ["--project", str(lake.project.root), "-s", "state:modified", "--json"]
    shown = json.loads(CliRunner().invoke(tables.command, arguments).output)
    assert [table["table"] for table in shown["tables"]] == ["gold.daily"]


def test_a_run_of_nothing_that_is_selected_says_so(lake: Lake) -> None:
    arguments = ["--project", str(lake.project.root), "-s", "state:modified"]
    result = CliRunner().invoke(run.command, arguments)
    assert (result.exit_code, result.output) == (0, "nothing to do: no table is selected\n")


def test_an_unknown_state_is_refused_with_a_suggestion(lake: Lake) -> None:
    with pytest.raises(UsageError, match="Did you mean 'state:modified'"):
        lake.graph.select(["state:modifed"])


# --- not declared any more


def test_a_table_whose_module_is_gone_is_named_and_left(lake: Lake) -> None:
    (lake.project.jobs / "gold" / "daily.py").unlink()
    shown = CliRunner().invoke(plan.command, ["--project", str(lake.project.root)]).output
    assert "gold.daily: not declared any more: left as it is" in shown
    assert planned(lake)["undeclared"] == ["gold.daily"]
    assert lake.ledger.open("gold.daily") is not None


def test_only_delta_tables_of_the_layers_count(lake: Lake) -> None:
    lake.write("lake/gold/notes/readme.txt", "no table")
    lake.write("lake/landing/other/readme.txt", "no table")
    write_deltalake(lake.environment.table_uri("bronze.old"), pa.table({"n": [1]}))
    assert undeclared(lake.environment.object_store(), lake.graph) == ["bronze.old"]


def test_an_empty_lake_has_none(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert undeclared(lake.environment.object_store(), lake.graph) == []
