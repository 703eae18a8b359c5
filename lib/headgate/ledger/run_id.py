"""Ids of runs: the time at which a run began, and a random part."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_run_id() -> str:
    """Returns a run id. Not the process id: two containers often share it, and races are detected by this id alone."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def began(run: str) -> datetime:
    """Returns when the run with an id of `new_run_id` began, to the second."""
    return datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
