"""When a failed expectation stops a batch, by its severity, its kind, and what the suite says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.document import Place
from headgate.engine.gate.gate import _fails
from headgate.suites.expectation import Expectation
from headgate.suites.quality import Result

ROW = Expectation(
    name="amount",
    type="expect_column_values_to_not_be_null",
    kwargs={},
    kind="row",
    severity="critical",
    scope="batch",
    on_failure="quarantine",
    columns=("amount",),
    mostly=1.0,
    place=Place("suite.json"),
)
BATCH = replace(ROW, kind="batch", type="expect_table_row_count_to_be_between")


def result(success: bool, unexpected: int = 0) -> Result:
    return Result("amount", ROW.type, ("amount",), "row", "critical", success=success, judged=10, unexpected=unexpected)


@pytest.mark.parametrize("severity", ["warning", "info"])
def test_what_is_not_critical_stops_nothing(severity: str) -> None:
    expectation = replace(BATCH, severity=severity)
    assert not _fails(expectation, result(success=False), quarantines=False)


def test_a_critical_batch_expectation_stops_the_batch_of_any_table() -> None:
    assert [_fails(BATCH, result(success=False), quarantines=q) for q in (True, False)] == [True, True]
    assert not _fails(BATCH, result(success=True), quarantines=True)


def test_a_row_stops_the_batch_of_a_table_without_a_quarantine() -> None:
    assert _fails(ROW, result(success=False, unexpected=1), quarantines=False)


def test_a_record_that_can_be_quarantined_stops_nothing() -> None:
    assert not _fails(ROW, result(success=False, unexpected=9), quarantines=True)


def test_more_rejected_records_than_mostly_allows_stop_the_batch() -> None:
    assert _fails(replace(ROW, mostly=0.9), result(success=False, unexpected=5), quarantines=True)
    assert not _fails(replace(ROW, mostly=0.9), result(success=True, unexpected=1), quarantines=True)


def test_on_failure_fail_stops_the_batch_for_one_record() -> None:
    expectation = replace(ROW, on_failure="fail")
    assert _fails(expectation, result(success=False, unexpected=1), quarantines=True)
    assert not _fails(expectation, result(success=True, unexpected=0), quarantines=True)
