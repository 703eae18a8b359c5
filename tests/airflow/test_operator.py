"""The operator, on fake jobs: when it submits, attaches, reports and retries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.exceptions import AirflowException, AirflowFailException, TaskDeferred
from airflow.sdk import Asset

from headgate.aws.jobs import JobState, JobStatus, SubmitError
from headgate.aws.outcome import Failure, Outcome
from orchestration.operators import FAILURE, OUTCOME, HeadgateJobOperator
from tests.airflow.manifests import SETTINGS

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
BROKEN = Failure(
    "batch-refused", "amounts are positive failed: 3 of 40 rows", "silver.transactions", fix="correct them"
)


class FakeJobs:
    """EMR in memory: the same token is the same job."""

    def __init__(self) -> None:
        self.states: dict[str, JobState] = {}
        self.tokens: dict[str, str] = {}
        self.requests: list[tuple[str, ...]] = []
        self.cancelled: list[str] = []
        self.lose_responses = 0

    def submit(self, label, arguments, token):
        self.requests.append(tuple(arguments))
        if token not in self.tokens:
            self.tokens[token] = f"job-{len(self.tokens) + 1}"
            self.states[self.tokens[token]] = JobState.RUNNING
        if self.lose_responses:
            self.lose_responses -= 1
            raise SubmitError("the connection was closed", retryable=True)
        return self.tokens[token]

    def status(self, job):
        state = self.states[job]
        return JobStatus(
            job, job, state, state.upper(), log=f"s3://lake/logs/{job}/", ended=NOW if state.is_final else None
        )

    def cancel(self, job):
        self.cancelled.append(job)


class FakeLake:
    def __init__(self, outcomes):
        self.outcomes = outcomes

    def outcome(self, run, job):
        return self.outcomes.get(job.id) or Outcome(run, 0 if job.state is JobState.SUCCEEDED else None)


class Store(dict):
    """Airflow's task state store."""

    def set(self, key, value):
        self[key] = value


class Setting:
    """One task instance over several tries."""

    def __init__(self) -> None:
        self.jobs, self.store, self.outcomes = FakeJobs(), Store(), {}
        self.xcom: dict[str, object] = {}
        self.events: dict[str, list[Asset]] = {}
        self.max_tries, self.start = 2, NOW
        self.has_store = True

    def context(self):
        ti = SimpleNamespace(
            dag_id="headgate_prod_intraday",
            run_id="scheduled__1",
            task_id="run",
            map_index=-1,
            max_tries=self.max_tries,
            start_date=self.start,
            xcom_push=lambda key, value: self.xcom.update({key: value}),
        )
        context = {"ti": ti, "outlet_events": Events(self.events)}
        return context | ({"task_state_store": self.store} if self.has_store else {})

    def operator(self, **arguments):
        operator = HeadgateJobOperator(
            task_id="run", settings=SETTINGS, lake="s3://lake/prod", arguments=["run", "--env", "prod"], **arguments
        )
        operator.jobs = lambda: self.jobs
        operator.lake_reader = lambda: FakeLake(self.outcomes)
        return operator

    def start_try(self):
        """A try up to the point at which it waits: returns the deferral."""
        with pytest.raises(TaskDeferred) as deferred:
            self.operator().execute(self.context())
        return deferred.value

    def end(self, deferral, state, outcome=None):
        """The job ends, and the trigger's event continues the try."""
        job = deferral.trigger.job
        self.jobs.states[job] = state
        if outcome:
            self.outcomes[job] = outcome
        return self.operator().execute_complete(self.context(), {"job": job}, **deferral.kwargs)


class Events:
    def __init__(self, events):
        self.events = events

    def __getitem__(self, alias):
        return SimpleNamespace(add=lambda asset, extra: self.events.setdefault(alias.name, []).append(asset))


@pytest.fixture
def setting():
    return Setting()


def test_a_try_submits_the_command_with_its_token_as_run_id(setting):
    setting.start_try()
    ((option, run, *command),) = setting.jobs.requests
    assert option == "--run-id"
    assert setting.jobs.tokens[run] == "job-1"
    assert command == ["run", "--env", "prod"]


def test_a_try_after_a_dead_worker_attaches_to_the_job_that_runs(setting):
    setting.start_try()
    assert setting.start_try().trigger.job == "job-1"
    assert len(setting.jobs.requests) == 1


def test_a_try_after_a_dead_worker_takes_over_a_job_that_succeeded(setting):
    setting.start_try()
    setting.jobs.states["job-1"] = JobState.SUCCEEDED
    assert setting.operator().execute(setting.context())["exit_code"] == 0
    assert len(setting.jobs.tokens) == 1


