"""What verbs print of a run and of a commit, for a person."""

from __future__ import annotations

import pytest

from headgate.cli.history import counted
from headgate.cli.run import print_reports
from headgate.engine.gate.gate import _shown
from headgate.engine.verbs.table_report import Report
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
