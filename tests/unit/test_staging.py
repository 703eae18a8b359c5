"""Which staging folders belong to applications that have ended."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from headgate.engine.runtime.staging import LONGEST, is_dead, new_name

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def ended_process() -> int:
    """The id of a process that has ended, and been waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_running_process_keeps_its_staged_files():
    assert not is_dead(new_name(NOW), NOW + timedelta(hours=1))


def test_staged_files_of_a_dead_process_of_this_machine_are_removed():
    assert is_dead(new_name(NOW).replace(f"-{os.getpid()}@", f"-{ended_process()}@"), NOW)


def test_another_machines_process_is_taken_to_live_for_so_long_and_no_longer():
    name = f"20260302T120000-0a1b2c3d-{ended_process()}@elsewhere"
    assert [is_dead(name, NOW + LONGEST + timedelta(seconds=s)) for s in (0, 1)] == [False, True]


def test_other_folders_stay():
    assert not is_dead("notes", NOW + 10 * LONGEST)
