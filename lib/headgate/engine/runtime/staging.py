"""Where a cluster keeps staged frames: in the lake, so that they outlive the worker that computed them.

Each application has a folder below `.headgate/staging`, removed when it ends. One that was killed leaves its own
behind; the next application removes it.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession

from headgate.contracts.environment import Environment
from headgate.engine.runtime.jvm_access import hadoop_path
from headgate.processes import is_running

log = logging.getLogger(__name__)

ROOT = ".headgate/staging"
#: After this time an application of another machine counts as ended.
LONGEST = timedelta(days=2)

_NAME = re.compile(r"(?P<began>\d{8}T\d{6})-[0-9a-f]+-(?P<process>\d+)@(?P<host>.+)")
_BEGAN = "%Y%m%dT%H%M%S"


def keep_staged(session: SparkSession, environment: Environment) -> None:
    """Stages the session's frames in the lake from now on; removes staged files of dead applications."""
    root = f"{environment.lake}/{ROOT}"
    now = datetime.now(UTC)
    for name in _names(session, root):
        if is_dead(name, now):
            log.info("removing the staged files of an application that ended: %s", name)
            remove(session, f"{root}/{name}")
    session.sparkContext.setCheckpointDir(f"{root}/{new_name(now)}")


def is_kept(session: SparkSession) -> bool:
    """Whether the session's staged frames are kept in the lake."""
    return session.sparkContext.getCheckpointDir() is not None


def forget_staged(session: SparkSession) -> None:
    """Removes the session's staged files from the lake."""
    if folder := session.sparkContext.getCheckpointDir():
        remove(session, folder.rpartition("/")[0])  # Spark creates its own subfolder


def remove(session: SparkSession, uri: str) -> None:
    """Removes a folder, where it is there."""
    files, path = hadoop_path(session, uri)
    files.delete(path, True)


def new_name(now: datetime) -> str:
    """The folder name of this process's application: its start, host and process id."""
    return f"{now.strftime(_BEGAN)}-{secrets.token_hex(4)}-{os.getpid()}@{socket.gethostname()}"


def is_dead(name: str, now: datetime) -> bool:
    """Whether the application with this folder name (`new_name`) has ended, as far as this machine can know."""
    match = _NAME.fullmatch(name)
    if match is None:
        return False  # nobody's that we know
    if now - datetime.strptime(match["began"], _BEGAN).replace(tzinfo=UTC) > LONGEST:
        return True
    return match["host"] == socket.gethostname() and not is_running(int(match["process"]))


def _names(session: SparkSession, root: str) -> list[str]:
    files, path = hadoop_path(session, root)
    return [entry.getPath().getName() for entry in files.listStatus(path)] if files.exists(path) else []
