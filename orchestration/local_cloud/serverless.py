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
from orchestration.local_cloud.methods import as_method
from orchestration.local_cloud.submission import Submission, parse

_ACCEPTED_LABEL = "emr-7.0.0"  # accepted by moto's own check


class _Conflict(JsonRESTError):
    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


class _Serverless:
    """The methods that replace those of moto's backend. Each gets the backend as its first argument."""

    def __init__(self, launcher: Launcher, faults: Faults) -> None:
        self._launcher, self._faults, self._lock = launcher, faults, threading.RLock()
        self._create = EMRServerlessBackend.create_application
        self._start = EMRServerlessBackend.start_job_run
        self._list = EMRServerlessBackend.list_job_runs

    def create_application(self, backend: EMRServerlessBackend, **request: Any) -> Application:
        with self._lock:
            tokens: dict[str, str] = backend.__dict__.setdefault("application_tokens", {})
            token = request["client_token"]
            if token in tokens:
                return backend.applications[tokens[token]]
            label, request["release_label"] = request["release_label"], _ACCEPTED_LABEL
            application = self._create(backend, **request)
            application.release_label = label
            application.created_at = application.updated_at = utcnow()
            _name_by(backend, application)
            tokens[token] = application.id
            return application

    def start_job_run(self, backend: EMRServerlessBackend, **request: Any) -> JobRun:
        with self._lock:
            tokens: dict[tuple[str, str], tuple[JobRun, str]] = backend.__dict__.setdefault("run_tokens", {})
            key, digest = (request["application_id"], request["client_token"]), _digest(request)
            if key in tokens:
                run, earlier = tokens[key]
                if earlier != digest:
                    raise _Conflict("Idempotent token was used with different parameters")
                return _refreshed(self._launcher, run)
            submission = _submission(request)
            run = self._start(backend, **request)
            run.created_at = run.updated_at = utcnow()
            tokens[key] = (run, digest)
            job = Job(run.id, submission, _logs(request, run), _timeout(request))
            job.no_capacity = self._faults.take("StartJobRun", "no_capacity") is not None
            self._launcher.start(job)
            return _refreshed(self._launcher, run)

    def get_job_run(self, backend: EMRServerlessBackend, application_id: str, job_run_id: str) -> JobRun:
        backend.get_application(application_id)
        for run in backend.job_runs.get(application_id, []):
            if run.id == job_run_id:
                return _refreshed(self._launcher, run)
        raise ResourceNotFoundException(job_run_id, "JobRun")

    def cancel_job_run(self, backend: EMRServerlessBackend, application_id: str, job_run_id: str) -> tuple[str, str]:
        self._launcher.cancel(self._launcher.jobs[self.get_job_run(backend, application_id, job_run_id).id])
        return application_id, job_run_id

    def list_job_runs(self, backend: EMRServerlessBackend, application_id: str, **filters: Any) -> list[JobRun]:
        backend.get_application(application_id)
        for run in backend.job_runs.setdefault(application_id, []):
            _refreshed(self._launcher, run)
        runs = self._list(backend, application_id, **filters)
        return sorted(runs, key=lambda run: run.created_at, reverse=True)


def install(launcher: Launcher, faults: Faults) -> None:
    """Replaces methods of moto's backend by those of `_Serverless`, for the life of the process."""
    serverless = _Serverless(launcher, faults)
    for name in ("create_application", "start_job_run", "get_job_run", "cancel_job_run", "list_job_runs"):
        setattr(EMRServerlessBackend, name, as_method(getattr(serverless, name)))


def _name_by(backend: EMRServerlessBackend, application: Application) -> None:
    """Gives an application an id that follows from its name, so that a restarted cloud has the same id."""
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
    """A digest of the parameters that must be equal between two calls with the same token."""
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
