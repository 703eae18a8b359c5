"""A real Airflow, the local cloud, jobs by spark-submit: one job per piece of work, even with crashes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.contracts.automation import Schedule
from headgate.lake.upload_identity import Upload
from orchestration.local_platform.airflow import Airflow
from orchestration.local_platform.processes import Processes
from tests.airflow.local import Cloud, manifest_for, start_cloud
from tests.processes import send_evenly

pytestmark = pytest.mark.platform

SCHEDULES = (
    Schedule("work", notify=("failure", "recovery"), retries=2),
    Schedule("nothing_new", select=("bronze.stores",)),
    Schedule("on_arrival"),
    Schedule("late", deadline_minutes=1),
)
LATE, BACKFILL = "headgate_test_late", "headgate_test_backfill"
WORK, NOTHING_NEW, ON_ARRIVAL = "headgate_test_work", "headgate_test_nothing_new", "headgate_test_on_arrival"
STEP = "headgate_steps_work"
HEARTBEAT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
}


class Platform:
    """The cloud, Airflow, and helpers for both."""

    def __init__(self, cloud: Cloud, airflow: Airflow, processes: Processes) -> None:
        self.cloud, self.airflow, self.processes = cloud, airflow, processes
        self.seen_runs, self.seen_starts = len(cloud.job_runs()), len(cloud.starts())

    def new_job_runs(self):
        return self.cloud.job_runs()[self.seen_runs :]

    def new_commands(self):
        """The command lines of the jobs that began to work, in order."""
        return self.cloud.commands()[self.seen_starts :]

    def new_starts(self):
        return self.cloud.starts()[self.seen_starts :]

    def wait_for(self, condition, seconds=240):
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < deadline, f"{condition} is not true after {seconds} s"
            time.sleep(0.5)
        return result

    def messages(self) -> Callable[[], list[str]]:
        """Subscribes to the topic. The result returns the subjects of the notifications since then, in order."""
        sqs, sns = self.cloud.client("sqs"), self.cloud.client("sns")
        url = sqs.create_queue(QueueName=f"subscriber-{time.monotonic_ns()}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=self.cloud.resources["topic"], Protocol="sqs", Endpoint=arn)

        def receive() -> list[str]:
            subjects = []
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                subjects += [json.loads(message["Body"])["Subject"] for message in messages]
            return subjects

        return receive

    def failure(self, run):
        return self.airflow.xcom(WORK, run, "run", "failure")


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[tuple[Cloud, Airflow, Processes]]:
    folder = tmp_path_factory.mktemp("platform")
    with Processes(folder / "logs") as processes:
        cloud = start_cloud(processes, folder / "cloud")
        (folder / "manifests").mkdir()
        manifests = (manifest_for(cloud, SCHEDULES), manifest_for(cloud, SCHEDULES[:1], steps=True))
        for manifest in manifests:
            (folder / "manifests" / f"{manifest.environment}.json").write_text(manifest.to_json())
        airflow = Airflow(folder / "airflow", folder / "manifests", cloud.variables, processes, settings=HEARTBEAT)
        airflow.start()
        airflow.pause(ON_ARRIVAL, True)
        cloud.put(landing_path(), {"any": "upload"})  # so that the plan has work
        yield cloud, airflow, processes


@pytest.fixture
def platform(running) -> Platform:
    return Platform(*running)


def landing_path(number: int = 0) -> str:
    """The path of an upload of the dataset `transactions`."""
    return Upload("transactions", "store-1", datetime.now(UTC), f"{number:032x}").path(".jsonl")


def kill_worker(airflow: Airflow, run: str) -> None:
    """Kills a task's process and the worker that supervises it, as a lost machine does."""
    task = airflow.task(WORK, run, "run")["pid"]
    worker = int(Path(f"/proc/{task}/stat").read_text().rsplit(")", 1)[1].split()[1])
    for process in (worker, task):
        os.kill(process, signal.SIGKILL)


# --- the usual ways


def test_a_run_with_new_uploads_is_one_job(platform):
    platform.cloud.control(tables=[{"table": "silver.transactions", "status": "done", "written": 3}])
    run = platform.airflow.trigger(WORK)
    assert platform.airflow.wait(WORK, run, 300) == "success"
    assert len(platform.new_job_runs()) == len(platform.new_starts()) == 1
    assert platform.airflow.xcom(WORK, run, "run", "outcome")["tables"][0]["written"] == 3


def test_a_run_without_new_uploads_is_no_job(platform):
    run = platform.airflow.trigger(NOTHING_NEW)
    assert platform.airflow.wait(NOTHING_NEW, run, 300) == "success"
    assert platform.airflow.tasks(NOTHING_NEW, run)["run"] == "skipped"
    assert platform.new_job_runs() == []


def test_a_step_of_a_cluster_is_one_step(platform):
    platform.cloud.control()
    run = platform.airflow.trigger(STEP)
    assert platform.airflow.wait(STEP, run, 300) == "success"
    assert len(platform.new_starts()) == 1


