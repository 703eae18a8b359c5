"""What a job did, read from a lake on moto: its exit code, the reason, or that it said nothing."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from headgate.aws.jobs import JobState, JobStatus
from headgate.aws.outcome import Lake

NOW = datetime(2026, 3, 2, 0, 5, tzinfo=UTC)
FAILED = JobStatus("00run", "name", JobState.FAILED, "FAILED", "ExitCode: 1", "s3://lake/logs/00run/")
REFUSED = {
    "table": "silver.transactions",
    "status": "failed",
    "quality": [],
    "error": {"code": "batch-refused", "what": "amounts failed", "where": "silver.transactions", "fix": "correct them"},
}


@pytest.fixture
def put(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="lake")

        def put_object(path, value):
            client.put_object(Bucket="lake", Key=f"prod/{path}", Body=json.dumps(value).encode())

        put_object.lake = Lake(client, "s3://lake/prod", NOW)
        yield put_object


def test_a_failed_table_is_the_reason_although_its_run_ended_yesterday(put):
    put("jobs/r1.json", {"exit_code": 1, "error": None})
    put("runs/dt=2026-03-01/r1.json", {"run": "r1", "tables": [REFUSED]})
    outcome = put.lake.outcome("r1", FAILED)
    assert (outcome.exit_code, outcome.retryable) == (1, False)
    assert outcome.message(FAILED).splitlines() == [
        "job 00run FAILED, exit code 1",
        "silver.transactions [batch-refused] amounts failed (silver.transactions)",
        "log: s3://lake/logs/00run/",
        "to do: correct them",
    ]


def test_an_error_before_the_first_table_is_the_reason(put):
    put("jobs/r1.json", {"exit_code": 75, "error": {"code": "storage", "what": "S3 does not answer"}})
    outcome = put.lake.outcome("r1", FAILED)
    assert outcome.retryable
    assert "[storage] S3 does not answer" in outcome.message(FAILED)


def test_a_job_that_left_nothing_is_reported_with_emrs_reason_and_may_be_tried_again(put):
    outcome = put.lake.outcome("r1", FAILED)
    assert outcome.retryable
    assert outcome.message(FAILED) == "job 00run FAILED\nExitCode: 1\nlog: s3://lake/logs/00run/"


def test_the_tables_that_a_job_changed_are_those_that_are_done(put):
    tables = [{"table": "gold.a", "status": "done", "written": 3}, {"table": "gold.b", "status": "current"}]
    put("runs/dt=2026-03-02/r1.json", {"run": "r1", "tables": tables})
    outcome = put.lake.outcome("r1", JobStatus("00run", "", JobState.SUCCEEDED, "SUCCESS"))
    assert (outcome.exit_code, outcome.changed) == (0, ["gold.a"])
    assert [table["table"] for table in outcome.as_dict()["tables"]] == ["gold.a"]
