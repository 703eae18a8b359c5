"""EMR jobs over both platforms: requests, repeated submissions, and messages of refusals."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from headgate.aws.jobs import JobState, ServerlessJobs, StepJobs, SubmitError, token_of
from headgate.planning.manifest import SERVERLESS, STEPS, JobSettings

NOW = datetime(2026, 3, 2, tzinfo=UTC)
TOKEN = token_of("dag", "run", "task")
SETTINGS = JobSettings(
    SERVERLESS, "eu-west-1", "s3://a/job.py", "--conf spark.x=1", application_id="app", log_uri="s3://lake/logs/"
)
ON_CLUSTER = JobSettings(STEPS, "eu-west-1", "s3://a/job.py", "--conf spark.x=1", cluster_id="j-1", log_uri="s3://logs")


class Pages:
    def __init__(self, key, items):
        self.key, self.items = key, items

    def paginate(self, **_):
        return [{self.key: self.items}]


class Serverless:
    """The EMR Serverless API for one application."""

    def __init__(self, error=None):
        self.requests, self.runs, self.error, self.cancelled = [], [], error, []

    def start_job_run(self, **request):
        self.requests.append(request)
        if self.error:
            raise self.error
        return {"jobRunId": "00run"}

    def get_job_run(self, applicationId, jobRunId):
        return {"jobRun": next(run | {"jobRunId": run["id"]} for run in self.runs if run["id"] == jobRunId)}

    def get_paginator(self, _):
        return Pages("jobRuns", self.runs)

    def cancel_job_run(self, applicationId, jobRunId):
        self.cancelled.append(jobRunId)


class Emr:
    """The EMR API for one cluster. `lost` responses are those of requests that were carried out."""

    def __init__(self, error=None, lost=False):
        self.steps, self.error, self.lost, self.cancelled = [], error, lost, []

    def add_job_flow_steps(self, JobFlowId, Steps):
        if self.error and not self.lost:
            raise self.error
        step = Steps[0] | {"Id": f"s-{len(self.steps) + 1}", "Status": {"State": "PENDING", "Timeline": {}}}
        self.steps.insert(0, step)
        if self.lost:
            raise self.error
        return {"StepIds": [step["Id"]]}

    def describe_step(self, ClusterId, StepId):
        return {"Step": next(step for step in self.steps if step["Id"] == StepId)}

    def get_paginator(self, _):
        return Pages("Steps", self.steps)

    def cancel_steps(self, ClusterId, StepIds, StepCancellationOption):
        self.cancelled += StepIds


def client_error(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


def test_a_job_run_has_the_token_the_command_and_a_name_to_find_it_by():
    client = Serverless()
    assert ServerlessJobs(SETTINGS, client).submit("headgate_prod", ["run"], TOKEN) == "00run"
    (request,) = client.requests
    assert (request["clientToken"], request["name"]) == (TOKEN, f"headgate_prod {TOKEN}")
    assert request["jobDriver"]["sparkSubmit"]["entryPointArguments"] == ["run"]
    monitoring = request["configurationOverrides"]["monitoringConfiguration"]
    assert monitoring["s3MonitoringConfiguration"]["logUri"] == "s3://lake/logs/"


def test_tokens_are_equal_for_equal_work_and_fit_into_the_64_characters_of_a_client_token():
    assert token_of("dag", 1) == token_of("dag", "1") != token_of("dag", 2)
    assert len(TOKEN) <= 64


@pytest.mark.parametrize(("code", "retryable"), [("ValidationException", False), ("ThrottlingException", True)])
def test_a_refusal_says_whether_submitting_again_can_help(code, retryable):
    jobs = ServerlessJobs(SETTINGS, Serverless(client_error(code)))
    with pytest.raises(SubmitError, match="EMR Serverless application app") as error:
        jobs.submit("label", [], TOKEN)
    assert error.value.retryable is retryable


def test_a_token_with_other_parameters_attaches_to_the_job_run_that_has_it():
    client = Serverless(client_error("ConflictException"))
    client.runs = [{"id": "00old", "name": f"label {TOKEN}", "state": "RUNNING", "createdAt": NOW}]
    assert ServerlessJobs(SETTINGS, client).submit("label", ["other"], TOKEN) == "00old"


def test_a_job_run_has_a_state_a_reason_and_its_drivers_log():
    client = Serverless()
    client.runs = [
        {"id": "00run", "state": "FAILED", "stateDetails": "no capacity", "createdAt": NOW, "updatedAt": NOW}
    ]
    status = ServerlessJobs(SETTINGS, client).status("00run")
    assert (status.state, status.detail, status.ended) == (JobState.FAILED, "no capacity", NOW)
    assert status.log == "s3://lake/logs/applications/app/jobs/00run/SPARK_DRIVER/"


@pytest.mark.parametrize(("state", "cancelled"), [("RUNNING", ["00run"]), ("SUCCESS", [])])
def test_only_a_job_run_that_has_not_ended_is_cancelled(state, cancelled):
    client = Serverless()
    client.runs = [{"id": "00run", "state": state, "createdAt": NOW}]
    ServerlessJobs(SETTINGS, client).cancel("00run")
    assert client.cancelled == cancelled


def test_a_step_is_spark_submit_and_a_repeated_submission_finds_it_by_name():
    client = Emr()
    jobs = StepJobs(ON_CLUSTER, client, client)
    assert jobs.submit("label", ["run"], TOKEN) == jobs.submit("label", ["run"], TOKEN) == "s-1"
    assert client.steps[0]["HadoopJarStep"]["Args"] == [
        "spark-submit",
        "--deploy-mode",
        "cluster",
        "--conf",
        "spark.x=1",
        "s3://a/job.py",
        "run",
    ]
    assert jobs.submit("label", ["run"], token_of("other")) == "s-2"


def test_a_step_whose_response_was_lost_is_not_added_again():
    client = Emr(ReadTimeoutError(endpoint_url="http://emr"), lost=True)
    assert StepJobs(ON_CLUSTER, client, client).submit("label", ["run"], TOKEN) == "s-1"
    assert len(client.steps) == 1


def test_a_request_for_a_step_that_did_not_arrive_may_be_tried_again():
    client = Emr(ReadTimeoutError(endpoint_url="http://emr"))
    with pytest.raises(SubmitError) as error:
        StepJobs(ON_CLUSTER, client, client).submit("label", ["run"], TOKEN)
    assert error.value.retryable


def test_a_failed_step_says_why_and_where_its_log_is():
    client = Emr()
    jobs = StepJobs(ON_CLUSTER, client, client)
    jobs.submit("label", ["run"], TOKEN)
    client.steps[0]["Status"] = {"State": "FAILED", "FailureDetails": {"Reason": "Unknown Error.", "Message": "exit 1"}}
    status = jobs.status("s-1")
    assert (status.state, status.detail, status.log) == (JobState.FAILED, "exit 1", "s3://logs/j-1/steps/s-1/")
