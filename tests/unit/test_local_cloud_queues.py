"""The local cloud's queues: a burst costs time in proportion to its size, and each message behaves as in SQS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from orchestration.local_cloud import queues

COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


@pytest.fixture
def sqs() -> Iterator[Any]:
    queues.install()
    with mock_aws():
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        yield boto3.client("sqs", region_name="eu-central-1", **keys)


def queue(sqs: Any, name: str = "landing", **attributes: str) -> str:
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def counts(sqs: Any, url: str) -> list[int]:
    result = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return [int(result[name]) for name in COUNTS]


def send(sqs: Any, url: str, number: int) -> None:
    for start in range(0, number, 10):
        entries = [{"Id": str(index), "MessageBody": str(index)} for index in range(start, min(start + 10, number))]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])


def test_each_message_of_a_burst_is_received_once_and_deleted(sqs: Any) -> None:
    url, number = queue(sqs, VisibilityTimeout="600"), 1000
    send(sqs, url, number)
    messages: list[dict[str, Any]] = []
    while batch := received(sqs, url):
        messages += batch
    assert sorted(int(message["Body"]) for message in messages) == list(range(number))
    assert counts(sqs, url) == [0, number, 0]
    for start in range(0, number, 10):
        entries = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
            for index, message in enumerate(messages[start : start + 10])
        ]
        assert len(sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == len(entries)
    assert counts(sqs, url) == [0, 0, 0]


def test_counts_tell_waiting_received_and_delayed_messages_apart(sqs: Any) -> None:
    url = queue(sqs, VisibilityTimeout="600")
    send(sqs, url, 3)
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=600)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    assert counts(sqs, url) == [2, 1, 1]
    names = ["ApproximateNumberOfMessages"]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] == {names[0]: "2"}


def test_a_message_comes_back_and_an_older_handle_deletes_it(sqs: Any) -> None:
    url = queue(sqs, VisibilityTimeout="1")
    send(sqs, url, 1)
    (first,) = received(sqs, url)
    assert received(sqs, url) == []
    time.sleep(1.1)
    (again,) = received(sqs, url)
    assert again["MessageId"] == first["MessageId"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])  # a repeat is no error
    assert counts(sqs, url) == [0, 0, 0]
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="unknown")


def test_a_message_that_is_received_too_often_is_a_dead_letter(sqs: Any) -> None:
    dead = queue(sqs, "dead")
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = queue(sqs, RedrivePolicy=policy, VisibilityTimeout="0")
    send(sqs, url, 1)
    assert len(received(sqs, url)) == 1
    time.sleep(0.01)
    assert received(sqs, url) == []
    assert (counts(sqs, url), counts(sqs, dead)) == ([0, 0, 0], [1, 0, 0])
