"""Which job a submitted command starts or attaches to, and the result of its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from headgate.aws.jobs import JobState, JobStatus
from headgate.aws.outcome import Outcome
from headgate.aws.prices import LIST_PRICES, price_of
from headgate.cli.submit import Followed, _exit_code, _start
from headgate.contracts.emr import Emr

COMMAND = ["run", "--env", "prod"]


class KnownJobs:
    """Jobs by token, as EMR Serverless keeps them; new ones are running."""

    def __init__(self) -> None:
        self.by_token: dict[str, JobStatus] = {}

    def submit(self, label: str, arguments: Sequence[str], token: str) -> str:
        self.by_token.setdefault(token, status(JobState.RUNNING, f"job-{len(self.by_token)}"))
        return self.by_token[token].id

    def status(self, job: str) -> JobStatus:
        return next(known for known in self.by_token.values() if known.id == job)


def status(state: JobState, job: str = "job", ended: datetime | None = None) -> JobStatus:
    return JobStatus(job, "name", state, state.upper(), ended=ended)


def start(jobs: KnownJobs, identity: str = "plan-1", run_id: str = "", version: str = "v1") -> tuple[str, str]:
    return _start(jobs, COMMAND, run_id, identity, version)  # type: ignore[arg-type]


def test_equal_work_is_one_job():
    jobs = KnownJobs()
    assert start(jobs) == start(jobs)
    assert len(jobs.by_token) == 1


@pytest.mark.parametrize("other", [{"identity": "plan-2"}, {"version": "v2"}])
def test_other_work_and_another_package_are_another_job(other):
    jobs = KnownJobs()
    assert start(jobs)[1] != start(jobs, **other)[1]


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_work_whose_job_failed_before_is_a_new_job(state):
    jobs = KnownJobs()
    token, job = start(jobs)
    jobs.by_token[token] = status(state, job, datetime.now(UTC) - timedelta(seconds=5))
    assert start(jobs)[1] != job


def test_a_named_job_is_attached_to_even_where_it_failed():
    jobs = KnownJobs()
    token, job = start(jobs, run_id="my-run")
    jobs.by_token[token] = status(JobState.FAILED, job, datetime.now(UTC) - timedelta(seconds=5))
    assert start(jobs, run_id="my-run") == ("my-run", job)


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        (JobState.SUCCEEDED, 0, 0),
        (JobState.FAILED, 1, 1),
        (JobState.FAILED, 75, 75),
        (JobState.FAILED, None, 75),
        (JobState.CANCELLED, None, 1),
    ],
)
def test_the_exit_code_is_the_jobs_own_or_says_whether_a_retry_may_help(state, code, expected):
    assert _exit_code(Followed(status(state), Outcome("run", code), None)) == expected


def test_a_cost_is_hours_times_prices():
    vcpu, memory = LIST_PRICES["arm64"]
    assert price_of(Emr(architecture="arm64"), 2, 10) == pytest.approx(2 * vcpu + 10 * memory)
    assert price_of(Emr(price_vcpu_hour=1, price_gb_hour=0), 2, 10) == 2
