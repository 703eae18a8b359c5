"""What a server prints once it accepts connections: its address, and a command to try it."""

from __future__ import annotations

import os

#: The text; no key of an environment: `headgate serve` sets it for gunicorn, whose configuration calls `announce`.
VARIABLE = "_HEADGATE_ANNOUNCEMENT"


def announce() -> None:
    """Prints the text, if there is one: from now on a client that follows it is not refused."""
    if text := os.environ.get(VARIABLE):
        print(text, flush=True)
