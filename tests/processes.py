"""Helpers for tests that start processes: environment, ports, child processes and their end."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environ(**variables: str) -> dict[str, str]:
    """This process's environment without Headgate's variables, and the packages of this checkout."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join([str(ROOT / "lib"), str(ROOT)]), **variables}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def send_evenly(send: Callable[[int], None], number: int, seconds: float) -> float:
    """Calls `send` with 0, 10, 20 and so on below `number`, from 8 threads, evenly over so many seconds.

    Returns the seconds that it took.
    """
    began = time.monotonic()

    def send_in_time(start: int) -> None:
        time.sleep(max(0.0, began + seconds * start / number - time.monotonic()))
        send(start)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send_in_time, range(0, number, 10)))
    return time.monotonic() - began


def children(pid: int) -> list[int]:
    """The processes that a process has started, in whichever of its threads; none where it has ended."""
    try:
        details = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for text in details for child in text.split()]


def command_of(pid: int) -> str:
    """A process's command line; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def stop(process: subprocess.Popen, seconds: float) -> None:
    """Ends a process by SIGTERM, and by force where it is still there after so many seconds."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
