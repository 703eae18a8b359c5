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
from orchestration.local_cloud.submission import parse

#: The launcher's states as steps call them.
_STATES = {"SUBMITTED": "PENDING", "SUCCESS": "COMPLETED", "CANCELLING": "CANCEL_PENDING"}


def install(launcher: Launcher, faults: Faults) -> None:
    """Replaces the methods of moto's clusters by those below, for the life of the process."""
    status: Any = vars(Step)["status"].fget
    run_job_flow = ElasticMapReduceBackend.run_job_flow
    list_steps = ElasticMapReduceBackend.list_steps

    def add_steps(self: Cluster, steps: list[dict[str, Any]]) -> list[Step]:
        added = [Step(state="PENDING", **step) for step in steps]
        jobs = [_job(self, step) for step in added]  # all are checked before the first one starts
        for step, job in zip(added, jobs, strict=True):
            self.steps.append(step)
            job.no_capacity = faults.take("AddJobFlowSteps", "no_capacity") is not None
            launcher.start(job)
        return added

    def step_status(self: Step) -> dict[str, Any]:
        job = launcher.jobs[self.id]
        self.state = _STATES.get(job.state, job.state)
        vars(self).update(start_date_time=job.started, end_date_time=job.ended)
        answer = status(self)
        if self.state == "FAILED":
            log = f"{job.logs[0]}/stderr.gz" if job.logs else ""
            answer["FailureDetails"] = {"Reason": "Unknown Error.", "Message": job.details, "LogFile": log}
        return answer

    def refreshed_steps(self: ElasticMapReduceBackend, cluster_id: str, **filters: Any) -> list[Step]:
        for step in self.clusters[cluster_id].steps:
            _ = step.status
        return list_steps(self, cluster_id, **filters)

    def cancel_steps(self: ElasticMapReduceResponse) -> ActionResult:
        cluster = self.backend.describe_cluster(self._get_param("ClusterId"))
        known = {step.id for step in cluster.steps}
        answers = []
        for step_id in self._get_param("StepIds", []):
            job = launcher.jobs.get(step_id) if step_id in known else None
            if job is None or job.is_terminal:
                reason = "the step is not on this cluster" if job is None else f"the step is {job.state}"
                answers.append({"StepId": step_id, "Status": "FAILED", "Reason": reason})
                continue
            launcher.cancel(job)
            answers.append({"StepId": step_id, "Status": "SUBMITTED", "Reason": ""})
        return ActionResult({"CancelStepsInfoList": answers})

    def start_cluster(self: ElasticMapReduceBackend, **request: Any) -> Cluster:
        identity = "j-" + hashlib.sha256(request["name"].encode()).hexdigest()[:13].upper()
        if identity not in self.clusters:  # an id that follows from the name: a restarted cloud has the same one
            request["cluster_id"] = identity
        cluster = run_job_flow(self, **request)
        cluster.state = "WAITING"
        return cluster

    Cluster.add_steps = add_steps  # type: ignore[method-assign]
    Step.status = property(step_status)  # type: ignore[assignment,method-assign]
    ElasticMapReduceBackend.list_steps = refreshed_steps  # type: ignore[method-assign,assignment]
    ElasticMapReduceBackend.run_job_flow = start_cluster  # type: ignore[method-assign]
    ElasticMapReduceResponse.cancel_steps = cancel_steps  # type: ignore[attr-defined]


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