# --- once, whatever dies


def test_a_worker_killed_after_submitting_is_followed_by_a_try_that_attaches(platform):
    platform.cloud.control(seconds=5)
    platform.cloud.fault("error", "GetJobRun", 4)  # keeps the try in the worker between the request and the wait
    run = platform.airflow.trigger(WORK)
    platform.wait_for(platform.new_job_runs)
    kill_worker(platform.airflow, run)
    assert platform.airflow.wait(WORK, run, 420) == "success"
    assert platform.airflow.task(WORK, run, "run")["try_number"] == 2
    assert len(platform.new_job_runs()) == len(platform.new_starts()) == 1


def test_a_scheduler_that_is_killed_and_restarted_starts_no_second_job(platform):
    platform.cloud.control(seconds=10)
    run = platform.airflow.trigger(WORK)
    platform.wait_for(platform.new_starts)
    platform.processes.stop("scheduler", signal.SIGKILL)
    platform.airflow.start_part("scheduler")
    assert platform.airflow.wait(WORK, run, 420) == "success"
    assert len(platform.new_job_runs()) == len(platform.new_starts()) == 1


def test_a_job_that_succeeds_while_its_watcher_is_dead_is_a_success(platform):
    platform.cloud.control(seconds=5)
    run = platform.airflow.trigger(WORK)
    platform.wait_for(platform.new_starts)
    platform.processes.stop("triggerer", signal.SIGKILL)
    platform.wait_for(lambda: platform.new_job_runs()[0]["state"] == "SUCCESS")
    platform.airflow.start_part("triggerer")
    assert platform.airflow.wait(WORK, run, 420) == "success"
    assert len(platform.new_job_runs()) == 1


def test_two_runs_of_a_dag_for_one_interval_are_one_job(platform):
    platform.cloud.control(consume=True, seconds=3)
    runs = [platform.airflow.trigger(WORK) for _ in range(2)]
    try:
        assert [platform.airflow.wait(WORK, run, 300) for run in runs] == ["success", "success"]
        assert sorted(platform.airflow.tasks(WORK, run)["run"] for run in runs) == ["skipped", "success"]
        assert len(platform.new_job_runs()) == len(platform.new_starts()) == 1
    finally:
        platform.cloud.put(landing_path(), {"any": "upload"})


@pytest.mark.parametrize("times", [1, 6])
def test_a_lost_response_to_the_submission_starts_no_second_job(platform, times):
    platform.cloud.control()
    platform.cloud.fault("lost_response", "StartJobRun", times)  # 6: more often than boto3 asks in one try
    run = platform.airflow.trigger(WORK)
    assert platform.airflow.wait(WORK, run, 420) == "success"
    assert len(platform.new_job_runs()) == len(platform.new_starts()) == 1


# --- failures, each with its cause


def test_a_failed_table_fails_the_task_at_once_and_the_message_names_it(platform):
    error = {
        "code": "batch-refused",
        "what": "amounts are positive failed: 3 of 40 rows",
        "where": "",
        "fix": "mend it",
    }
    platform.cloud.control(exit_code=1, tables=[{"table": "silver.transactions", "status": "failed", "error": error}])
    run = platform.airflow.trigger(WORK)
    assert platform.airflow.wait(WORK, run, 300) == "failed"
    message = platform.failure(run)
    assert "silver.transactions [batch-refused] amounts are positive failed: 3 of 40 rows" in message
    job = platform.new_job_runs()[0]
    assert f"log: s3://lake/logs/applications/{job['applicationId']}/jobs/{job['id']}/SPARK_DRIVER/" in message
    assert len(platform.new_job_runs()) == 1


def test_exit_code_75_is_retried_with_a_new_job_that_may_succeed(platform):
    platform.cloud.control(exit_code=75, error={"code": "lost-race", "what": "lost 3 races"}, seconds=3)
    run = platform.airflow.trigger(WORK)
    platform.wait_for(platform.new_starts)
    time.sleep(1)  # the first job has started
    platform.cloud.control()
    assert platform.airflow.wait(WORK, run, 420) == "success"
    assert len(platform.new_job_runs()) == len(platform.new_starts()) == 2


def test_a_job_without_capacity_is_retried_and_the_message_says_so(platform):
    platform.cloud.control()
    platform.cloud.fault("no_capacity", "StartJobRun", 1)
    run = platform.airflow.trigger(WORK)
    assert platform.airflow.wait(WORK, run, 420) == "success"
    assert [job["state"] for job in platform.new_job_runs()] == ["FAILED", "SUCCESS"]


