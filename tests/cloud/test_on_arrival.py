"""The Lambda on the local cloud: a burst of events is few jobs, none too early, and garbage is a dead letter."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC, datetime

import pytest

from headgate.aws.dead_letters import DeadLetters, Redriven
from headgate.contracts.automation import Schedule
from headgate.planning.manifest import CURRENT, SERVERLESS, CurrentPackage, JobSettings, Manifest, manifest_path
from tests.cloud.conftest import ARTIFACTS, BUCKET, REGION, LocalCloud
from tests.processes import ROOT, send_evenly

pytestmark = pytest.mark.cloud

EVENTS, SECONDS = 10_000, 60
TRIGGER = "terraform/modules/trigger/variables.tf"
LABEL = "headgate_burst_on_arrival"
JOB = "import time; time.sleep(3)\n"
RECEIVES = 2
#: The batching window that the Terraform module sets, in seconds.
WINDOW = int(re.search(r'"batching_seconds" \{.*?default\s*= (\d+)', (ROOT / TRIGGER).read_text(), re.DOTALL)[1])


class Burst:
    """A queue of its own, the Lambda on it, and jobs that sleep."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud, self.sqs = cloud, cloud.client("sqs")
        self.dead, dead_arn = self._queue(f"dead-{time.monotonic_ns()}", {})
        policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": RECEIVES})
        settings = {"RedrivePolicy": policy, "VisibilityTimeout": "45"}
        self.landing, _ = self._queue(f"landing-{time.monotonic_ns()}", settings)
        self._start_lambda()

    def _queue(self, name: str, attributes: dict[str, str]) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        result = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, result["Attributes"]["QueueArn"]

    def _start_lambda(self) -> None:
        resources = self.cloud.resources
        job = JobSettings(
            SERVERLESS,
            REGION,
            f"s3://{ARTIFACTS}/sleep.py",
            application_id=resources["application"],
            execution_role_arn=resources["role"],
        )
        manifest = Manifest("sales", "burst", "1", f"s3://{BUCKET}/burst", job, schedules=(Schedule("on_arrival"),))
        s3 = self.cloud.client("s3")
        s3.put_object(Bucket=ARTIFACTS, Key="sleep.py", Body=JOB.encode())
        current = CurrentPackage(f"s3://{ARTIFACTS}/burst/{manifest_path('1')}", ("1",))
        s3.put_object(Bucket=ARTIFACTS, Key=f"burst/{manifest_path('1')}", Body=manifest.to_json().encode())
        s3.put_object(Bucket=ARTIFACTS, Key=f"burst/{CURRENT}", Body=current.to_json().encode())
        self.cloud.post(
            "triggers",
            queue=self.landing,
            file=str(ROOT / "orchestration" / "lambda" / "on_arrival.py"),
            function="handler",
            batch_size=EVENTS,
            window_seconds=WINDOW,
            variables={
                "HEADGATE_CURRENT": f"s3://{ARTIFACTS}/burst/{CURRENT}",
                "PYTHONPATH": str(ROOT / "lib"),
                "PATH": os.environ["PATH"],
            },
        )

    def send(self, start: int, bodies: list[str]) -> None:
        entries = [{"Id": str(start + index), "MessageBody": body} for index, body in enumerate(bodies)]
        self.sqs.send_message_batch(QueueUrl=self.landing, Entries=entries)

    def waiting(self) -> int:
        result = self.sqs.get_queue_attributes(QueueUrl=self.landing, AttributeNames=["All"])["Attributes"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(result[name]) for name in names)

    def invocations(self) -> list[dict]:
        """The calls of the Lambda on this queue; of triggers the last one is this one."""
        return self.cloud.page("triggers")[-1]

    def jobs(self) -> list[dict]:
        runs = self.cloud.client("emr-serverless").list_job_runs(applicationId=self.cloud.resources["application"])
        own = [run for run in runs["jobRuns"] if run["name"].startswith(f"{LABEL} ")]
        return sorted(own, key=lambda run: run["createdAt"])


def body(number: int) -> str:
    key = f"burst/landing/sales/dt=2026-03-02/hour=10/upload-{number}.jsonl"
    return json.dumps({"Records": [{"s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}]})


def wait_for(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_ten_thousand_events_are_at_most_five_jobs_and_dead_letters_are_redriven(cloud):
    burst = Burst(cloud)
    burst.send(0, ["garbage"])

    def send(start: int) -> None:
        burst.send(start, [body(number) for number in range(start, start + 10)])

    seconds = send_evenly(send, EVENTS, SECONDS)
    sent = datetime.now(UTC)
    print(f"{EVENTS} events in {seconds:.0f} s")
    wait_for(lambda: burst.waiting() == 0, 240)
    wait_for(lambda: all(job["state"] == "SUCCESS" for job in burst.jobs()), 120)
    jobs = burst.jobs()
    begun = {job["id"]: datetime.fromisoformat(job["started"]) for job in cloud.page("jobs")}
    handled = sum(call["messages"] - call["failed"] for call in burst.invocations())
    print(f"{len(jobs)} jobs, {handled} messages handled")
    assert 1 <= len(jobs) <= 5
    assert handled >= EVENTS
    assert begun[jobs[-1]["id"]] > sent  # a job lists landing when it begins: after the last event, so none was missed
    redrive(burst, len(jobs))


def redrive(burst: Burst, jobs: int) -> None:
    """A dead letter that announces an upload goes back and starts a job; one that cannot be read stays."""
    burst.sqs.send_message(QueueUrl=burst.dead, MessageBody=body(EVENTS))
    letters = DeadLetters(burst.sqs, burst.dead, burst.landing)
    assert sorted(bool(letter.problem) for letter in letters.list(10)) == [False, True]
    assert letters.redrive() == Redriven(moved=1, kept=1)
    wait_for(lambda: burst.waiting() == 0 and len(burst.jobs()) == jobs + 1, 90)
    time.sleep(31)  # redrive hid the other message for so long
    assert letters.redrive(unreadable=True).moved == 1
