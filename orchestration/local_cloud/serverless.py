"""EMR Serverless: moto's backend, with job runs that the launcher executes.

moto 5.2.5 finishes a job run at once, has no client tokens and refuses `emr-spark-*` release labels.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import threading
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.utils import utcnow
from moto.emrserverless.exceptions import ResourceNotFoundException, ValidationException
from moto.emrserverless.models import Application, EMRServerlessBackend, JobRun

from orchestration.local_cloud.faults import Faults
from orchestration.local_cloud.launcher import Job, Launcher
from orchestration.local_cloud.submission import Submission, parse

_ACCEPTED_LABEL = "emr-7.0.0"  # what moto's own check lets through


class _Conflict(JsonRESTError):
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


def install(launcher: Launcher, faults: Faults) -> None:
    """Replaces the methods of moto's backend by those below, for the life of the process."""
    lock = threading.RLock()
    create, start, list_all = (
        EMRServerlessBackend.create_application,
        EMRServerlessBackend.start_job_run,
        EMRServerlessBackend.list_job_runs,
    )

    def create_application(self: EMRServerlessBackend, **request: Any) -> Application:
        with lock:
            tokens: dict[str, str] = self.__dict__.setdefault("application_tokens", {})
            token = request["client_token"]
            if token in tokens:
                return self.applications[tokens[token]]
            label, request["release_label"] = request["release_label"], _ACCEPTED_LABEL
            application = create(self, **request)
            application.release_label = label
            application.created_at = application.updated_at = utcnow()
            _name_by(self, application)
            tokens[token] = application.id
            return application

    def start_job_run(self: EMRServerlessBackend, **request: Any) -> JobRun:
        with lock:
            tokens: dict[tuple[str, str], tuple[JobRun, str]] = self.__dict__.setdefault("run_tokens", {})
            key, digest = (request["application_id"], request["client_token"]), _digest(request)
            if key in tokens:
                run, earlier = tokens[key]
                if earlier != digest:
                    raise _Conflict("Idempotent token was used with different parameters")
                return _refreshed(launcher, run)
            job_of = _submission(request)
            run = start(self, **request)
            run.created_at = run.updated_at = utcnow()
            tokens[key] = (run, digest)
            job = Job(run.id, job_of, _logs(request, run), _timeout(request))
            job.no_capacity = faults.take("StartJobRun", "no_capacity") is not None
            launcher.start(job)
            return _refreshed(launcher, run)

    def get_job_run(self: EMRServerlessBackend, application_id: str, job_run_id: str) -> JobRun:
        self.get_application(application_id)
        for run in self.job_runs.get(application_id, []):
            if run.id == job_run_id:
                return _refreshed(launcher, run)
        raise ResourceNotFoundException(job_run_id, "JobRun")

    def cancel_job_run(self: EMRServerlessBackend, application_id: str, job_run_id: str) -> tuple[str, str]:
        launcher.cancel(launcher.jobs[get_job_run(self, application_id, job_run_id).id])
        return application_id, job_run_id

    def list_job_runs(self: EMRServerlessBackend, application_id: str, **filters: Any) -> list[JobRun]:
        self.get_application(application_id)
        runs = self.job_runs.setdefault(application_id, [])
        for run in runs:
            _refreshed(launcher, run)
        return sorted(list_all(self, application_id, **filters), key=lambda run: run.created_at, reverse=True)

    for method in (create_application, start_job_run, get_job_run, cancel_job_run, list_job_runs):
        setattr(EMRServerlessBackend, method.__name__, method)


def _name_by(backend: EMRServerlessBackend, application: Application) -> None:
    """Gives an application an id that follows from its name, so that a restarted cloud has the same one."""
    identity = "00" + hashlib.sha256(application.name.encode()).hexdigest()[:14]
    if identity in backend.applications:
        return
    del backend.applications[application.id]
    application.arn = application.arn.replace(application.id, identity)
    application.id = identity
    backend.applications[identity] = application


def _refreshed(launcher: Launcher, run: JobRun) -> JobRun:
    """The job run with the launcher's state of it."""
    job = launcher.jobs[run.id]
    hours = job.seconds / 3600
    use = {"vCPUHour": job.submission.vcpus * hours, "memoryGBHour": job.submission.memory_gb * hours}
    billed = {**{name: round(value, 3) for name, value in use.items()}, "storageGBHour": 0.0}
    fields = {
        "state": job.state,
        "state_details": job.details,
        "attempt": 1,
        "updated_at": job.updated,
        "started_at": job.started,
        "ended_at": job.ended,
        "total_execution_duration_seconds": int(job.seconds),
        "billed_resource_utilization": billed,
        "total_resource_utilization": billed,
    }
    vars(run).update(fields)  # moto's class does not declare all of them
    return run


def _digest(request: Mapping[str, Any]) -> str:
    """What has to be equal between two calls with one token."""
    compared = {name: request.get(name) for name in ("job_driver", "execution_role_arn", "configuration_overrides")}
    return hashlib.sha256(json.dumps(compared, sort_keys=True, default=str).encode()).hexdigest()


def _submission(request: Mapping[str, Any]) -> Submission:
    driver = (request["job_driver"] or {}).get("sparkSubmit")
    if not driver:
        raise ValidationException("the local cloud runs sparkSubmit job drivers only")
    overrides = request["configuration_overrides"] or {}
    defaults = [
        token
        for configuration in overrides.get("applicationConfiguration") or []
        if configuration.get("classification") == "spark-defaults"
        for name, value in (configuration.get("properties") or {}).items()
        for token in ("--conf", f"{name}={value}")
    ]
    tokens = [*defaults, *shlex.split(driver.get("sparkSubmitParameters") or "")]
    try:
        return parse(tokens, driver["entryPoint"], driver.get("entryPointArguments") or ())
    except ValueError as error:
        raise ValidationException(str(error)) from error


def _logs(request: Mapping[str, Any], run: JobRun) -> tuple[str, ...]:
    monitoring = (request["configuration_overrides"] or {}).get("monitoringConfiguration") or {}
    address = (monitoring.get("s3MonitoringConfiguration") or {}).get("logUri")
    if not address:
        return ()
    return (f"{address.rstrip('/')}/applications/{run.application_id}/jobs/{run.id}/SPARK_DRIVER",)


def _timeout(request: Mapping[str, Any]) -> float | None:
    minutes = request.get("execution_timeout_minutes")
    return minutes * 60 if minutes else None
