"""What verbs print of a run and of a commit, for a person."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from headgate.cli.history import counted
from headgate.cli.plan import _print_schemas
from headgate.cli.run import _print_nothing, print_reports
from headgate.cli.run_progress import Lines, LiveLines, shown_progress
from headgate.engine.gate.gate import _shown
from headgate.engine.steps import FUNCTION, GATE, READ, listening, step
from headgate.engine.verbs.schema_changes import SchemaChange
from headgate.engine.verbs.table_report import Report
from headgate.ledger.ledger import Head
from headgate.planning.plan import Kind, Work
from headgate.suites.quality import Result


def failed(severity: str) -> dict:
    """A row expectation with one failing row of two."""
    return Result(
        "price is positive",
        "expect_column_values_to_be_between",
        ("price",),
        "row",
        severity,
        success=False,
        judged=2,
        unexpected=1,
    ).as_dict()


@pytest.mark.parametrize(
    "severity, quarantined, word",
    [("critical", 1, "quarantined"), ("critical", 0, "critical"), ("warning", 1, "warning")],
)
def test_a_run_prints_the_result_of_failing_rows(severity, quarantined, word, capsys) -> None:
    print_reports("r-1", [Report("silver.sales", "done", quarantined=quarantined, quality=[failed(severity)])])
    assert f"\n{word} silver.sales: price is positive failed: 1 of 2 rows" in capsys.readouterr().err


def test_a_row_that_fails_is_shown_with_its_record_and_null_as_sql_says_it() -> None:
    row = {"upload": "u-1", "record": 7, "c0": None, "c1": "1.00"}
    assert _shown(row, ["name", "price"]) == "name=null, price=1.00 in record 7 of u-1"


def test_history_leaves_out_the_counts_that_only_balance_others() -> None:
    assert counted({"records": 3, "rejected": 1, "refused": 1, "accepted": 2, "rows": 2, "replacing": 0}) == (
        "records=3 rejected=1 accepted=2"
    )


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_each_step_of_a_table_is_a_line(capsys) -> None:
    clock = Clock()
    lines = Lines(clock)
    with listening(lines.show, "silver.sales"):
        step(READ)
        clock.now += 3
        step(FUNCTION)
        step(FUNCTION)
    lines.show("silver.sales", "done")
    lines.show("gold.daily", "current")
    step(GATE)  # of no table
    assert capsys.readouterr().err.splitlines() == [
        "... silver.sales: read, 0 s",
        "... silver.sales: function, 3 s",
        "... silver.sales: done, 3 s",
    ]


def test_on_a_terminal_each_table_in_work_is_a_line_until_it_ends() -> None:
    clock = Clock()
    lines = LiveLines(clock)
    for table in ("silver.sales", "gold.daily"):
        lines.show(table, READ)
        clock.now += 5
    lines.show("silver.sales", GATE)
    assert drawn(lines) == ["silver.sales  gate  10 s", "gold.daily    read  5 s"]
    lines.show("silver.sales", "done")
    assert drawn(lines) == ["gold.daily  read  5 s"]


def drawn(lines: LiveLines) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(lines)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_terminal_shows_live_lines_and_keeps_none_of_them() -> None:
    """On a pseudo terminal: the lines appear while the block runs, and are erased at its end."""
    primary, secondary = os.openpty()
    script = (
        "import time\n"
        "from headgate.cli.run_progress import shown_progress\n"
        "with shown_progress(False) as show:\n"
        "    show('silver.sales', 'gate')\n"
        "    time.sleep(0.6)\n"
        "print('the report')\n"
    )
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=secondary, env=environment, text=True
    )
    os.close(secondary)
    report, _ = process.communicate(timeout=60)
    shown = os.read(primary, 1_000_000).decode()
    os.close(primary)
    assert report == "the report\n"
    assert "silver.sales  gate  0 s" in shown
    assert shown.rpartition("silver.sales")[2].count("\x1b[2K") >= 1  # erases the line


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ((), "nothing to do: no table is selected\n"),
        ((0, -1), "nothing to do: every table is current\n"),
        ((-1, -1), "nothing to do: no table is built, and there is nothing yet to build one from (headgate upload)\n"),
    ],
)
def test_a_run_without_work_says_why(capsys, versions, expected) -> None:
    heads = [Head(f"gold.t{number}", "", version, "", -1) for number, version in enumerate(versions)]
    works = [Work(head.table, Kind.CURRENT, "no new uploads", head) for head in heads]
    _print_nothing(SimpleNamespace(as_json=False), works)
    assert capsys.readouterr().out == expected


def test_under_json_no_progress_is_shown(capsys) -> None:
    with shown_progress(True) as show:
        show("silver.sales", READ)
    assert capsys.readouterr() == ("", "")


def test_a_plan_of_schemas_lists_the_columns_of_tables_that_are_not_built(capsys) -> None:
    _print_schemas([SchemaChange("gold.daily", columns=("day: date", "revenue: decimal(18,2)"))])
    assert capsys.readouterr().out == "gold.daily: not built yet, with the columns day: date, revenue: decimal(18,2)\n"
