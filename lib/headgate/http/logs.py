"""Structured logs of the servers: one JSON object per line, with the id of the request."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from headgate import logs

#: The id of the request that this thread serves; empty outside of a request.
REQUEST_ID: ContextVar[str] = ContextVar("headgate_request_id", default="")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(header: str | None) -> str:
    """Returns the id that a client or proxy sent in X-Request-Id if it is safe to log, else a new one."""
    return header if header and _ACCEPTED_ID.fullmatch(header) else uuid.uuid4().hex


class JsonFormatter(logs.JsonFormatter):
    """Formats a record as one JSON object, with the id of the request and the members of `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the JSON object."""
        if request := REQUEST_ID.get():
            record.fields = {"request": request, **getattr(record, "fields", {})}
        return super().format(record)


def logging_config(loggers: Mapping[str, str]) -> dict[str, Any]:
    """Returns a configuration for `logging.config.dictConfig`, as gunicorn's `logconfig_dict`.

    `loggers` gives the level of each logger. Access lines (loggers that end in `.access`) go to standard output,
    everything else to standard error.
    """
    levels = {"gunicorn.error": "INFO", "headgate": "INFO", **loggers}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "headgate.http.logs.JsonFormatter"}},
        "handlers": {
            "error": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"},
            "access": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"},
        },
        "root": {"level": "WARNING", "handlers": ["error"]},
        "loggers": {
            "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": False},
            **{
                name: {
                    "level": level,
                    "handlers": ["access" if name.endswith(".access") else "error"],
                    "propagate": False,
                }
                for name, level in levels.items()
            },
        },
    }
