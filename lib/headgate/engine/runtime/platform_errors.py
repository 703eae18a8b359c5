"""What failed outside of an author's function, found in whatever raised it: a full disk, a cluster that is gone."""

from __future__ import annotations

import re

from py4j.protocol import Py4JJavaError

from headgate.contracts.environment import Environment
from headgate.errors import ClusterError, HeadgateError, StorageError

_ROOM = "make room there, and where Spark keeps what it works with (spark.local.dir)"
_WRITABLE = "see that the lake is mounted for writing, and that this user may write to it"
_PERMISSION = "Permission denied"
#: The system's words, which Java, Python and Rust all repeat, and what to do.
_REFUSALS = {
    "No space left on device": _ROOM,
    "Disk quota exceeded": _ROOM,
    "Read-only file system": _WRITABLE,
    _PERMISSION: _WRITABLE,
}
_ENDED = ("SparkContext was shut down", "stopped SparkContext", "SparkContext has been shutdown")
_PATH = re.compile(r"(?:file:)?(/[^\s:'\"(),]+)")


def outside(error: BaseException, environment: Environment) -> HeadgateError | None:
    """The error as one of the lake's disk or of the cluster; None where it is neither."""
    if isinstance(error, HeadgateError):
        return None
    text = _told(error)
    found = refused_by_disk(text, environment.lake) or (gone(text, environment) if environment.is_cluster else None)
    if found is not None:
        found.__cause__ = error
    return found


def refused_by_disk(text: str, lake: str) -> StorageError | None:
    """What a disk said that did not take what was written."""
    for line in text.splitlines():
        for words, fix in _REFUSALS.items():
            if words in line and (words != _PERMISSION or lake in line):  # of other files it is the author's affair
                return StorageError(
                    f"cannot be written: {words}",
                    where=_place(line, lake),
                    fix=f"{fix}, and run again: what was not committed is done again",
                )
    return None


def gone(text: str, environment: Environment) -> ClusterError | None:
    """What is left to say when the application was ended because its master is gone."""
    if not any(words in text for words in _ENDED):
        return None
    return ClusterError(
        "the cluster went away in the middle of the run",
        where=environment.spark.get("spark.master", environment.cluster.master),
        fix="start it again, and run again: what was not committed is done again",
    )


def _told(error: BaseException) -> str:
    """All that an exception says, and those that led to it: of Java too."""
    parts = []
    found: BaseException | None = error
    while found is not None:
        parts.append(str(found))
        if isinstance(found, Py4JJavaError):
            parts.extend(_causes(found))
        found = found.__cause__ or found.__context__
    return "\n".join(parts)


def _causes(error: Py4JJavaError) -> list[str]:
    cause, parts = error.java_exception, []
    while cause is not None:
        parts.append(str(cause.toString()))
        cause = cause.getCause()
    return parts


def _place(line: str, lake: str) -> str:
    """The path that the line names, else the lake."""
    found = _PATH.search(line)
    return found.group(1) if found else lake
