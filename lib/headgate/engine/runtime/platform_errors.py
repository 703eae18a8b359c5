"""Recognizes failures of the platform in any exception: a full disk, an S3 service, a lost cluster, memory."""

from __future__ import annotations

import re

from py4j.protocol import Py4JJavaError

from headgate.contracts.environment import Environment
from headgate.errors import ClusterError, HeadgateError, StorageError
from headgate.lake import s3

_ROOM = "make room there, and where Spark keeps temporary files (spark.local.dir)"
_WRITABLE = "mount the lake for writing, and give this user write permission"
_PERMISSION = "Permission denied"
#: Messages of the operating system, which Java, Python and Rust all repeat, and the advice for each.
_DISK_ERRORS = {
    "No space left on device": _ROOM,
    "Disk quota exceeded": _ROOM,
    "Read-only file system": _WRITABLE,
    _PERMISSION: _WRITABLE,
}
_ENDED = ("SparkContext was shut down", "stopped SparkContext", "SparkContext has been shutdown")
#: Failures of a process or of the network, which usually pass; and the advice for each.
_PASSING = {
    "java.lang.OutOfMemoryError": "give the driver more memory (spark.driver.memory), or run fewer tables in parallel",
    "ExecutorLostFailure": "look at the executor's log; give executors more memory if it was killed for its memory",
    "java.net.ConnectException": "check the network between the driver, the executors and the lake",
    "java.net.SocketTimeoutException": "check the network between the driver, the executors and the lake",
    "Answer from Java side is empty": "look at the driver's log: the JVM ended; give it more memory if it was killed",
}
# S3's own code InternalError, but not an exception class of that name in a traceback: `headgate.errors.InternalError`.
_S3A_FAILURE = re.compile(r"(?:SlowDown|ServiceUnavailable|(?<![\w.])InternalError\b|Status Code: 5\d\d)")
_PATH = re.compile(r"(?:file:)?(/[^\s:'\"(),]+)")
_RERUN = "and run again: uncommitted work is repeated"


def platform_error(error: BaseException, environment: Environment) -> HeadgateError | None:
    """Returns the exception as an error of the disk, S3 service, cluster or JVM; None if it is none of them."""
    if isinstance(error, HeadgateError):
        return None
    text = _whole_text(error)
    result = (
        _disk_error(text, environment.lake)
        or (s3.failure(error) if isinstance(error, Exception) else None)
        or (_lost_cluster(text, environment) if environment.is_cluster else None)
        or _passing_error(text, environment)
    )
    if result is not None:
        result.__cause__ = error
    return result


def worker_died(error: BaseException) -> bool:
    """Whether a Python worker of Spark ended without an answer: it crashed, or was killed, perhaps for its memory."""
    text = _whole_text(error)
    return "Python worker exited unexpectedly" in text or "java.io.EOFException" in text


def _disk_error(text: str, lake: str) -> StorageError | None:
    for line in text.splitlines():
        for message, fix in _DISK_ERRORS.items():
            if message in line and (
                message != _PERMISSION or lake in line
            ):  # of other files it is the author's mistake
                return StorageError(f"cannot be written: {message}", where=_place(line, lake), fix=f"{fix}, {_RERUN}")
    return None


def _lost_cluster(text: str, environment: Environment) -> ClusterError | None:
    """The error when Spark ended the application because its master is gone."""
    if not any(message in text for message in _ENDED):
        return None
    return ClusterError(
        "the cluster was lost during the run",
        where=environment.spark.get("spark.master", environment.cluster.master),
        fix=f"start it again, {_RERUN}",
    )


def _passing_error(text: str, environment: Environment) -> HeadgateError | None:
    if not environment.is_folder and (match := _S3A_FAILURE.search(text)):
        fix = f"see that the service answers, {_RERUN}"
        return StorageError(f"the S3 service failed: {match[0]}", where=environment.lake, fix=fix, retryable=True)
    for message, fix in _PASSING.items():
        if message in text:
            return ClusterError(f"Spark failed: {message}", where="driver", fix=f"{fix}, {_RERUN}")
    return None


def _whole_text(error: BaseException) -> str:
    """The messages of an exception and of its causes, Java's included."""
    parts = []
    current: BaseException | None = error
    while current is not None:
        parts.append(str(current))
        if isinstance(current, Py4JJavaError):
            parts.extend(_java_causes(current))
        current = current.__cause__ or current.__context__
    return "\n".join(parts)


def _java_causes(error: Py4JJavaError) -> list[str]:
    cause, parts = error.java_exception, []
    while cause is not None:
        parts.append(str(cause.toString()))
        cause = cause.getCause()
    return parts


def _place(line: str, lake: str) -> str:
    """The path that the line names, else the lake."""
    match = _PATH.search(line)
    return match.group(1) if match else lake
