"""The process inside an EMR job: runs a headgate command, and writes its result to the lake for the waiting client.

    jobs/<job>.json             exit code, error, the run whose report is in runs/, and how long it took
    jobs/<job>.progress.json    the progress, while the job runs

`<job>` is the value of `--run-id`, by which the submitter knows the job.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import obstore
from obstore.store import ObjectStore

from headgate.contracts.environment import load_environment
from headgate.errors import HeadgateError, InternalError, UsageError
from headgate.logs import ROOT, add_context, set_up_logging
from headgate.project import Project

_IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_INTERNAL = 1
_LINES = 200


@dataclass(frozen=True)
class Command:
    """A job's command line: the job's identity, the environment, and the arguments of the headgate command."""

    job: str
    environment: str
    arguments: tuple[str, ...]


def main(arguments: Sequence[str], folder: Path) -> None:
    """Runs the command of an EMR job for the project in `folder`, and exits with its exit code."""
    command = parse(arguments)
    os.environ["HEADGATE_ENGINE"] = "submitted"
    started = datetime.now(UTC)
    store = load_environment(Project(folder), command.environment).object_store()
    progress = Progress(store, command.job)
    set_up_logging(logging.INFO)
    ROOT.addHandler(progress)
    code, error = _run([*command.arguments, "--project", str(folder)])
    end = {
        "job": command.job,
        "run": progress.run,
        "command": list(command.arguments),
        "exit_code": code,
        "error": error,
        "started": started.isoformat(),
        "ended": datetime.now(UTC).isoformat(),
    }
    try:
        obstore.put(store, f"jobs/{command.job}.json", json.dumps(end).encode())
    except Exception:
        traceback.print_exc()  # the lake cannot be reached: the driver's log is the only place left
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread of Arrow that still has a file open would abort the process


def parse(arguments: Sequence[str]) -> Command:
    """The command of `--run-id ID VERB ...`. Raises UsageError."""
    rest = list(arguments)
    if len(rest) < 3 or rest[0] != "--run-id" or not _IDENTITY.fullmatch(rest[1]):
        raise UsageError("a job needs --run-id ID and a headgate command", fix="submit it by headgate or Airflow")
    command = rest[2:]
    if "--env" not in command[:-1]:
        raise UsageError("a job needs --env NAME", fix="submit it by headgate or Airflow")
    return Command(rest[1], command[command.index("--env") + 1], tuple(command))


def _run(arguments: Sequence[str]) -> tuple[int, dict[str, str] | None]:
    """Runs a headgate command; returns its exit code and the error that ended it, if any."""
    from headgate.cli.main import headgate

    try:
        headgate.main(args=list(arguments), prog_name="headgate", standalone_mode=False)
    except SystemExit as ended:
        return (ended.code if isinstance(ended.code, int) else int(ended.code is not None)), None
    except HeadgateError as error:
        print(f"error[{error.code}]: {error}", file=sys.stderr)
        return error.exit_code, error.as_dict()
    except click.ClickException as error:
        error.show()
        return error.exit_code, UsageError(error.format_message()).as_dict()
    except Exception as error:
        traceback.print_exc()
        return _INTERNAL, InternalError(f"{type(error).__name__}: {error}", where="driver").as_dict()
    return 0, None


class Progress(logging.Handler):
    """Writes the log of a run to the lake, for clients that follow the job. `run` is the run that logged last."""

    def __init__(self, store: ObjectStore, job: str) -> None:
        super().__init__(logging.INFO)
        self.addFilter(add_context)
        self._store, self._path = store, progress_path(job)
        self._lines: list[str] = []
        self.run = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Adds a line. A line that cannot be written is lost, and the run goes on."""
        fields = getattr(record, "fields", {})
        self.run, table = fields.get("run", self.run), fields.get("table", "")
        text = f"{table}: {record.getMessage()}" if table else record.getMessage()
        self._lines.append(f"{datetime.now(UTC):%H:%M:%S} {text}")
        with suppress(Exception):
            obstore.put(self._store, self._path, json.dumps({"lines": self._lines[-_LINES:]}).encode())


def progress_path(job: str) -> str:
    """Where a job keeps its progress, below the lake."""
    return f"jobs/{job}.progress.json"
