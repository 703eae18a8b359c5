"""Processes of a platform: each in a process group of its own, with a log file, ended in reverse order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_GRACE_SECONDS = 20.0


class StartError(Exception):
    """A process of the platform did not start; the message has the end of its log."""


class Processes:
    """Starts processes and ends them. A context manager that leaves none behind."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, name: str, command: Sequence[str], variables: Mapping[str, str]) -> int:
        """Starts `command` as `name` with the environment `variables`, and returns its process id."""
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=dict(variables),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._running[name].pid

    def stop(self, name: str, number: int = signal.SIGINT) -> None:
        """Ends the process and all that it started. SIGKILL ends them at once, as a crash does."""
        process = self._running.pop(name)
        _signal(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        _signal(process.pid, signal.SIGKILL)  # also the remaining processes of its group
        process.wait()

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self._logs / f"{name}.log"

    def wait_until(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Waits until `ready` returns true. Raises StartError when the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self._running[name].poll()
            if ended is not None or time.monotonic() > deadline:
                reason = f"ended with {ended}" if ended is not None else f"is not ready after {seconds:.0f} s"
                tail = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-15:])
                raise StartError(f"{name} {reason}; the end of {self.log(name)}:\n{tail}")
            time.sleep(0.5)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
