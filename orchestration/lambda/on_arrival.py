"""The Lambda that starts Headgate when uploads arrive, for environments without Airflow.

SQS calls it with up to 10,000 messages of the landing bucket at a time. It starts one EMR job for a burst:

- A job that waits to start lists landing only once it runs, so it covers every upload so far: nothing to do.
- Otherwise one job follows the newest job. Its token is made from the id of the application's newest job, so that any
  number of concurrent calls start the same follower.

Messages that are not S3 events are returned to SQS, which finally moves them to the dead letter queue.
The variable HEADGATE_CURRENT is the s3:// address of the environment's current.json, which names the deployed package.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from headgate.aws.events import EventError, datasets_of
from headgate.aws.jobs import Jobs, JobState, JobStatus, SubmitError, jobs_of, token_of
from headgate.contracts.automation import ON_ARRIVAL
from headgate.planning.manifest import CurrentPackage, Manifest

log = logging.getLogger()
log.setLevel(logging.INFO)

_LOOKS = 5  # how often the newest job is looked up again after another call was first
_RECENT = 20
#: EMR's clock may be behind this one. A job lists landing later than this after its creation: Spark starts first.
_CLOCKS = timedelta(seconds=2)


class BotoClients:
    """boto3 clients with the Lambda's own role."""

    def __init__(self, region: str) -> None:
        self._region = region

    def client(self, service: str, *, retries: bool = True) -> Any:
        """A client of `service`. With `retries=False` each request is sent once."""
        attempts = {"mode": "standard", "total_max_attempts": 5 if retries else 1}
        return boto3.client(service, region_name=self._region, config=Config(retries=attempts))


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """Starts a job if the messages announce uploads. Returns SQS's partial batch response."""
    uploads, unreadable = 0, []
    for record in event["Records"]:
        try:
            uploads += sum(datasets_of(record["body"]).values())
        except EventError as error:
            log.warning("message %s: %s", record["messageId"], error)
            unreadable.append({"itemIdentifier": record["messageId"]})
    if uploads:
        manifest = _manifest()
        job = start(manifest, jobs_of(manifest.job, BotoClients(manifest.job.region)))
        log.info(json.dumps({"uploads": uploads, "messages": len(event["Records"]), "job": job}))
    return {"batchItemFailures": unreadable}


def start(manifest: Manifest, jobs: Jobs) -> str:
    """Returns the id of a job that lists landing after now: a job that waits, or a new job.

    Raises SubmitError; SQS then delivers the messages again.
    """
    label, began = f"headgate_{manifest.environment}_{ON_ARRIVAL}", datetime.now(UTC) - _CLOCKS
    for _ in range(_LOOKS):
        recent = jobs.recent(_RECENT)
        own = (job for job in recent if job.name.startswith(f"{label} "))
        if waiting := next((job for job in own if job.state is JobState.WAITING), None):
            return waiting.id
        token = token_of(label, recent[0].id if recent else "")
        job = jobs.submit(label, ["--run-id", token, *command_of(manifest)], token)
        if _lists_landing_after(jobs.status(job), began):
            return job
        # A job of an earlier call, which may have listed landing before now: another job must follow it.
    raise SubmitError(
        "the list of job runs does not show the newest job yet", where=label, fix="SQS delivers the messages again"
    )


def _lists_landing_after(status: JobStatus, began: datetime) -> bool:
    """True for a job that waits, and for a job that was created after `began`, also if it runs already."""
    if status.state is JobState.WAITING:
        return True
    is_new = status.created is not None and status.created >= began
    return is_new and status.state in (JobState.RUNNING, JobState.SUCCEEDED)


def command_of(manifest: Manifest) -> list[str]:
    """The headgate command line of the job."""
    schedule = manifest.schedule(ON_ARRIVAL)
    select = [text for selector in (schedule.select if schedule else ()) for text in ("-s", selector)]
    return ["run", "--env", manifest.environment, *select]


_manifests: dict[str, Manifest] = {}


def _manifest() -> Manifest:
    """The manifest of the current package. The pointer is read at each call, because a deploy or rollback moves it."""
    client, address = boto3.client("s3"), os.environ["HEADGATE_CURRENT"]
    current = CurrentPackage.from_json(_read(client, address), address)
    if current.manifest not in _manifests:
        _manifests[current.manifest] = Manifest.from_json(_read(client, current.manifest), current.manifest)
    return _manifests[current.manifest]


def _read(client: Any, address: str) -> bytes:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()