def test_a_job_that_is_cancelled_by_the_api_fails_the_task_and_the_message_says_so(platform):
    platform.cloud.control(seconds=60)
    run = platform.airflow.trigger(WORK)
    platform.wait_for(platform.new_starts)
    job = platform.new_job_runs()[0]
    platform.cloud.client("emr-serverless").cancel_job_run(applicationId=job["applicationId"], jobRunId=job["id"])
    assert platform.airflow.wait(WORK, run, 300) == "failed"
    assert f"job {job['id']} CANCELLED" in platform.failure(run)
    assert len(platform.new_job_runs()) == 1


def test_a_task_that_a_person_fails_cancels_its_job_and_a_clear_starts_a_new_one(platform):
    platform.cloud.control(seconds=60)
    run = platform.airflow.trigger(WORK)
    platform.wait_for(platform.new_starts)
    platform.wait_for(lambda: platform.airflow.tasks(WORK, run)["run"] == "deferred")
    platform.airflow.set_state(WORK, run, "run", "failed")
    platform.wait_for(lambda: platform.new_job_runs()[0]["state"] == "CANCELLED")
    platform.cloud.control()
    platform.airflow.wait(WORK, run, 60)
    platform.airflow.clear(WORK, run, "run", "notify")
    platform.wait_for(lambda: len(platform.new_job_runs()) == 2)
    assert platform.airflow.wait(WORK, run, 300) == "success"


# --- notifications


def test_a_failure_and_the_recovery_after_it_are_sent_once_each(platform):
    receive = platform.messages()
    platform.cloud.control(exit_code=2, error={"code": "environment", "what": "no lake"})
    for _ in range(2):
        platform.airflow.wait(WORK, platform.airflow.trigger(WORK), 300)
    platform.cloud.control()
    platform.airflow.wait(WORK, platform.airflow.trigger(WORK), 300)
    subjects = receive()
    assert [subject.partition(":")[0] for subject in subjects if "work" in subject] == ["failed", "recovered"]


def test_a_run_that_is_not_finished_at_its_deadline_is_reported_as_late(platform):
    receive = platform.messages()
    platform.cloud.control(seconds=100)
    run = platform.airflow.trigger(LATE)
    platform.wait_for(lambda: any(subject == "late: test late" for subject in receive()), 240)
    assert platform.airflow.state(LATE, run) == "running"
    assert platform.airflow.wait(LATE, run, 300) == "success"


# --- backfill


def test_a_backfill_is_a_dry_run_first_and_runs_only_when_it_is_confirmed(platform):
    platform.cloud.control()
    parameters = {"table": "silver.transactions", "from": "2026-03-01"}
    run = platform.airflow.trigger(BACKFILL, **parameters)
    assert platform.airflow.wait(BACKFILL, run, 300) == "success"
    assert platform.airflow.tasks(BACKFILL, run)["backfill"] == "skipped"
    run = platform.airflow.trigger(BACKFILL, **parameters, confirm=True)
    assert platform.airflow.wait(BACKFILL, run, 300) == "success"
    command = ["backfill", "silver.transactions", "--env", "test", "--from=2026-03-01"]
    dry_run = [*command, "--dry-run"]
    assert platform.new_commands() == [dry_run, dry_run, command]


# --- on arrival


@pytest.mark.parametrize("events", [10_000])
def test_a_burst_of_events_is_at_most_five_runs(platform, events):
    platform.cloud.control(seconds=2)
    platform.airflow.pause(ON_ARRIVAL, False)
    before = {event["id"] for event in platform.airflow.asset_events("test.landing")}
    seconds = send_events(platform.cloud, events)

    def arrived():
        return [event for event in platform.airflow.asset_events("test.landing") if event["id"] not in before]

    def uploads():
        return sum(event["extra"]["payload"]["uploads"] for event in arrived())

    platform.wait_for(lambda: uploads() >= events, 300)
    platform.wait_for(lambda: all(event["created_dagruns"] for event in arrived()), 300)  # none is missed
    platform.wait_for(lambda: {r["state"] for r in platform.airflow.runs(ON_ARRIVAL)} == {"success"}, 300)
    runs, jobs = platform.airflow.runs(ON_ARRIVAL), platform.new_job_runs()
    platform.airflow.pause(ON_ARRIVAL, True)
    print(f"{events} events in {seconds:.0f} s: {len(arrived())} bursts, {len(runs)} runs, {len(jobs)} jobs")
    assert 1 <= len(runs) <= 5


def send_events(cloud: Cloud, number: int, seconds: float = 60) -> float:
    """Puts events of `number` uploads on the landing queue, evenly. Returns the seconds that it took."""
    sqs, url = cloud.client("sqs"), cloud.resources["queue"]

    def send(start):
        entries = []
        for index in range(start, start + 10):
            record = {"s3": {"bucket": {"name": "lake"}, "object": {"key": f"retail/{landing_path(index)}"}}}
            entries.append({"Id": str(index), "MessageBody": json.dumps({"Records": [record]})})
        sqs.send_message_batch(QueueUrl=url, Entries=entries)

    return send_evenly(send, number, seconds)
