"""A scheduler can tell from the exit code whether a retry may help."""

from __future__ import annotations

import pytest

from headgate import errors
from headgate.cli.run import exit_if_failed
from headgate.engine.verbs.table_report import Report
from headgate.errors import BatchRefused, HeadgateError, InternalError, LostRace, StorageError


def failed(error: HeadgateError) -> Report:
    return Report("silver.sales", "failed", error=error.as_dict())


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ([failed(LostRace("run r-2 committed first"))], 75),
        ([failed(BatchRefused("3 of 4 rows"))], 1),
        ([failed(InternalError("KeyError: 'x'"))], 1),
        ([failed(BatchRefused("3 of 4 rows")), failed(LostRace("run r-2 committed first"))], 75),
        ([failed(StorageError("Disk full"))], 1),
        ([failed(StorageError("SlowDown", retryable=True))], 75),
    ],
)
def test_a_failed_run_exits_with_75_if_a_retry_may_help_one_of_its_tables(reports, code) -> None:
    with pytest.raises(SystemExit) as ended:
        exit_if_failed([*reports, Report("gold.sales", "skipped")])
    assert ended.value.code == code


def test_a_run_in_which_every_table_succeeded_goes_on() -> None:
    exit_if_failed([Report("silver.sales", "done"), Report("gold.sales", "current")])


def test_wrong_usage_and_configuration_end_with_2() -> None:
    for kind in (errors.UsageError, errors.ContractError, errors.SuiteError, errors.EnvironmentConfigError):
        assert kind("wrong").exit_code == 2


def test_every_error_says_whether_a_retry_may_help() -> None:
    assert LostRace("lost").as_dict()["retryable"] is True
    assert BatchRefused("refused").as_dict()["retryable"] is False
