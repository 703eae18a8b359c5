"""What starts runs by itself: schedules, arriving uploads, and whom to notify. The environment's key `automation`.

Imports the standard library only: schedulers read it through the deploy manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: What a schedule can run, in this order.
VERBS = ("run", "reconcile", "check", "maintain")

#: When a schedule can send a notification.
OUTCOMES = ("success", "failure", "recovery")

#: The name of the schedule that starts when uploads arrive.
ON_ARRIVAL = "on_arrival"


@dataclass(frozen=True)
class Schedule:
    """When to run which tables. `cron` (UTC) is empty for a schedule that starts when uploads arrive.

    `select` are selectors as `headgate run -s` takes them; none selects every table. `timeout_minutes` ends a run,
    `deadline_minutes` is the age of a run at which a notification says that it is late; 0 for none.
    """

    name: str
    cron: str = ""
    select: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("run",)
    notify: tuple[str, ...] = ("failure", "recovery")
    timeout_minutes: int = 120
    deadline_minutes: int = 0
    retries: int = 3


@dataclass(frozen=True)
class Automation:
    """The schedules of an environment, and the queues and topic that they use."""

    schedules: tuple[Schedule, ...] = ()
    topic_arn: str = ""
    queue_url: str = ""
    dead_letter_queue_url: str = ""
    pool: str = "headgate"
    quarantine_share: float = 0.05


_TEXT = {"type": "string"}
_MINUTES = {"type": "integer", "minimum": 0, "maximum": 10080, "x-wanted": "a whole number of minutes, at most a week"}


def _words(words: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": list(words)}, "x-wanted": f"a list of {', '.join(words)}"}


_SCHEDULE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "cron": {"type": "string", "pattern": r"^\S+( \S+){4}$", "x-wanted": "five cron fields, such as '0 2 * * *'"},
        "select": {"type": "array", "items": _TEXT, "x-wanted": "a list of selectors"},
        "verbs": _words(VERBS),
        "notify": _words(OUTCOMES),
        "timeout_minutes": _MINUTES,
        "deadline_minutes": _MINUTES,
        "retries": {"type": "integer", "minimum": 0, "maximum": 20, "x-wanted": "a whole number from 0 to 20"},
    },
}

#: The JSON schema of `automation` in an environment's file.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "schedules": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
            "additionalProperties": _SCHEDULE,
            "x-wanted": "schedules by name",
        },
        "topic_arn": _TEXT,
        "queue_url": _TEXT,
        "dead_letter_queue_url": _TEXT,
        "pool": {"type": "string", "minLength": 1, "x-wanted": "the name of an Airflow pool"},
        "quarantine_share": {"type": "number", "minimum": 0, "maximum": 1, "x-wanted": "a share from 0 to 1"},
    },
}


def automation_from(value: Mapping[str, Any]) -> Automation:
    """The automation of an environment's document, which SCHEMA has checked."""
    rest = {key: item for key, item in value.items() if key != "schedules"}
    return Automation(tuple(_schedule(*item) for item in value.get("schedules", {}).items()), **rest)


def _schedule(name: str, settings: Mapping[str, Any]) -> Schedule:
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()}
    return Schedule(name, **values)
