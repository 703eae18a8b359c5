"""The landing bucket's events on SQS: which datasets received uploads. The Lambda and Airflow's trigger read them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from headgate.errors import HeadgateError

_MOST_MESSAGES = 50_000  # of a burst: further messages form the next burst
_BATCH = 10  # messages in one SQS request


class EventError(HeadgateError):
    """A message on the landing queue that is not an S3 event."""

    code = "event"


@dataclass(frozen=True)
class Batch:
    """Messages that were read. `datasets` counts new objects by dataset; `unreadable` messages stay in the queue."""

    uploads: int = 0
    datasets: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0
    receipts: tuple[tuple[str, str], ...] = ()  # message id and receipt handle of each message to delete


def datasets_of(body: str) -> dict[str, int]:
    """New landing objects by dataset in one message; empty for S3's test event and for objects outside landing.

    Accepts S3's own format and EventBridge's. Raises EventError for any other body.
    """
    try:
        event = json.loads(body)
        if event.get("Event") == "s3:TestEvent":
            return {}
        if "Records" in event:
            keys = [record["s3"]["object"]["key"] for record in event["Records"]]
        else:
            keys = [event["detail"]["object"]["key"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EventError(
            f"no S3 event: {type(error).__name__} {error}", fix="remove the message: headgate admin dlq list"
        ) from error
    counts: dict[str, int] = {}
    for key in map(unquote_plus, keys):
        if dataset := dataset_of(key):
            counts[dataset] = counts.get(dataset, 0) + 1
    return counts


def dataset_of(key: str) -> str:
    """The dataset of a landing object's key, `[prefix/]landing/<dataset>/...`; empty for any other key."""
    parts = key.split("/")
    after = parts[parts.index("landing") + 1 :] if "landing" in parts else []
    return after[0] if len(after) > 1 else ""


def batch_of(messages: Iterable[Mapping[str, Any]]) -> Batch:
    """What a number of SQS messages say. A message that comes twice counts once."""
    counts: dict[str, int] = {}
    unreadable, receipts = 0, {}
    for message in messages:
        if message["MessageId"] in receipts:
            receipts[message["MessageId"]] = message["ReceiptHandle"]  # only the newest handle deletes it
            continue
        try:
            datasets = datasets_of(message["Body"])
        except EventError:
            unreadable += 1
            continue
        receipts[message["MessageId"]] = message["ReceiptHandle"]
        for dataset, count in datasets.items():
            counts[dataset] = counts.get(dataset, 0) + count
    return Batch(sum(counts.values()), dict(sorted(counts.items())), unreadable, tuple(receipts.items()))


class LandingQueue:
    """The SQS queue that receives the landing bucket's events. `client` is boto3's `sqs`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url = client, url

    def receive_burst(self, settle_seconds: float) -> Batch:
        """Waits up to 10 seconds for a message, then reads on for `settle_seconds`. Deletes nothing."""
        messages = self._receive(10)
        deadline = time.monotonic() + settle_seconds
        while messages and time.monotonic() < deadline and len(messages) < _MOST_MESSAGES:
            messages += self._receive(1)
        return batch_of(messages)

    def delete(self, batch: Batch) -> None:
        """Deletes the messages of a batch. A message that cannot be deleted comes again, which costs one plan."""
        for start in range(0, len(batch.receipts), _BATCH):
            entries = [
                {"Id": str(index), "ReceiptHandle": receipt}
                for index, (_, receipt) in enumerate(batch.receipts[start : start + _BATCH])
            ]
            self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def _receive(self, wait_seconds: int) -> list[Mapping[str, Any]]:
        response = self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=wait_seconds
        )
        return response.get("Messages", [])
