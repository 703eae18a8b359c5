"""The applications of `headgate run --watch` as they describe themselves in the lake, `watch/<host>-<process>.json`.

No decision depends on them. An application removes its description when it ends; one that was killed leaves it, and
it counts as gone once it was not renewed for a while.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from headgate.processes import is_running

#: How often an application renews its description, at least.
RENEWED_EVERY = timedelta(seconds=30)
#: After so long without a renewal an application is gone.
GONE_AFTER = timedelta(seconds=120)

_ROOT = "watch"


@dataclass(frozen=True)
class WatchState:
    """What an application does now. Times are in ISO 8601, UTC.

    state: `starting`, `idle`, `running`, `waiting for the lake` or `retrying` (a look at the lake failed: `problem`).
    failing: table -> its error, how often it failed in a row, and when it is tried again.
    """

    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)
    started: str = ""
    state: str = "starting"
    at: str = ""
    runs: int = 0
    last_run: str = ""
    problem: str = ""
    memory_mb: int = 0
    failing: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the description is below the lake."""
        host = re.sub(r"[^A-Za-z0-9.-]", "-", self.host)
        return f"{_ROOT}/{host}-{self.process}.json"


def write(store: ObjectStore, state: WatchState) -> None:
    """Puts the description into the lake. A failure changes nothing: the next one may get there."""
    with suppress(OSError, BaseError):
        obstore.put(store, state.path, json.dumps(asdict(state)).encode())


def remove(store: ObjectStore, state: WatchState) -> None:
    """Removes the description; one that cannot be removed counts as gone later."""
    with suppress(OSError, BaseError):
        obstore.delete(store, state.path)


def read_all(store: ObjectStore, now: datetime) -> list[dict[str, Any]]:
    """The descriptions, each with `gone`: whether it was not renewed, or its process on this host has ended."""
    try:
        paths = sorted(item["path"] for page in obstore.list(store, f"{_ROOT}/") for item in page)
    except (NotFoundError, FileNotFoundError):
        return []
    states = (_read(store, path) for path in paths)
    return [{**asdict(state), "gone": _is_gone(state, now)} for state in states if state]


def _read(store: ObjectStore, path: str) -> WatchState | None:
    try:
        return WatchState(**json.loads(bytes(obstore.get(store, path).bytes())))
    except (NotFoundError, FileNotFoundError, ValueError, TypeError):
        return None


def _is_gone(state: WatchState, now: datetime) -> bool:
    if now - datetime.fromisoformat(state.at) > GONE_AFTER:
        return True
    return state.host == socket.gethostname() and not is_running(state.process)


def moment(time: datetime | None = None) -> str:
    """A time as a description has it, by default now."""
    return (time or datetime.now(UTC)).isoformat(timespec="seconds")
