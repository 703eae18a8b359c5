"""The landing bucket's events, and the Lambda that starts jobs for them."""

from __future__ import annotations

import importlib.util
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.aws.events import EventError, batch_of, datasets_of
from headgate.aws.jobs import JobState, JobStatus, SubmitError
from headgate.planning.manifest import SERVERLESS, JobSettings, Manifest

LABEL = "headgate_prod_on_arrival"
MANIFEST = Manifest("retail", "prod", "1", "s3://lake/prod", JobSettings(SERVERLESS, "eu-west-1", "s3://a/job.py"))


def body(*keys):
    return json.dumps({"Records": [{"s3": {"object": {"key": key}}} for key in keys]})


def message(number, text):
    return {"MessageId": str(number), "ReceiptHandle": f"receipt-{number}", "Body": text}


@pytest.mark.parametrize(
    ("text", "datasets"),
    [
        (body("prod/landing/sales/2026/a.jsonl", "prod/landing/sales/b.jsonl"), {"sales": 2}),
        (body("landing%2Freturns%2F2026%2Fa+b.jsonl"), {"returns": 1}),  # keys are URL-encoded
        (body("prod/silver/sales/part-0.parquet"), {}),
        (json.dumps({"Event": "s3:TestEvent"}), {}),
        (json.dumps({"detail": {"object": {"key": "landing/orders/a"}}}), {"orders": 1}),  # EventBridge
    ],
)
def test_an_event_says_in_which_datasets_objects_arrived(text, datasets):
    assert datasets_of(text) == datasets


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", json.dumps({"Records": [{}]}), "null"])
def test_anything_else_is_an_error(text):
    with pytest.raises(EventError):
        datasets_of(text)


def test_a_batch_counts_a_repeated_message_once_and_leaves_unreadable_ones_in_the_queue():
    messages = [message(1, body("landing/sales/a")), message(2, "garbage"), message(3, body("landing/orders/b"))]
    repeated = message(1, body("landing/sales/a")) | {"ReceiptHandle": "newer"}
    batch = batch_of([*messages, repeated])
    assert (batch.uploads, batch.datasets, batch.unreadable) == (2, {"orders": 1, "sales": 1}, 1)
    assert batch.receipts == (("1", "newer"), ("3", "receipt-3"))


# --- the Lambda


class FakeJobs:
    """EMR in memory. The same token is the same job; `list_lags` hides the newest jobs from lists."""

    first_state = JobState.WAITING

    def __init__(self) -> None:
        self.jobs: list[JobStatus] = []  # the newest first
        self.tokens: dict[str, str] = {}
        self.lock = threading.Lock()
        self.list_lags = 0

    def submit(self, label, arguments, token):
        with self.lock:
            if token not in self.tokens:
                self.tokens[token] = f"job-{len(self.tokens) + 1}"
                name, now = f"{label} {token}", datetime.now(UTC)
                self.jobs.insert(0, JobStatus(self.tokens[token], name, self.first_state, "", created=now))
            return self.tokens[token]

    def status(self, job):
        return next(status for status in self.jobs if status.id == job)

    def recent(self, limit):
        with self.lock:
            return self.jobs[self.list_lags :][:limit]

    def change(self, job, state):
        self.jobs = [replace(j, state=state) if j.id == job else j for j in self.jobs]

    def pass_time(self, seconds):
        self.jobs = [replace(j, created=j.created - timedelta(seconds=seconds)) for j in self.jobs]


@pytest.fixture
def on_arrival():
    path = Path(__file__).parents[2] / "orchestration" / "lambda" / "on_arrival.py"
    spec = importlib.util.spec_from_file_location("on_arrival", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def jobs():
    return FakeJobs()


def test_a_first_burst_starts_one_job_and_a_job_that_waits_covers_the_next(on_arrival, jobs):
    assert [on_arrival.start(MANIFEST, jobs) for _ in range(3)] == ["job-1"] * 3


def test_a_job_that_runs_as_soon_as_it_is_submitted_is_the_only_job_of_its_call(on_arrival, jobs):
    jobs.first_state = JobState.RUNNING
    assert on_arrival.start(MANIFEST, jobs) == "job-1"
    jobs.pass_time(20)
    assert on_arrival.start(MANIFEST, jobs) == "job-2"


def test_a_job_that_fails_as_soon_as_it_is_submitted_covers_nothing(on_arrival, jobs):
    jobs.first_state = JobState.FAILED
    with pytest.raises(SubmitError):
        on_arrival.start(MANIFEST, jobs)


def test_uploads_after_a_job_began_are_covered_by_one_job_that_follows(on_arrival, jobs):
    on_arrival.start(MANIFEST, jobs)
    jobs.change("job-1", JobState.RUNNING)
    assert [on_arrival.start(MANIFEST, jobs) for _ in range(3)] == ["job-2"] * 3
    jobs.change("job-1", JobState.SUCCEEDED)
    jobs.change("job-2", JobState.SUCCEEDED)
    assert on_arrival.start(MANIFEST, jobs) == "job-3"


def test_jobs_of_other_schedules_cover_nothing(on_arrival, jobs):
    jobs.submit("headgate_prod_nightly.run", [], "token")
    assert on_arrival.start(MANIFEST, jobs) == "job-2"


def test_many_jobs_of_other_schedules_after_the_last_one_do_not_hinder_the_next(on_arrival, jobs):
    on_arrival.start(MANIFEST, jobs)
    jobs.change("job-1", JobState.SUCCEEDED)
    for number in range(30):
        jobs.submit("headgate_prod_intraday.run", [], f"token-{number}")
    jobs.pass_time(3600)
    assert on_arrival.start(MANIFEST, jobs) == "job-32"


def test_concurrent_calls_start_one_job(on_arrival, jobs):
    threads = [threading.Thread(target=on_arrival.start, args=(MANIFEST, jobs)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs.jobs) == 1


def test_a_list_that_lags_never_lets_uploads_wait_for_a_job_that_began_before_them(on_arrival, jobs):
    on_arrival.start(MANIFEST, jobs)
    jobs.change("job-1", JobState.RUNNING)
    jobs.pass_time(20)
    jobs.list_lags = 1  # the list does not show the job that runs
    with pytest.raises(SubmitError, match="SQS delivers the messages again"):
        on_arrival.start(MANIFEST, jobs)
    jobs.list_lags = 0
    assert on_arrival.start(MANIFEST, jobs) == "job-2"


def test_the_command_runs_the_schedules_selection_under_the_token(on_arrival, jobs):
    requests = []
    submit = jobs.submit
    jobs.submit = lambda label, arguments, token: requests.append((label, arguments)) or submit(label, arguments, token)
    on_arrival.start(MANIFEST, jobs)
    ((label, (option, _, *command)),) = requests
    assert (label, option, command) == (LABEL, "--run-id", ["run", "--env", "prod"])


def test_the_handler_starts_nothing_without_uploads_and_returns_unreadable_messages(on_arrival, monkeypatch):
    monkeypatch.setattr(on_arrival, "_manifest", lambda: pytest.fail("a job is started"))
    records = [
        {"messageId": "1", "body": json.dumps({"Event": "s3:TestEvent"})},
        {"messageId": "2", "body": "garbage"},
    ]
    assert on_arrival.handler({"Records": records}) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
