"""Logging: one logger per module, with the run, table and upload that a record belongs to.

Text lines on a terminal, JSON lines with HEADGATE_LOG=json. A record never holds the content of a record or a key.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: The root of all loggers of Headgate.
ROOT = logging.getLogger("headgate")
_CONTEXT: ContextVar[Mapping[str, str] | None] = ContextVar("headgate_log_context", default=None)
_TEXT = "%(asctime)s %(levelname)-7s %(name)s %(context)s%(message)s"


@contextmanager
def log_context(**fields: str) -> Iterator[None]:
    """Adds fields such as `run`, `table` or `upload` to every log record of this thread within the block."""
    token = _CONTEXT.set({**(_CONTEXT.get() or {}), **fields})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def set_up_logging(level: int = logging.WARNING, environ: Mapping[str, str] = os.environ) -> None:
    """Sends the records of Headgate from `level` on to standard error, as text or with HEADGATE_LOG=json as JSON.

    A second call replaces the first.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if environ.get("HEADGATE_LOG") == "json" else TextFormatter())
    handler.addFilter(_is_not_from_spark)
    handler.addFilter(add_context)
    handler.setLevel(level)
    for old in [h for h in ROOT.handlers if isinstance(h, logging.StreamHandler) and h.stream is sys.stderr]:
        ROOT.removeHandler(old)
    ROOT.addHandler(handler)
    ROOT.setLevel(min(level, logging.INFO))


@contextmanager
def log_file(path: Path) -> Iterator[Path]:
    """Writes the records of Headgate from INFO on, with tracebacks, to a file within the block as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(TextFormatter())
    handler.addFilter(add_context)
    handler.setLevel(min(ROOT.level or logging.INFO, logging.INFO))
    before = ROOT.level
    ROOT.setLevel(min(before or logging.INFO, logging.INFO))
    ROOT.addHandler(handler)
    try:
        yield path
    finally:
        ROOT.removeHandler(handler)
        ROOT.setLevel(before)
        handler.close()


def _is_not_from_spark(record: logging.LogRecord) -> bool:
    """Spark's own output reaches standard error directly, and a log file by the logger `headgate.spark`."""
    return record.name != "headgate.spark"


def add_context(record: logging.LogRecord) -> bool:
    """A filter that adds the context to a record: `fields`, and `context` as text. It keeps every record."""
    fields = _CONTEXT.get() or {}
    record.fields = fields
    record.context = "".join(f"{name}={value} " for name, value in fields.items())
    return True


class TextFormatter(logging.Formatter):
    """Formats a record as one line with its time in UTC; a traceback follows it."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Returns the time of the record in ISO 8601, UTC, with milliseconds."""
        return _moment(record)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the JSON object: time, level, logger, the record's `fields`, and message and traceback if any."""
        line: dict[str, Any] = {"time": _moment(record), "level": record.levelname, "logger": record.name}
        line |= getattr(record, "fields", {})
        if message := record.getMessage():
            line["message"] = message
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
