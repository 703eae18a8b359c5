"""Named points at which a run can be killed, so that "rerun is resume" is tested where it matters.

HEADGATE_KILL_AT holds a point's name; the process that reaches it dies as by `kill -9`.
"""

import os
import signal


def point(name: str) -> None:
    """Dies here where HEADGATE_KILL_AT says so; else nothing."""
    if os.environ.get("HEADGATE_KILL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
