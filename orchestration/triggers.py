"""Triggers: wait for a job, and wait for uploads."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent
from airflow.utils.state import TaskInstanceState
from asgiref.sync import sync_to_async

from headgate.aws.events import Batch, LandingQueue
from headgate.aws.jobs import Jobs, JobStatus
from headgate.planning.manifest import JobSettings
from orchestration.hook import AwsClients, connect

_MOST_ERRORS = 10  # consecutive polls that may fail before the wait ends
_GRACE_SECONDS = 600  # how long a cancelled job may take to end


class JobTrigger(BaseTrigger):
    """Polls a job until it has ended. The job is cancelled at `deadline` (seconds since the epoch), or on a kill.

    The event is {"job": id} or {"job": id, "timed_out": True}; if the status cannot be read any more, it has "error".
    """

    def __init__(
        self, settings: dict[str, Any], job: str, poll_seconds: float, deadline: float, aws_conn_id: str
    ) -> None:
        super().__init__()
        self.settings, self.job, self.poll_seconds = settings, job, poll_seconds
        self.deadline, self.aws_conn_id = deadline, aws_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and arguments from which the triggerer builds the trigger again."""
        arguments = {
            "settings": self.settings,
            "job": self.job,
            "poll_seconds": self.poll_seconds,
            "deadline": self.deadline,
            "aws_conn_id": self.aws_conn_id,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def jobs(self) -> Jobs:
        """The EMR jobs that the trigger polls."""
        return connect(JobSettings(**self.settings), self.aws_conn_id)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yields one event when the job has ended."""
        try:
            yield TriggerEvent(await self._wait())
        except asyncio.CancelledError:
            if not hasattr(BaseTrigger, "on_kill") and await self._is_killed():
                await self.on_kill()
            raise

    async def on_kill(self) -> None:
        """Cancels the job. Airflow 3.3 calls this when a person marks the task failed or clears it."""
        jobs = await asyncio.to_thread(self.jobs)
        await asyncio.to_thread(jobs.cancel, self.job)
        self.log.info("job %s: cancelled, because the task was ended", self.job)

    async def _wait(self) -> dict[str, Any]:
        jobs = await asyncio.to_thread(self.jobs)
        errors, timed_out, seen = 0, False, ""
        while True:
            try:
                status: JobStatus = await asyncio.to_thread(jobs.status, self.job)
                errors = 0
            except Exception as error:
                errors += 1
                self.log.warning("job %s: no status: %s", self.job, error)
                if errors >= _MOST_ERRORS:
                    return {"job": self.job, "error": f"no status after {errors} requests: {error}"}
                await asyncio.sleep(self.poll_seconds)
                continue
            if status.platform_state != seen:
                seen = status.platform_state
                self.log.info("job %s: %s %s", self.job, seen, status.detail)
            if status.state.is_final:
                return {"job": self.job, **({"timed_out": True} if timed_out else {})}
            if not timed_out and time.time() > self.deadline:
                timed_out = True
                self.log.warning("job %s: time limit reached, cancelling", self.job)
                await asyncio.to_thread(jobs.cancel, self.job)
            if timed_out and time.time() > self.deadline + _GRACE_SECONDS:
                return {"job": self.job, "timed_out": True, "error": "the job does not end after it was cancelled"}
            await asyncio.sleep(self.poll_seconds)

    async def _is_killed(self) -> bool:
        """Before Airflow 3.3 a stop of the triggerer looks like a kill; only then is the task still deferred."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        task = self.task_instance
        if task is None:
            return False
        states = await sync_to_async(RuntimeTaskInstance.get_task_states)(
            dag_id=task.dag_id, task_ids=[task.task_id], run_ids=[task.run_id], map_index=task.map_index
        )
        return states.get(task.run_id, {}).get(task.task_id) != TaskInstanceState.DEFERRED


class LandingTrigger(BaseEventTrigger):
    """Turns the landing bucket's events on an SQS queue into one event for each burst of uploads.

    After the first message it reads for `settle_seconds`, then yields an event with the
    number of objects per dataset, and deletes the messages after that. A message that cannot be read stays in the
    queue, and SQS moves it to the dead letter queue.
    """

    def __init__(
        self, queue_url: str, region: str, settle_seconds: float = 10.0, aws_conn_id: str = "aws_default"
    ) -> None:
        super().__init__()
        self.queue_url, self.region = queue_url, region
        self.settle_seconds, self.aws_conn_id = settle_seconds, aws_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and arguments from which the triggerer builds the trigger again."""
        arguments = {
            "queue_url": self.queue_url,
            "region": self.region,
            "settle_seconds": self.settle_seconds,
            "aws_conn_id": self.aws_conn_id,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yields an event per burst, without end."""
        queue = await asyncio.to_thread(self._queue)
        while True:
            batch = await asyncio.to_thread(queue.receive_burst, self.settle_seconds)
            if not batch.receipts:
                continue
            if batch.uploads:
                self.log.info("%d uploads arrived: %s", batch.uploads, json.dumps(batch.datasets))
                yield TriggerEvent(event_of(batch))
            await asyncio.to_thread(queue.delete, batch)

    def _queue(self) -> LandingQueue:
        return LandingQueue(AwsClients(self.aws_conn_id, self.region).client("sqs"), self.queue_url)


def event_of(batch: Batch) -> dict[str, Any]:
    """The payload of an asset event: counts only, so that a burst of any size gives a small row."""
    payload = asdict(batch)
    del payload["receipts"]
    return payload
