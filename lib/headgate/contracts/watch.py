"""How `headgate run --watch` waits, retries and restarts. The environment's key `watch`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Watch:
    """The settings of an application that stays up.

    poll_seconds: between two looks at landing. plan_seconds: after so long every table is planned, whether or not
    something arrived: another process may have changed a table. retry_seconds: the longest time before a table that
    failed is tried again; the first retry comes after 5 seconds, and each next after twice the time.
    restart_memory_gb: the application restarts after a run that leaves it with more memory; 0 for 3 GB above the
    driver's heap.
    """

    poll_seconds: float = 2
    plan_seconds: float = 60
    retry_seconds: float = 300
    restart_memory_gb: float = 0


def _number(minimum: float, maximum: float, unit: str) -> dict[str, Any]:
    wanted = f"a number of {unit} from {minimum:g} to {maximum:g}"
    return {"type": "number", "minimum": minimum, "maximum": maximum, "x-wanted": wanted}


#: The JSON schema of `watch` in an environment's file.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "poll_seconds": _number(0.1, 3600, "seconds"),
        "plan_seconds": _number(1, 86400, "seconds"),
        "retry_seconds": _number(5, 86400, "seconds"),
        "restart_memory_gb": _number(0, 4096, "gigabytes"),
    },
}


def watch_from(value: Mapping[str, Any]) -> Watch:
    """The settings of a document that fulfils `SCHEMA`."""
    return Watch(**value)
