"""EMR on EC2: moto's clusters, with `spark-submit` steps that the launcher executes.

In moto 5.2.5 steps never finish and CancelSteps does not exist. AddJobFlowSteps has no client token, as on AWS.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult
from moto.emr.exceptions import ValidationException
from moto.emr.models import Cluster, ElasticMapReduceBackend, Step
from moto.emr.responses import ElasticMapReduceResponse

from orchestration.local_cloud.faults import Faults
from orchestration.local_cloud.launcher import Job, Launcher
from orchestration.local_cloud.methods import as_method
from orchestration.local_cloud.submission import parse

#: The launcher's states as steps call them.
_STATES = {"SUBMITTED": "PENDING", "SUCCESS": "COMPLETED", "CANCELLING": "CANCEL_PENDING"}


class _Steps:
    """The methods that replace those of moto's clusters. Each gets the instance of moto's class first."""

    def __init__(self, launcher: Launcher, faults: Faults) -> None:
        self._launcher, self._faults = launcher, faults
        self._status: Any = vars(Step)["status"].fget
        self._run_job_flow = ElasticMapReduceBackend.run_job_flow
        self._list_steps = ElasticMapReduceBackend.list_steps

    def add_steps(self, cluster: Cluster, steps: list[dict[str, Any]]) -> list[Step]:
        added = [Step(state="PENDING", **step) for step in steps]
        jobs = [_job(cluster, step) for step in added]  # all are checked before the first job starts
        for step, job in zip(added, jobs, strict=True):
            cluster.steps.append(step)
            job.no_capacity = self._faults.take("AddJobFlowSteps", "no_capacity") is not None
            self._launcher.start(job)
        return added

    def status(self, step: Step) -> dict[str, Any]:
        job = self._launcher.jobs[step.id]
        step.state = _STATES.get(job.state, job.state)
        vars(step).update(start_date_time=job.started, end_date_time=job.ended)
        answer = self._status(step)
        if step.state == "FAILED":
            log = f"{job.logs[0]}/stderr.gz" if job.logs else ""
            answer["FailureDetails"] = {"Reason": "Unknown Error.", "Message": job.details, "LogFile": log}
        return answer

    def list_steps(self, backend: ElasticMapReduceBackend, cluster_id: str, **filters: Any) -> list[Step]:
        for step in backend.clusters[cluster_id].steps:
            _ = step.status
        return self._list_steps(backend, cluster_id, **filters)

    def cancel_steps(self, response: ElasticMapReduceResponse) -> ActionResult:
        cluster = response.backend.describe_cluster(response._get_param("ClusterId"))
        known = {step.id for step in cluster.steps}
        answers = []
        for step_id in response._get_param("StepIds", []):
            job = self._launcher.jobs.get(step_id) if step_id in known else None
            if job is None or job.is_terminal:
                reason = "the step is not on this cluster" if job is None else f"the step is {job.state}"
                answers.append({"StepId": step_id, "Status": "FAILED", "Reason": reason})
                continue
            self._launcher.cancel(job)
            answers.append({"StepId": step_id, "Status": "SUBMITTED", "Reason": ""})
        return ActionResult({"CancelStepsInfoList": answers})

    def start_cluster(self, backend: ElasticMapReduceBackend, **request: Any) -> Cluster:
        identity = "j-" + hashlib.sha256(request["name"].encode()).hexdigest()[:13].upper()
        if identity not in backend.clusters:  # derived from the name: a restarted cloud has the same id
            request["cluster_id"] = identity
        cluster = self._run_job_flow(backend, **request)
        cluster.state = "WAITING"
        return cluster


def install(launcher: Launcher, faults: Faults) -> None:
    """Replaces methods of moto's clusters by those of `_Steps`, for the life of the process."""
    steps = _Steps(launcher, faults)
    Cluster.add_steps = as_method(steps.add_steps)  # type: ignore[method-assign]
    Step.status = property(as_method(steps.status))  # type: ignore[assignment,method-assign]
    ElasticMapReduceBackend.list_steps = as_method(steps.list_steps)  # type: ignore[method-assign]
    ElasticMapReduceBackend.run_job_flow = as_method(steps.start_cluster)  # type: ignore[method-assign]
    ElasticMapReduceResponse.cancel_steps = as_method(steps.cancel_steps)  # type: ignore[attr-defined]


def _job(cluster: Cluster, step: Step) -> Job:
    """The job of a `command-runner.jar spark-submit ...` step."""
    arguments = list(step.args)
    if Path(step.jar).name != "command-runner.jar" or not arguments or arguments[0] != "spark-submit":
        raise ValidationException("the local cloud runs steps of command-runner.jar with spark-submit only")
    try:
        submission = parse(arguments[1:])
    except ValueError as error:
        raise ValidationException(str(error)) from error
    logs = (f"{cluster.log_uri.rstrip('/')}/{cluster.id}/steps/{step.id}",) if cluster.log_uri else ()
    return Job(step.id, submission, logs)
