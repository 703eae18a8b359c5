"""EMR jobs: submit, status, cancel, the same way for EMR Serverless job runs and for steps of an EMR cluster.

A submission carries a token. Submitting again with the same token returns the job that the first submission started,
also when its response was lost: EMR Serverless compares the client token, and for steps (`AddJobFlowSteps` has no
token) the step's name is looked up first.
"""

from __future__ import annotations

import logging
import shlex
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from headgate.errors import HeadgateError
from headgate.planning.manifest import SERVERLESS, JobSettings

log = logging.getLogger(__name__)

_NAMESPACE = uuid.UUID("0d4f4f0a-3b0c-5e3e-9d2a-6a1b5d0c7e11")
_LONGEST_NAME = 256  # of a job run and of a step
_LOOKED_UP = 1000  # newest jobs among which a name is looked up


class SubmitError(HeadgateError):
    """EMR did not accept a job. `retryable` says whether submitting again later can help."""

    code = "submit"

    def __init__(self, message: str, *, where: str = "", fix: str = "", retryable: bool = True) -> None:
        super().__init__(message, where=where, fix=fix)
        self.retryable = retryable


class JobState(StrEnum):
    """The states of both platforms, reduced to those that a scheduler tells apart."""

    WAITING = "waiting"  # accepted, the driver has not started
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class JobStatus:
    """A job now. `platform_state` is EMR's own word, `detail` its reason, `log` where the driver's log is.

    The hours are those that EMR Serverless bills so far; 0 for steps, whose cluster is billed.
    """

    id: str
    name: str
    state: JobState
    platform_state: str
    detail: str = ""
    log: str = ""
    created: datetime | None = None
    ended: datetime | None = None
    vcpu_hours: float = 0.0
    memory_gb_hours: float = 0.0


class Jobs(Protocol):
    """Submits jobs of one deployed package, and follows them."""

    def submit(self, label: str, arguments: Sequence[str], token: str) -> str:
        """Starts a job and returns its id; with a token that is known, the id of the job that has it.

        `arguments` are a headgate command line. Raises SubmitError.
        """
        ...

    def status(self, job: str) -> JobStatus:
        """The job's status. Raises ClientError of botocore."""
        ...

    def cancel(self, job: str) -> None:
        """Cancels the job; does nothing if it has ended."""
        ...

    def recent(self, limit: int) -> list[JobStatus]:
        """The newest jobs, the newest first."""
        ...


def token_of(*identity: object) -> str:
    """A token for a piece of work: equal identities give equal tokens. 36 characters of [0-9a-f-]."""
    return str(uuid.uuid5(_NAMESPACE, "|".join(map(str, identity))))


def jobs_of(settings: JobSettings, clients: Clients) -> Jobs:
    """The jobs of the platform that `settings` name."""
    if settings.platform == SERVERLESS:
        return ServerlessJobs(settings, clients.client("emr-serverless"))
    return StepJobs(settings, clients.client("emr"), clients.client("emr", retries=False))


class Clients(Protocol):
    """Makes boto3 clients. `retries=False` asks for one that sends each request once."""

    def client(self, service: str, *, retries: bool = True) -> Any: ...


class ServerlessJobs:
    """Job runs of an EMR Serverless application. `client` is boto3's `emr-serverless`."""

    STATES: ClassVar[dict[str, JobState]] = {
        "SUBMITTED": JobState.WAITING,
        "PENDING": JobState.WAITING,
        "SCHEDULED": JobState.WAITING,
        "QUEUED": JobState.WAITING,
        "RUNNING": JobState.RUNNING,
        "CANCELLING": JobState.RUNNING,
        "SUCCESS": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    }

    def __init__(self, settings: JobSettings, client: Any) -> None:
        self._settings, self._client = settings, client

    def submit(self, label: str, arguments: Sequence[str], token: str) -> str:
        """See Jobs. boto3 repeats a request whose response was lost with the same client token."""
        settings = self._settings
        spark = {"entryPoint": settings.entry_point, "entryPointArguments": list(arguments)}
        if settings.spark_submit_parameters:
            spark["sparkSubmitParameters"] = settings.spark_submit_parameters
        request: dict[str, Any] = {
            "applicationId": settings.application_id,
            "clientToken": token,
            "executionRoleArn": settings.execution_role_arn,
            "name": _name(label, token),
            "jobDriver": {"sparkSubmit": spark},
            "executionTimeoutMinutes": settings.timeout_minutes,
        }
        if settings.log_uri:
            monitoring = {"s3MonitoringConfiguration": {"logUri": settings.log_uri}}
            request["configurationOverrides"] = {"monitoringConfiguration": monitoring}
        try:
            return self._client.start_job_run(**request)["jobRunId"]
        except ClientError as error:
            # A job has this token with other parameters: a package was deployed between two tries of a submission.
            conflict = error.response.get("Error", {}).get("Code") == "ConflictException"
            if conflict and (existing := self._run_named(request["name"])):
                return existing
            raise _refused(error, f"EMR Serverless application {settings.application_id}") from error
        except BotoCoreError as error:
            raise _refused(error, f"EMR Serverless application {settings.application_id}") from error

    def status(self, job: str) -> JobStatus:
        """See Jobs."""
        run = self._client.get_job_run(applicationId=self._settings.application_id, jobRunId=job)["jobRun"]
        return self._status(run, run["jobRunId"])

    def cancel(self, job: str) -> None:
        """See Jobs."""
        if not self.status(job).state.is_final:
            self._client.cancel_job_run(applicationId=self._settings.application_id, jobRunId=job)

    def recent(self, limit: int) -> list[JobStatus]:
        """See Jobs."""
        pages = self._client.get_paginator("list_job_runs").paginate(
            applicationId=self._settings.application_id, PaginationConfig={"MaxItems": limit}
        )
        runs = [self._status(run, run["id"]) for page in pages for run in page["jobRuns"]]
        return sorted(runs, key=_created, reverse=True)

    def _run_named(self, name: str) -> str:
        return next((job.id for job in self.recent(_LOOKED_UP) if job.name == name), "")

    def _status(self, run: dict[str, Any], job: str) -> JobStatus:
        settings = self._settings
        folder = f"{settings.log_uri.rstrip('/')}/applications/{settings.application_id}/jobs/{job}/SPARK_DRIVER/"
        final = run["state"] in ("SUCCESS", "FAILED", "CANCELLED")
        billed = run.get("billedResourceUtilization") or {}
        return JobStatus(
            id=job,
            name=run.get("name", ""),
            state=self.STATES[run["state"]],
            platform_state=run["state"],
            detail=run.get("stateDetails", ""),
            log=folder if settings.log_uri else "",
            created=run.get("createdAt"),
            ended=run.get("updatedAt") if final else None,
            vcpu_hours=billed.get("vCPUHour", 0.0),
            memory_gb_hours=billed.get("memoryGBHour", 0.0),
        )


