"""What is sent after a run: the cause and the next command, a failure once, a recovery once."""

import pytest

from headgate.contracts.automation import Schedule
from orchestration.notifications import LastOutcome, notifications, outcome_of

FAILED = {"run": "job 7 FAILED, exit code 1\nsilver.transactions [table] no column 'x'\nlog: s3://lake/logs/7/"}
REPEATED = {"run": "job 8 FAILED, exit code 1\nsilver.transactions [table] no column 'x'\nlog: s3://lake/logs/8/"}
TABLES = [
    {"table": "silver.transactions", "status": "failed", "rows_in": 40, "quarantined": 0},
    {"table": "gold.fct_sales", "status": "done", "written": 1234, "version": 7},
]
GOOD = LastOutcome()
ALL = Schedule("nightly", notify=("success", "failure", "recovery"))
QUIET = Schedule("intraday", notify=("failure", "recovery"))


def send(manifest, schedule, failures, last, tables=TABLES):
    return notifications(manifest, schedule, "run-1", failures, [{"tables": tables}], last)


def test_a_failure_is_sent_with_its_cause_and_the_next_commands(manifest):
    (message,) = send(manifest, ALL, FAILED, GOOD)
    assert (message.kind, message.subject) == ("failure", "failed: prod nightly: silver.transactions")
    assert "silver.transactions [table] no column 'x'" in message.body
    assert "next: headgate status --env prod" in message.body
    assert message.body.endswith("headgate run --env prod -s silver.transactions+")


def test_the_same_failure_is_sent_once_although_job_ids_differ(manifest):
    assert send(manifest, ALL, REPEATED, outcome_of(FAILED)) == []


def test_another_failure_is_sent(manifest):
    (message,) = send(manifest, ALL, {"maintain": "job 9 FAILED"}, outcome_of(FAILED))
    assert message.kind == "failure"


def test_the_first_success_after_a_failure_is_a_recovery(manifest):
    assert [message.kind for message in send(manifest, QUIET, {}, outcome_of(FAILED))] == ["recovery"]


@pytest.mark.parametrize(("schedule", "kinds"), [(ALL, ["success"]), (QUIET, [])])
def test_a_success_is_sent_only_if_the_schedule_asks_for_it(manifest, schedule, kinds):
    assert [message.kind for message in send(manifest, schedule, {}, GOOD)] == kinds


def test_a_success_is_a_digest_of_the_tables_that_changed(manifest):
    (message,) = send(manifest, ALL, {}, GOOD)
    assert "1 tables changed\n  gold.fct_sales: 1,234 rows written, version 7" in message.body


def test_a_share_of_rejected_records_above_the_limit_is_sent(manifest):
    many = [{"table": "silver.transactions", "status": "done", "rows_in": 100, "quarantined": 6}]
    few = [{"table": "silver.transactions", "status": "done", "rows_in": 100, "quarantined": 5}]
    (message,) = send(manifest, QUIET, {}, GOOD, many)
    assert message.kind == "quarantine"
    assert "silver.transactions: 6 of 100" in message.body
    assert send(manifest, QUIET, {}, GOOD, few) == []


def test_a_subject_has_at_most_the_100_characters_that_sns_takes(manifest):
    tables = [{"table": f"silver.table_{number}", "status": "failed"} for number in range(30)]
    (message,) = send(manifest, ALL, FAILED, GOOD, tables)
    assert len(message.subject) == 100


def test_the_outcome_survives_its_json():
    assert LastOutcome.from_json(outcome_of(FAILED).to_json()) == outcome_of(FAILED)
    assert LastOutcome.from_json(None) == LastOutcome.from_json("nonsense") == GOOD
