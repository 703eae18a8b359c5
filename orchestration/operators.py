"""The operator that runs a Headgate command as an EMR job, exactly once for each piece of work."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import Asset, AssetAlias, BaseOperator

from headgate.aws.jobs import Jobs, JobState, JobStatus, SubmitError, token_of
from headgate.aws.outcome import Lake, Outcome
from headgate.planning.manifest import JobSettings
from orchestration.hook import AwsClients, connect
from orchestration.triggers import JobTrigger

_KEY = "headgate_job"  # in Airflow's task state store
_MOST_ATTEMPTS = 50

#: Keys of the values that the operator leaves for later tasks.
OUTCOME, FAILURE = "outcome", "failure"


@dataclass(frozen=True)
class Attempt:
    """One submission of a task's work. `epoch` grows when a person clears the task, `number` after each failure.

    `reported` says that a try of the task has failed with this job's failure, so that the next try starts a new job.
    """

    epoch: int
    number: int = 0
    job: str = ""
    reported: bool = False

    def next(self) -> Attempt:
        """The submission after a failed submission."""
        return Attempt(self.epoch, self.number + 1)


class HeadgateJobOperator(BaseOperator):
    """Runs `headgate ARGUMENTS` on EMR and waits for it.

    - A try that follows a dead worker attaches to the job that the dead worker submitted, running or ended.
    - A try that follows a failure, or a clear, submits a new job.
    - A kill of the task cancels the job.
    - Only exit code 75, and jobs that ended before they could say anything, are retried.
    - The failure names table, expectation or error, and the driver's log.

    :param settings: how to submit, from the deploy manifest.
    :param lake: address of the lake, s3://bucket/prefix, where the job leaves its report.
    :param arguments: headgate's command line, such as ["run", "--env", "prod"]; `--run-id` is put before it.
    :param outlet_assets: table name -> asset; an asset event is sent for each table that the job changed.
    :param poll_seconds: seconds between two looks at the job.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#dbe7f3"

    def __init__(
        self,
        *,
        settings: JobSettings,
        lake: str,
        arguments: Sequence[str],
        outlet_assets: dict[str, Asset] | None = None,
        poll_seconds: float = 20.0,
        deferrable: bool = True,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        self.outlet_assets = outlet_assets or {}
        self.alias = AssetAlias("headgate_changed_tables") if self.outlet_assets else None
        super().__init__(outlets=[self.alias] if self.alias else [], **kwargs)
        self.settings, self.lake = settings, lake
        self.arguments: list[str] | str = list(arguments)
        self.poll_seconds, self.deferrable, self.aws_conn_id = poll_seconds, deferrable, aws_conn_id
        self._job = ""

    def jobs(self) -> Jobs:
        """The EMR jobs of the deployed package."""
        return connect(self.settings, self.aws_conn_id)

    def lake_reader(self) -> Lake:
        """The lake, to read the results of a job."""
        return Lake(AwsClients(self.aws_conn_id, self.settings.region).client("s3"), self.lake)

    def execute(self, context: Any) -> dict[str, Any]:
        """Submits or attaches, then waits. Returns the outcome: run, exit code, tables."""
        jobs = self.jobs()
        attempt, status = self._started(context, jobs)
        self._job = status.id
        self.log.info("job %s %s (log: %s)", status.id, status.platform_state, status.log or "none")
        if status.state.is_final:
            return self._finish(context, attempt, status)
        deadline = time.time() + 60 * self.settings.timeout_minutes
        if self.deferrable:
            trigger = JobTrigger(asdict(self.settings), status.id, self.poll_seconds, deadline, self.aws_conn_id)
            self.defer(trigger=trigger, method_name="execute_complete", kwargs={"attempt": asdict(attempt)})
        while not (status := jobs.status(status.id)).state.is_final:
            if time.time() > deadline:
                jobs.cancel(status.id)
            time.sleep(self.poll_seconds)
        return self._finish(context, attempt, status)

    def execute_complete(self, context: Any, event: dict[str, Any], attempt: dict[str, Any]) -> dict[str, Any]:
        """Continues after the trigger: reads the job's result. Returns as `execute`."""
        if error := event.get("error"):
            self._fail(context, f"job {event['job']}: {error}", retry=True)
        status = self.jobs().status(event["job"])
        if event.get("timed_out"):
            limit = f"cancelled after {self.settings.timeout_minutes} minutes, the schedule's time limit"
            status = replace(status, detail=limit)
        return self._finish(context, Attempt(**attempt), status)

    def on_kill(self) -> None:
        """Cancels the job if the task is ended before it is deferred."""
        if self._job:
            self.jobs().cancel(self._job)
            self.log.info("job %s: cancelled, because the task was ended", self._job)

    # --- submit or attach

    def _started(self, context: Any, jobs: Jobs) -> tuple[Attempt, JobStatus]:
        attempt = self._load(context)
        if attempt.job:
            status = jobs.status(attempt.job)
            failed = status.state in (JobState.FAILED, JobState.CANCELLED)
            if not (failed and attempt.reported):
                self.log.info("attaching to job %s, which an earlier try submitted", attempt.job)
                return attempt, status
            attempt = attempt.next()
        for _ in range(_MOST_ATTEMPTS):
            status = self._submit(context, jobs, attempt)
            if not self._is_old_failure(context, status):
                attempt = replace(attempt, job=status.id)
                self._save(context, attempt)
                return attempt, status
            attempt = attempt.next()
        raise AirflowFailException(f"{_MOST_ATTEMPTS} jobs of this task have failed; clear it to start again")

    def _submit(self, context: Any, jobs: Jobs, attempt: Attempt) -> JobStatus:
        self._save(context, attempt)  # before the request: a try after a lost response repeats the same token
        token, ti = self._token(context, attempt), context["ti"]
        try:
            job = jobs.submit(f"{ti.dag_id}.{ti.task_id}", ["--run-id", token, *self._command()], token)
        except SubmitError as error:
            self._fail(context, str(error), retry=error.retryable)
        return jobs.status(job)

    def _command(self) -> list[str]:
        """The arguments; a template gives them as JSON text."""
        return json.loads(self.arguments) if isinstance(self.arguments, str) else self.arguments

    def _is_old_failure(self, context: Any, status: JobStatus) -> bool:
        """Without a task state store only the time tells whether an earlier try has reported this failure."""
        if context.get("task_state_store") is not None or not status.ended:
            return False
        start = getattr(context["ti"], "start_date", None)
        return status.state is not JobState.SUCCEEDED and start is not None and status.ended < start

    def _token(self, context: Any, attempt: Attempt) -> str:
        ti = context["ti"]
        return token_of(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, attempt.epoch, attempt.number)

    def _load(self, context: Any) -> Attempt:
        store, epoch = context.get("task_state_store"), getattr(context["ti"], "max_tries", 0) or 0
        value = (store.get(_KEY) if store is not None else None) or {}
        return Attempt(**value) if value.get("epoch") == epoch else Attempt(epoch)

    def _save(self, context: Any, attempt: Attempt) -> None:
        if (store := context.get("task_state_store")) is not None:
            store.set(_KEY, asdict(attempt))

    # --- the end of a job

    def _finish(self, context: Any, attempt: Attempt, status: JobStatus) -> dict[str, Any]:
        outcome = self.lake_reader().outcome(self._token(context, attempt), status)
        context["ti"].xcom_push(key=OUTCOME, value=outcome.as_dict())
        if status.state is JobState.SUCCEEDED:
            self._announce(context, outcome)
            return outcome.as_dict()
        self._save(context, replace(attempt, reported=True))
        retry = status.state is JobState.FAILED and outcome.retryable
        self._fail(context, outcome.message(status), retry=retry)

    def _announce(self, context: Any, outcome: Outcome) -> None:
        """Sends an asset event for each gold table that has new rows, and for no other."""
        for table in outcome.changed:
            if self.alias and table in self.outlet_assets:
                context["outlet_events"][self.alias].add(self.outlet_assets[table], extra={"run": outcome.run})

    def _fail(self, context: Any, message: str, *, retry: bool) -> NoReturn:
        context["ti"].xcom_push(key=FAILURE, value=message)
        raise AirflowException(message) if retry else AirflowFailException(message)
