"""The local cloud behaves like the AWS APIs: states, tokens, cancel, faults, logs, atomic puts."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tests.cloud.conftest import ARTIFACTS, BUCKET, TERMINAL, LocalCloud, start_cloud, stop_cloud
from tests.processes import command_of

pytestmark = pytest.mark.cloud

ROLE = "arn:aws:iam::123456789012:role/headgate-job"
ENTRY = f"s3://{ARTIFACTS}/entry.py"
SCRIPT = """
import os, sys, time
if sys.argv[1] == "fail":
    raise ValueError("the answer is not 42")
if sys.argv[1] == "sleep":
    time.sleep(600)
print(sys.argv[1], os.environ.get("GREETING"), os.path.basename(os.getcwd()))
"""


@pytest.fixture(autouse=True)
def entry(cloud: LocalCloud) -> None:
    cloud.client("s3").put_object(Bucket=ARTIFACTS, Key="entry.py", Body=SCRIPT.encode())


def submit(cloud: LocalCloud, *arguments: str, token: str, client: Any = None) -> str:
    answer = (client or cloud.client("emr-serverless")).start_job_run(
        applicationId=cloud.resources["application"],
        executionRoleArn=ROLE,
        clientToken=token,
        jobDriver={
            "sparkSubmit": {
                "entryPoint": ENTRY,
                "entryPointArguments": list(arguments),
                "sparkSubmitParameters": "--conf spark.emr-serverless.driverEnv.GREETING=hello",
            }
        },
        configurationOverrides={
            "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"s3://{ARTIFACTS}/logs"}}
        },
    )
    return answer["jobRunId"]


def state_of(cloud: LocalCloud, job: str) -> dict[str, Any]:
    answer = cloud.client("emr-serverless").get_job_run(applicationId=cloud.resources["application"], jobRunId=job)
    return answer["jobRun"]


def wait_for(cloud: LocalCloud, job: str, states: Iterable[str] = TERMINAL, seconds: float = 90) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while (run := state_of(cloud, job))["state"] not in states:
        assert time.monotonic() < end, run
        time.sleep(0.2)
    return run


def log_of(cloud: LocalCloud, job: str, name: str) -> str:
    key = f"logs/applications/{cloud.resources['application']}/jobs/{job}/SPARK_DRIVER/{name}.gz"
    body = cloud.client("s3").get_object(Bucket=ARTIFACTS, Key=key)["Body"].read()
    return gzip.decompress(body).decode()


def test_a_job_run_really_runs_and_its_output_is_in_s3(cloud):
    job = submit(cloud, "works", token="works")
    run = wait_for(cloud, job)
    assert (run["state"], run["stateDetails"]) == ("SUCCESS", "")
    assert f"works hello {job}" in log_of(cloud, job, "stdout")
    assert run["totalExecutionDurationSeconds"] >= 0 and run["billedResourceUtilization"]["vCPUHour"] > 0


def test_a_failure_names_the_exception(cloud):
    run = wait_for(cloud, submit(cloud, "fail", token="fails"))
    assert run["state"] == "FAILED"
    assert "ValueError: the answer is not 42" in run["stateDetails"]


def test_the_same_token_is_the_same_job_run(cloud):
    jobs = {submit(cloud, "works", token="twice") for _ in range(3)}
    assert len(jobs) == 1
    with pytest.raises(ClientError) as refused:
        submit(cloud, "other", token="twice")
    assert refused.value.response["Error"]["Code"] == "ConflictException"
    wait_for(cloud, jobs.pop())


def test_a_job_run_can_be_cancelled_and_its_processes_end(cloud):
    job = submit(cloud, "sleep", token="cancelled")
    wait_for(cloud, job, ["RUNNING"])
    time.sleep(3)  # until the Python driver is there too
    cloud.client("emr-serverless").cancel_job_run(applicationId=cloud.resources["application"], jobRunId=job)
    assert wait_for(cloud, job)["state"] == "CANCELLED"
    pid = next(entry["pid"] for entry in cloud.page("jobs") if entry["id"] == job)
    deadline = time.monotonic() + 10  # a killed process is in its group until its parent has collected it
    while is_group(pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_group(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_capacity_fails_the_job_run_after_it_waited(cloud):
    cloud.post("faults", kind="no_capacity", operation="StartJobRun")
    run = wait_for(cloud, submit(cloud, "works", token="crowded"))
    assert run["state"] == "FAILED" and "maximumCapacity" in run["stateDetails"]


def test_a_lost_response_still_starts_the_job_run_and_its_token_attaches(cloud):
    once = boto3.client(
        "emr-serverless",
        endpoint_url=cloud.endpoint,
        region_name="eu-central-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    cloud.post("faults", kind="lost_response", operation="StartJobRun")
    with pytest.raises(HTTPClientError):
        submit(cloud, "works", token="lost", client=once)
    jobs = cloud.client("emr-serverless").list_job_runs(applicationId=cloud.resources["application"])["jobRuns"]
    assert submit(cloud, "works", token="lost") == jobs[0]["id"]
    assert wait_for(cloud, jobs[0]["id"])["state"] == "SUCCESS"


def test_throttling_is_an_error_that_clients_retry(cloud):
    cloud.post("faults", kind="throttle", operation="GetJobRun", times=2)
    job = submit(cloud, "works", token="throttled")
    assert wait_for(cloud, job)["state"] == "SUCCESS"
    assert cloud.page("faults") == []


def step(cloud: LocalCloud, *arguments: str) -> str:
    command = ["spark-submit", "--deploy-mode", "cluster", "--conf", "spark.yarn.appMasterEnv.GREETING=hi"]
    jar = {"Jar": "command-runner.jar", "Args": [*command, ENTRY, *arguments]}
    steps = [{"Name": "s", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}]
    return cloud.client("emr").add_job_flow_steps(JobFlowId=cloud.resources["cluster"], Steps=steps)["StepIds"][0]


def wait_for_step(cloud: LocalCloud, step_id: str, states: Iterable[str], seconds: float = 90) -> dict[str, Any]:
    end = time.monotonic() + seconds
    emr = cloud.client("emr")
    while True:
        status = emr.describe_step(ClusterId=cloud.resources["cluster"], StepId=step_id)["Step"]["Status"]
        if status["State"] in states:
            return status
        assert time.monotonic() < end, status
        time.sleep(0.2)


def test_a_step_really_runs(cloud):
    step_id = step(cloud, "works")
    wait_for_step(cloud, step_id, ["COMPLETED"])
    assert f"works hi {step_id}" in cloud.page(f"jobs/{step_id}/stdout")


def test_a_step_that_fails_names_the_exception(cloud):
    status = wait_for_step(cloud, step(cloud, "fail"), ["FAILED"])
    assert "ValueError: the answer is not 42" in status["FailureDetails"]["Message"]


def test_a_step_can_be_cancelled(cloud):
    step_id = step(cloud, "sleep")
    wait_for_step(cloud, step_id, ["RUNNING"])
    answer = cloud.client("emr").cancel_steps(ClusterId=cloud.resources["cluster"], StepIds=[step_id])
    assert answer["CancelStepsInfoList"][0]["Status"] == "SUBMITTED"
    wait_for_step(cloud, step_id, ["CANCELLED"])


def test_of_many_conditional_puts_exactly_one_wins(cloud):
    s3, wins, barrier = cloud.client("s3"), [], threading.Barrier(16)

    def put(number: int, key: str) -> None:
        barrier.wait()
        try:
            s3.put_object(Bucket=BUCKET, Key=key, Body=str(number).encode(), IfNoneMatch="*")
            wins.append(number)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"

    for key in (f"race/{number}" for number in range(20)):
        wins.clear()
        threads = [threading.Thread(target=put, args=(number, key)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(wins) == 1
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == str(wins[0]).encode()


def test_objects_and_names_survive_a_kill_and_a_restart(tmp_path):
    process, cloud = start_cloud(tmp_path / "kept", "--keep")
    s3 = cloud.client("s3")
    for key in ("a", "a/b", "../../outside", "ü/ %2F"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), Metadata={"store": "1"})
    s3.put_object(Bucket=BUCKET, Key="gone", Body=b"")
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "gone"}]})
    process.send_signal(signal.SIGKILL)
    process.wait()
    process, again = start_cloud(tmp_path / "kept", "--keep")
    try:
        listed = again.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
        assert sorted(item["Key"] for item in listed) == sorted(["a", "a/b", "../../outside", "ü/ %2F"])
        answer = again.client("s3").get_object(Bucket=BUCKET, Key="a/b")
        assert (answer["Body"].read(), answer["Metadata"]) == (b"a/b", {"store": "1"})
        assert {**again.resources, "endpoint": ""} | {"queue": "", "dead_letters": ""} == {
            **cloud.resources,
            "endpoint": "",
            "queue": "",
            "dead_letters": "",
        }
    finally:
        stop_cloud(process)


def test_the_processes_of_a_killed_cloud_end_with_it(tmp_path):
    process, cloud = start_cloud(tmp_path / "killed")
    cloud.client("s3").put_object(Bucket=ARTIFACTS, Key="entry.py", Body=SCRIPT.encode())
    job = submit(cloud, "sleep", token="orphan")
    wait_for(cloud, job, ["RUNNING"])
    pid = next(entry["pid"] for entry in cloud.page("jobs") if entry["id"] == job)
    process.kill()
    process.wait()
    end = time.monotonic() + 10
    while command_of(pid):
        assert time.monotonic() < end
        time.sleep(0.2)
