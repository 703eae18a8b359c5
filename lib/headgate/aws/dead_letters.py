"""The dead letter queue: messages of the landing queue that could not be handled several times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import boto3

from headgate.aws.events import EventError, datasets_of

_BATCH = 10
_HIDDEN_SECONDS = 30  # how long a message is hidden from other readers while it is looked at


@dataclass(frozen=True)
class DeadLetter:
    """One message. `datasets` counts its uploads; `problem` says why it cannot be read, and is empty if it can."""

    id: str
    sent: int  # milliseconds since the epoch
    receives: int
    datasets: Mapping[str, int]
    problem: str
    body: str

    def as_dict(self) -> dict[str, Any]:
        """The message as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Redriven:
    """How many messages went back to the landing queue, and how many stay because they cannot be read."""

    moved: int
    kept: int


class DeadLetters:
    """The dead letter queue `url` of the landing queue `source`. `client` is boto3's `sqs`."""

    def __init__(self, client: Any, url: str, source: str) -> None:
        self._client, self._url, self._source = client, url, source

    def list(self, limit: int) -> list[DeadLetter]:
        """Up to `limit` messages. They stay in the queue, and are visible to other readers at once."""
        messages = [*self._receive(limit)]  # all of them first: a message that is visible again is received again
        for message in messages:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return [_dead_letter(message) for message in messages]

    def redrive(self, *, unreadable: bool = False) -> Redriven:
        """Moves messages back to the landing queue: sent first, deleted after, so that none is lost in between.

        Messages that are not S3 events would return to this queue; they stay, unless `unreadable` is true.
        """
        moved, kept = 0, 0
        for message in self._receive(limit=None):
            if _dead_letter(message).problem and not unreadable:
                kept += 1
                continue
            self._client.send_message(QueueUrl=self._source, MessageBody=message["Body"])
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
        return Redriven(moved, kept)

    def _receive(self, limit: int | None) -> Iterator[dict[str, Any]]:
        """Each message once, hidden from other readers meanwhile."""
        seen: set[str] = set()
        while limit is None or len(seen) < limit:
            response = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_BATCH if limit is None else min(_BATCH, limit - len(seen)),
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
            new = [message for message in response.get("Messages", []) if message["MessageId"] not in seen]
            if not new:
                return
            seen |= {message["MessageId"] for message in new}
            yield from new


def connect(url: str, source: str) -> DeadLetters:
    """The dead letter queue `url` of the landing queue `source`, with the credentials of AWS's variables."""
    return DeadLetters(boto3.client("sqs"), url, source)


def _dead_letter(message: Mapping[str, Any]) -> DeadLetter:
    try:
        datasets, problem = datasets_of(message["Body"]), ""
    except EventError as error:
        datasets, problem = {}, error.message
    attributes = message.get("Attributes", {})
    return DeadLetter(
        id=message["MessageId"],
        sent=int(attributes.get("SentTimestamp", 0)),
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        datasets=datasets,
        problem=problem,
        body=message["Body"],
    )
