"""Sends notifications from Airflow: after a run, when a run exceeds its time limit, and when it is late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.hooks.sns import SnsHook
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

from headgate.contracts.automation import Schedule
from headgate.planning.manifest import Manifest
from orchestration.notifications import LastOutcome, Notification, notifications, outcome_of

_FAILED_STATES = ("failed", "upstream_failed")


def send_outcome(
    manifest: Manifest,
    schedule: Schedule,
    run: str,
    states: Mapping[str, str],
    failures: Mapping[str, str | None],
    outcomes: Sequence[Mapping[str, Any] | None],
) -> list[str]:
    """Sends the notifications of the schedule, and keeps the outcome for the next run. Returns the kinds that were
    sent.

    `states` and `failures` are the states and failure messages of the run's tasks by task id. A failed task
    without a message, for example after its worker died, is reported with its state.
    """
    from airflow.sdk import Variable

    key = f"headgate_last_outcome_{manifest.environment}_{schedule.name}"
    failed = {task: str(state) for task, state in states.items() if str(state) == "failed"}
    messages = {
        task: failures.get(task) or f"task {state}; its log in Airflow has the cause" for task, state in failed.items()
    }
    last = LastOutcome.from_json(Variable.get(key, default=None))
    sent = notifications(manifest, schedule, run, messages, [o for o in outcomes if o], last)
    for message in sent:
        publish(manifest, message)
    if outcome_of(messages) != last:
        Variable.set(key, outcome_of(messages).to_json())
    return [message.kind for message in sent]


def publish(manifest: Manifest, message: Notification) -> None:
    """Publishes a message to the environment's topic, with `kind` as a message attribute for filters."""
    SnsHook(region_name=manifest.job.region).publish_to_target(
        target_arn=manifest.topic_arn,
        subject=message.subject,
        message=message.body,
        message_attributes={"kind": message.kind},
    )


def notify_timeout(manifest: Manifest, schedule: Schedule) -> Callable[[Mapping[str, Any]], None]:
    """A DAG callback that reports a run that exceeded its time limit: no task can, because Airflow ends them all."""

    def callback(context: Mapping[str, Any]) -> None:
        if context.get("reason") != "timed_out":
            return
        title = f"{manifest.environment} {schedule.name}"
        body = (
            f"run {context['run_id']} took more than {schedule.timeout_minutes} minutes and was ended.\n"
            f"next: headgate status --env {manifest.environment}"
        )
        publish(manifest, Notification("failure", f"failed: {title}: time limit", body))

    return callback


def deadline_of(manifest: Manifest, schedule: Schedule) -> Any:
    """The deadline alert of a schedule; None if it has none, or Airflow is older than 3.1."""
    if not (schedule.deadline_minutes and manifest.topic_arn):
        return None
    try:
        from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
    except ImportError:
        return None
    message = {
        "target_arn": manifest.topic_arn,
        "region_name": manifest.job.region,
        "subject": f"late: {manifest.environment} {schedule.name}",
        "message": f"not finished {schedule.deadline_minutes} minutes after it was due.\n"
        f"next: headgate status --env {manifest.environment}",
    }
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=schedule.deadline_minutes),
        callback=AsyncCallback(SnsNotifier, message),
    )