class StepJobs:
    """Steps of an EMR cluster. `client` is boto3's `emr`; `once` is a client without retries."""

    STATES: ClassVar[dict[str, JobState]] = {
        "PENDING": JobState.WAITING,
        "RUNNING": JobState.RUNNING,
        "CANCEL_PENDING": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "INTERRUPTED": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    }

    def __init__(self, settings: JobSettings, client: Any, once: Any) -> None:
        self._settings, self._client, self._once = settings, client, once

    def submit(self, label: str, arguments: Sequence[str], token: str) -> str:
        """See Jobs. A lost response is answered by looking the step up; the request is never repeated blindly."""
        name = _name(label, token)
        if existing := self._step_named(name):
            log.info("step %s has the name %s already", existing, name)
            return existing
        parameters = shlex.split(self._settings.spark_submit_parameters)
        command = ["spark-submit", "--deploy-mode", "cluster", *parameters, self._settings.entry_point, *arguments]
        step = {
            "Name": name,
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": command},
        }
        try:
            return self._once.add_job_flow_steps(JobFlowId=self._settings.cluster_id, Steps=[step])["StepIds"][0]
        except HTTPClientError as error:  # sent, and no answer: the step may have been added
            if existing := self._step_named(name):
                return existing
            raise _refused(error, f"EMR cluster {self._settings.cluster_id}") from error
        except (ClientError, BotoCoreError) as error:
            raise _refused(error, f"EMR cluster {self._settings.cluster_id}") from error

    def status(self, job: str) -> JobStatus:
        """See Jobs."""
        step = self._client.describe_step(ClusterId=self._settings.cluster_id, StepId=job)["Step"]
        return self._status(step)

    def cancel(self, job: str) -> None:
        """See Jobs."""
        if not self.status(job).state.is_final:
            self._client.cancel_steps(
                ClusterId=self._settings.cluster_id, StepIds=[job], StepCancellationOption="TERMINATE_PROCESS"
            )

    def recent(self, limit: int) -> list[JobStatus]:
        """See Jobs."""
        steps = (self._status(step) for step in self._steps(limit))
        return sorted(steps, key=_created, reverse=True)

    def _step_named(self, name: str) -> str:
        return next((step["Id"] for step in self._steps(_LOOKED_UP) if step["Name"] == name), "")

    def _steps(self, limit: int) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("list_steps").paginate(
            ClusterId=self._settings.cluster_id, PaginationConfig={"MaxItems": limit}
        )
        return (step for page in pages for step in page["Steps"])

    def _status(self, step: dict[str, Any]) -> JobStatus:
        status, settings = step["Status"], self._settings
        failure = status.get("FailureDetails") or {}
        reason = (
            failure.get("Message") or failure.get("Reason") or status.get("StateChangeReason", {}).get("Message", "")
        )
        times = status.get("Timeline", {})
        folder = f"{settings.log_uri.rstrip('/')}/{settings.cluster_id}/steps/{step['Id']}/" if settings.log_uri else ""
        return JobStatus(
            id=step["Id"],
            name=step.get("Name", ""),
            state=self.STATES[status["State"]],
            platform_state=status["State"],
            detail=reason,
            log=failure.get("LogFile") or folder,
            created=times.get("CreationDateTime"),
            ended=times.get("EndDateTime"),
        )


def _name(label: str, token: str) -> str:
    return f"{label[: _LONGEST_NAME - len(token) - 1]} {token}"


def _created(status: JobStatus) -> float:
    return status.created.timestamp() if status.created else 0.0


#: Errors of the request itself: sending it again gives the same answer.
_WRONG = {"ValidationException", "ConflictException", "AccessDeniedException", "ResourceNotFoundException"}
_WRONG |= {"InvalidRequestException", "AccessDenied", "UnrecognizedClientException"}


def _refused(error: Exception, where: str) -> SubmitError:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    retryable = code not in _WRONG
    fix = "submit again later" if retryable else "check the environment's emr settings and the role's permissions"
    return SubmitError(f"the job was not accepted: {error}", where=where, fix=fix, retryable=retryable)
