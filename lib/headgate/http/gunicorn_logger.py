"""The logger of gunicorn in Headgate's servers."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class WithoutAccessLog(Logger):
    """Writes no access lines: `headgate.http.access` writes them. Gunicorn would format a line before it drops it."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Does nothing."""
