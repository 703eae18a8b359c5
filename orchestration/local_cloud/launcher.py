"""Runs `spark-submit` processes, a bounded number at a time, and knows the state of each job."""

from __future__ import annotations

import ctypes
import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestration.local_cloud.packages import Packages
from orchestration.local_cloud.submission import FILE_OPTIONS, Submission

TERMINAL = ("SUCCESS", "FAILED", "CANCELLED")
#: The response of EMR Serverless if an application cannot start more workers.
NO_CAPACITY = (
    "Job failed: worker could not be allocated as the application has exceeded maximumCapacity settings: "
    "[cpu: 4 vCPU, memory: 16 GB, disk: 20 GB]"
)

_NAMED_ERROR = re.compile(r"(\S*\s)?[\w.$]*(Error|Exception|Exit|Interrupt)(: |\[|$)|error\[|Caused by")
_KEEP = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "JAVA_HOME", "USER")
#: For a driver that is the executor too, of little data: it starts in half the time.
_LOCAL_CONF = {
    "spark.driver.memory": "1g",
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m",
}
_GRACE_SECONDS = 5.0
_PARENT_DEATH_SIGNAL = 1
_C_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Job:
    """One job. `state` is EMR Serverless's: SUBMITTED, PENDING, RUNNING, SUCCESS, FAILED, CANCELLING or CANCELLED."""

    id: str
    submission: Submission
    logs: tuple[str, ...] = ()  # s3:// prefixes for stdout.gz and stderr.gz
    timeout_seconds: float | None = None
    no_capacity: bool = False
    state: str = "SUBMITTED"
    details: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    pid: int | None = None
    cancelled: bool = False

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def seconds(self) -> float:
        """How long the process has been running, or ran."""
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds() if self.started else 0.0

    def set(self, state: str, details: str = "") -> None:
        """Moves to a state; a terminal state is final, and a cancelled job does not begin to run."""
        if self.is_terminal or (self.cancelled and state in ("PENDING", "RUNNING")):
            return
        self.state, self.details, self.updated = state, details, datetime.now(UTC)
        if state == "RUNNING":
            self.started = self.updated
        if state in TERMINAL:
            self.ended = self.updated
        print(f"{self.updated:%H:%M:%S} {self.id} {state} {details[:300]}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Release:
    """The stand-in for an EMR release: Spark's home and the jars of its S3 connector."""

    spark_home: Path
    jars: Path

    @classmethod
    def here(cls, jars: Path) -> Release:
        """The Spark of this Python environment, or SPARK_HOME. Raises FileNotFoundError where there is none."""
        named = os.environ.get("SPARK_HOME")
        spec = None if named else find_spec("pyspark")
        if not named and (spec is None or spec.origin is None):
            raise FileNotFoundError("no Spark: set SPARK_HOME, or install pyspark")
        return cls(Path(named or Path(spec.origin).parent), jars)  # type: ignore[union-attr,arg-type]


class Launcher:
    """Starts jobs on threads. `slots` is how many run at a time; the others are PENDING."""

    def __init__(
        self,
        s3: Any,
        release: Release,
        folder: Path,
        variables: Mapping[str, str],
        *,
        slots: int = 1,
        wait_for_capacity: float = 3.0,
    ) -> None:
        self._s3, self._release, self._folder, self._variables = s3, release, folder, dict(variables)
        self._packages = Packages(s3, folder / "packages")
        self._slots = threading.BoundedSemaphore(slots)
        self._wait_for_capacity = wait_for_capacity
        self.jobs: dict[str, Job] = {}

    def start(self, job: Job) -> None:
        """Takes a job; its state changes from now on."""
        self.jobs[job.id] = job
        threading.Thread(target=self._run, args=(job,), name=job.id, daemon=True).start()

    def folder_of(self, job_id: str) -> Path:
        """The working folder of a job's driver, with its stdout, stderr and command."""
        return self._folder / "runs" / job_id

    def cancel(self, job: Job) -> None:
        """Asks a job to end; it is CANCELLED when its process has ended."""
        if job.is_terminal:
            return
        job.cancelled = True
        job.set("CANCELLING", "cancelled by the caller")
        if job.pid:
            threading.Thread(target=_end, args=(job.pid,), daemon=True).start()

    def end_all(self) -> None:
        """Ends every process that is still running."""
        for job in list(self.jobs.values()):
            if job.pid and not job.is_terminal:
                _end(job.pid)

    def _run(self, job: Job) -> None:
        folder = self.folder_of(job.id)
        folder.mkdir(parents=True, exist_ok=True)
        job.set("PENDING", "waiting for capacity")
        if job.no_capacity:
            time.sleep(self._wait_for_capacity)
            job.set("CANCELLED" if job.cancelled else "FAILED", NO_CAPACITY)
            return
        with self._slots:
            if job.cancelled:
                job.set("CANCELLED", "Job run was cancelled before it started")
                return
            try:
                self._execute(job, folder)
            except Exception as error:  # a job that cannot start fails; the request that submitted it does not
                job.set("FAILED", f"Job failed to start: {type(error).__name__}: {error}")

    def _execute(self, job: Job, folder: Path) -> None:
        command = self._command(job.submission, folder)
        (folder / "command.txt").write_text(shlex.join(command))
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            process = subprocess.Popen(
                command,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env=self._environ(job.submission),
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
            job.pid = process.pid
            if job.cancelled:
                _end(process.pid)
            else:
                job.set("RUNNING")
            try:
                job.exit_code = process.wait(job.timeout_seconds)
                timed_out = False
            except subprocess.TimeoutExpired:
                _end(process.pid)
                timed_out = True
        _end_group(process.pid)  # the JVM may leave a Python process behind
        self._upload_logs(job, folder)
        _finish(job, folder, timed_out=timed_out)

    def _command(self, submission: Submission, folder: Path) -> list[str]:
        """The local command: the job's files are downloaded, archives are unpacked in the driver's folder."""
        connector = f"{self._release.jars}/*"
        command = [
            str(self._release.spark_home / "bin" / "spark-submit"),
            "--master",
            "local[2]",
            "--driver-class-path",
            connector,
        ]
        for name, value in {**_LOCAL_CONF, **submission.local_conf}.items():
            command += ["--conf", f"{name}={value}"]
        for address in submission.files.get("--archives", ()):
            self._packages.unpack(address, folder)
        for option in FILE_OPTIONS:
            if option != "--archives" and submission.files.get(option):
                command += [option, ",".join(str(self._packages.fetch(a)) for a in submission.files[option])]
        return [*command, str(self._packages.fetch(submission.entry)), *submission.arguments]

    def _environ(self, submission: Submission) -> dict[str, str]:
        """The driver's variables: those of a bare machine, the cloud's, the job's. None of the developer's own."""
        inherited = {name: os.environ[name] for name in _KEEP if name in os.environ}
        python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
        spark = {"SPARK_HOME": str(self._release.spark_home), "SPARK_LOCAL_IP": "127.0.0.1"}
        return {**inherited, **spark, **python, **self._variables, **submission.variables}

    def _upload_logs(self, job: Job, folder: Path) -> None:
        for prefix in job.logs:
            bucket, _, key = prefix.partition("://")[2].partition("/")
            for name in ("stdout", "stderr"):
                try:
                    body = gzip.compress((folder / name).read_bytes())
                    self._s3.put_object(Bucket=bucket, Key=f"{key.rstrip('/')}/{name}.gz", Body=body)
                except Exception as error:  # as on AWS, a log that cannot be kept does not change the job's state
                    print(f"{job.id}: the log {prefix}/{name}.gz was not written: {error}", file=sys.stderr)


def _finish(job: Job, folder: Path, *, timed_out: bool) -> None:
    if job.cancelled:
        job.set("CANCELLED", "Job run was cancelled by the caller")
    elif timed_out:
        job.set("FAILED", f"Job run timed out after {(job.timeout_seconds or 0) / 60:.0f} minutes")
    elif job.exit_code == 0:
        job.set("SUCCESS")
    else:
        job.set(
            "FAILED",
            "Job failed, please check complete logs in configured logging destination. "
            f"ExitCode: {job.exit_code}. Last few exceptions: {' | '.join(_last_errors(folder))[:900]}",
        )


def _last_errors(folder: Path) -> list[str]:
    """The last lines of the driver's output that name an error. The Python traceback is on stdout."""
    text = "".join((folder / name).read_text(errors="replace") for name in ("stderr", "stdout"))
    return [line.strip() for line in text.splitlines() if _NAMED_ERROR.match(line.strip())][-3:]


def _end(pid: int) -> None:
    """Ends a process group, by force where it does not end by itself."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and _is_alive(pid):
        time.sleep(0.1)
    _end_group(pid)


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end_with_parent() -> None:
    """In the child: end with the local cloud, even where that is killed (Linux)."""
    if _C_LIBRARY is not None:
        _C_LIBRARY.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
