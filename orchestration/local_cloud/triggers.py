"""Queue messages that invoke a handler, as AWS Lambda's event source mapping for SQS does.

The handler runs in a Python process of its own. Messages of a batch that failed come back to the queue when their
visibility timeout ends, and go to the dead letter queue after the queue's `maxReceiveCount`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_POLL = 10  # the maximum per ReceiveMessage
_RUN = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("handler", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print("\\n" + json.dumps(getattr(module, sys.argv[2])(json.load(sys.stdin), None)))
"""


@dataclass(frozen=True)
class Trigger:
    """An event source mapping: a batch is full at `batch_size` messages or `window_seconds` after the first."""

    queue: str  # its URL
    file: Path  # the handler's Python file
    function: str = "handler"
    batch_size: int = 1000
    window_seconds: float = 5.0
    timeout_seconds: float = 60.0
    variables: Mapping[str, str] = field(default_factory=dict)


class TriggerLoop:
    """Polls the queue of a trigger on a thread of its own, one batch at a time."""

    def __init__(self, sqs: Any, trigger: Trigger, variables: Mapping[str, str]) -> None:
        self._sqs, self._trigger, self._variables = sqs, trigger, dict(variables)
        self._stop = threading.Event()
        self.invocations: list[dict[str, Any]] = []

    def start(self) -> None:
        """Begins to poll."""
        threading.Thread(target=self._poll, name=f"trigger {self._trigger.queue}", daemon=True).start()

    def stop(self) -> None:
        """Ends after the batch that is under way."""
        self._stop.set()

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                if batch := self._next_batch():
                    self._invoke(batch)
            except Exception as error:  # a queue that is deleted or not there yet does not end the loop
                print(f"trigger {self._trigger.queue}: {error}", file=sys.stderr, flush=True)
                self._stop.wait(2)

    def _next_batch(self) -> list[dict[str, Any]]:
        batch: list[dict[str, Any]] = []
        deadline: float | None = None
        while not self._stop.is_set() and len(batch) < self._trigger.batch_size:
            answer = self._sqs.receive_message(
                QueueUrl=self._trigger.queue,
                MaxNumberOfMessages=min(_POLL, self._trigger.batch_size - len(batch)),
                WaitTimeSeconds=0,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            received = answer.get("Messages", [])
            batch += received
            if batch and deadline is None:
                deadline = time.monotonic() + self._trigger.window_seconds
            if deadline is not None and time.monotonic() >= deadline:
                break
            if not received:
                self._stop.wait(0.2)
        return batch

    def _invoke(self, batch: Sequence[Mapping[str, Any]]) -> None:
        command = [sys.executable, "-c", _RUN, str(self._trigger.file), self._trigger.function]
        variables = {**os.environ, **self._variables, **self._trigger.variables}
        event = {"Records": [_record(message, self._trigger.queue) for message in batch]}
        try:
            process = subprocess.run(
                command,
                input=json.dumps(event),
                text=True,
                capture_output=True,
                env=variables,
                timeout=self._trigger.timeout_seconds,
                check=False,
            )
            failed, output = self._failed(process, batch)
        except subprocess.TimeoutExpired:
            failed, output = {message["MessageId"] for message in batch}, "timed out"
        self.invocations.append({"messages": len(batch), "failed": len(failed), "output": output[-2000:]})
        done = [message for message in batch if message["MessageId"] not in failed]
        for start in range(0, len(done), _POLL):
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(done[start : start + _POLL])
            ]
            self._sqs.delete_message_batch(QueueUrl=self._trigger.queue, Entries=entries)

    @staticmethod
    def _failed(process: subprocess.CompletedProcess[str], batch: Sequence[Mapping[str, Any]]) -> tuple[set[str], str]:
        """The ids of the messages that failed, and the handler's output."""
        output = process.stdout + process.stderr
        if process.returncode:
            return {message["MessageId"] for message in batch}, output
        answer = json.loads(process.stdout.strip().splitlines()[-1]) or {}
        return {item["itemIdentifier"] for item in answer.get("batchItemFailures", [])}, output


def _record(message: Mapping[str, Any], queue: str) -> dict[str, Any]:
    """A message as Lambda passes it to a handler."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
    }