def test_a_try_after_a_dead_worker_reports_the_failure_that_nobody_saw(setting):
    setting.start_try()
    setting.jobs.states["job-1"] = JobState.FAILED
    setting.outcomes["job-1"] = Outcome("r", 1, [BROKEN])
    with pytest.raises(AirflowFailException, match="amounts are positive failed"):
        setting.operator().execute(setting.context())
    assert len(setting.jobs.tokens) == 1


def test_a_lost_response_is_followed_by_the_same_token(setting):
    setting.jobs.lose_responses = 1
    with pytest.raises(AirflowException, match="the connection was closed"):
        setting.operator().execute(setting.context())
    assert setting.start_try().trigger.job == "job-1"
    assert len(setting.jobs.tokens) == 1


def test_a_retry_after_a_failure_submits_a_new_job(setting):
    with pytest.raises(AirflowException):
        setting.end(setting.start_try(), JobState.FAILED, Outcome("r", 75, [Failure("lost-race", "lost 3 races")]))
    assert setting.start_try().trigger.job == "job-2"


def test_a_cleared_task_submits_a_new_job_although_the_last_succeeded(setting):
    setting.end(setting.start_try(), JobState.SUCCEEDED)
    setting.max_tries += 3  # as Airflow does when a person clears the task
    assert setting.start_try().trigger.job == "job-2"


@pytest.mark.parametrize(
    ("exit_code", "state", "retried"),
    [
        (75, JobState.FAILED, True),
        (None, JobState.FAILED, True),  # no capacity, or the driver died before it could say anything
        (1, JobState.FAILED, False),
        (2, JobState.FAILED, False),
        (None, JobState.CANCELLED, False),
    ],
)
def test_only_exit_code_75_and_jobs_that_said_nothing_are_retried(setting, exit_code, state, retried):
    with pytest.raises(AirflowException) as failure:
        setting.end(setting.start_try(), state, Outcome("r", exit_code))
    assert isinstance(failure.value, AirflowFailException) is not retried


def test_a_failure_names_job_table_expectation_log_and_next_step(setting):
    with pytest.raises(AirflowFailException) as failure:
        setting.end(setting.start_try(), JobState.FAILED, Outcome("r", 1, [BROKEN]))
    assert str(failure.value).splitlines() == [
        "job job-1 FAILED, exit code 1",
        "silver.transactions [batch-refused] amounts are positive failed: 3 of 40 rows",
        "log: s3://lake/logs/job-1/",
        "to do: correct them",
    ]
    assert setting.xcom[FAILURE] == str(failure.value)


def test_a_success_sends_an_asset_event_for_each_gold_table_that_changed(setting):
    sales = {"table": "gold.fct_sales", "status": "done", "written": 7}
    days = {"table": "gold.daily_sales", "status": "current"}
    deferral = setting.start_try()
    outcome = Outcome(deferral.kwargs["attempt"]["job"], 0, tables=[sales, days])
    setting.jobs.states["job-1"] = JobState.SUCCEEDED
    setting.outcomes["job-1"] = outcome
    known = {name: Asset(name) for name in ("gold.fct_sales", "gold.daily_sales")}
    setting.operator(outlet_assets=known).execute_complete(setting.context(), {"job": "job-1"}, **deferral.kwargs)
    assert [asset.name for events in setting.events.values() for asset in events] == ["gold.fct_sales"]
    assert [table["table"] for table in setting.xcom[OUTCOME]["tables"]] == ["gold.fct_sales"]


def test_a_kill_cancels_the_job(setting):
    operator = setting.operator()
    with pytest.raises(TaskDeferred):
        operator.execute(setting.context())
    operator.on_kill()
    assert setting.jobs.cancelled == ["job-1"]


def test_a_request_that_emr_refuses_for_good_is_not_retried(setting):
    def refuse(*_):
        raise SubmitError("no such application", retryable=False)

    setting.jobs.submit = refuse
    with pytest.raises(AirflowFailException, match="no such application"):
        setting.operator().execute(setting.context())


def test_without_a_state_store_a_try_attaches_by_its_token(setting):
    setting.has_store = False
    setting.start_try()
    assert setting.start_try().trigger.job == "job-1"


def test_without_a_state_store_a_job_that_failed_before_this_try_is_followed_by_a_new_one(setting):
    setting.has_store = False
    with pytest.raises(AirflowException):
        setting.end(setting.start_try(), JobState.FAILED, Outcome("r", 75))
    setting.start = NOW + timedelta(minutes=1)
    assert setting.start_try().trigger.job == "job-2"


def test_a_job_that_exceeds_the_time_limit_says_so(setting):
    deferral = setting.start_try()
    setting.jobs.states["job-1"] = JobState.CANCELLED
    event = {"job": "job-1", "timed_out": True}
    with pytest.raises(AirflowFailException, match="cancelled after 120 minutes"):
        setting.operator().execute_complete(setting.context(), event, **deferral.kwargs)
