"""Queue messages invoke a handler as AWS Lambda does it: in batches, with partial failures and dead letters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.cloud.conftest import LocalCloud, start_cloud, stop_cloud

pytestmark = pytest.mark.cloud

HANDLER = """
import json, os
def handler(event, context):
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(json.dumps([record["body"] for record in event["Records"]]) + "\\n")
    failed = [record["messageId"] for record in event["Records"] if "poison" in record["body"]]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
"""


@pytest.fixture
def own_cloud(tmp_path):
    process, cloud = start_cloud(tmp_path / "data", "--landing", "lake/landing/")
    yield cloud
    stop_cloud(process)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_burst_of_objects_becomes_few_batches_and_a_poisoned_message_a_dead_letter(own_cloud: LocalCloud, tmp_path):
    (tmp_path / "handler.py").write_text(HANDLER)
    sqs, s3, queue = own_cloud.client("sqs"), own_cloud.client("s3"), own_cloud.resources["queue"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=queue, MessageBody="poison")
    for number in range(60):
        s3.put_object(Bucket="lake", Key=f"landing/{number}", Body=b"x")
    s3.put_object(Bucket="lake", Key="elsewhere/1", Body=b"x")
    own_cloud.post(
        "triggers",
        queue=queue,
        file=str(tmp_path / "handler.py"),
        window_seconds=0.5,
        variables={"SEEN": str(tmp_path / "seen")},
    )
    dead = own_cloud.resources["dead_letters"]
    count = "ApproximateNumberOfMessages"
    until(lambda: sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[count])["Attributes"][count] == "1")
    batches = [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()]
    events = [json.loads(body) for batch in batches for body in batch if body != "poison"]
    keys = {record["s3"]["object"]["key"] for event in events for record in event.get("Records", [])}
    assert len(keys) == 60
    assert len([batch for batch in batches if any("Records" in body for body in batch)]) <= 3
