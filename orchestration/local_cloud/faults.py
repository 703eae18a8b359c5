"""The fault switch: the next calls of an operation fail in a chosen way, so that callers can be tested."""

from __future__ import annotations

import threading
from dataclasses import dataclass

#: Kind of fault -> its effect for the caller.
KINDS = {
    "throttle": "the call is refused with a throttling error and has no effect",
    "lost_response": "the call takes effect, and the connection is closed instead of answered",
    "error": "the call is refused with an internal error and has no effect",
    "no_capacity": "the job is accepted, waits, and fails because no worker could be started",
}


@dataclass(frozen=True)
class Fault:
    """The next `times` calls of `operation` (StartJobRun, AddJobFlowSteps, s3:PUT, ...) meet a fault of `kind`."""

    kind: str
    operation: str
    times: int = 1


class Faults:
    """The faults that are switched on. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Switches a fault on. Raises ValueError for an unknown kind."""
        if fault.kind not in KINDS:
            raise ValueError(f"no fault '{fault.kind}': there are {', '.join(KINDS)}")
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Switches all faults off."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[Fault]:
        """The faults that calls will still meet."""
        with self._lock:
            return list(self._waiting)

    def take(self, operation: str, *kinds: str) -> str | None:
        """The kind of the first fault of `kinds` for the operation, counted as met; None where there is none."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.operation == operation and fault.kind in kinds:
                    left = [Fault(fault.kind, fault.operation, fault.times - 1)] if fault.times > 1 else []
                    self._waiting[index : index + 1] = left
                    return fault.kind
        return None
