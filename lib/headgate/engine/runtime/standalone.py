"""A Spark standalone cluster on this machine: a master and workers as children of one process, on loopback only.

Spark runs whatever reaches its master, as the user who started it: so it listens on this machine alone.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headgate.contracts.environment import LOOPBACK, Cluster
from headgate.errors import ClusterError, SetupError
from headgate.java import find_java

_READY_SECONDS = 90.0
_PAUSE = 0.25
#: A worker that ends sooner was not at work; so often in a row, and something is wrong with it.
_EARLY_SECONDS, _EARLY_ENDS = 10.0, 5
_STOP_SECONDS = 10.0
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>


@dataclass
class _Child:
    """A process of the cluster. `early` counts how often in a row it ended at once."""

    name: str
    process: subprocess.Popen[bytes]
    started: float
    early: int = 0


class Standalone:
    """The cluster's processes. `folder` is their own: it is emptied, and has logs and the workers' files."""

    def __init__(self, settings: Cluster, folder: Path, tell: Callable[[str], None]) -> None:
        self._settings, self._folder, self._tell = settings, folder, tell
        self._children: dict[str, _Child] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """The cluster, with every worker registered; its processes end with the block.

        Raises ClusterError where it cannot be started, SetupError where Java or Spark is missing.
        """
        find_java()
        self._require_ports()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        try:
            self._start("master")
            self._await("its master", lambda: self.state() is not None)
            for number in range(1, self._settings.workers + 1):
                self._start(f"worker-{number}")
            self._await("its workers", lambda: self.registered() >= self._settings.workers)
            yield
        finally:
            self._stop()
            shutil.rmtree(self._folder / "work", ignore_errors=True)

    def watch(self) -> None:
        """Starts a worker that ends again, and says so. Returns never; raises ClusterError where that does not help."""
        while True:
            time.sleep(_PAUSE)
            self._mend()

    def state(self) -> dict[str, Any] | None:
        """What the master tells of itself; None while it does not answer."""
        try:
            with urllib.request.urlopen(f"{self._settings.ui}/json/", timeout=5) as answer:  # noqa: S310 - http
                return dict(json.load(answer))
        except (OSError, ValueError):
            return None

    def registered(self) -> int:
        """How many workers the master has that are alive."""
        workers = (self.state() or {}).get("workers", [])
        return sum(worker["state"] == "ALIVE" for worker in workers)

    def _require_ports(self) -> None:
        for key, port in (("port", self._settings.port), ("ui_port", self._settings.ui_port)):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((LOOPBACK, port))
                except OSError as error:
                    raise ClusterError(
                        f"port {port} cannot be listened on: {error.strerror}",
                        where=f"cluster.{key}",
                        fix=f"a cluster may be running already; else choose another: --{key.replace('_', '-')}",
                    ) from error

    def _await(self, name: str, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not is_there():
            self._mend()
            if time.monotonic() > deadline:
                raise ClusterError(f"{name} did not answer within {_READY_SECONDS:.0f} s", where=str(self._folder))
            time.sleep(_PAUSE)

    def _mend(self) -> None:
        for child in list(self._children.values()):
            if child.process.poll() is None:
                continue
            early = child.early + 1 if time.monotonic() - child.started < _EARLY_SECONDS else 0
            if child.name == "master" or early >= _EARLY_ENDS:
                raise self._ended(child)
            self._tell(f"{child.name} ended ({_how(child.process.returncode)}): started again")
            self._start(child.name, early)

    def _ended(self, child: _Child) -> ClusterError:
        return ClusterError(
            f"{child.name} ended ({_how(child.process.returncode)}): {_last_line(self._log(child.name))}",
            where=str(self._log(child.name)),
            fix="correct the error in its log, and start the cluster again",
        )

    def _start(self, name: str, early: int = 0) -> None:
        arguments = [str(_spark_home() / "bin" / "spark-class"), *self._arguments(name)]
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                arguments,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for this process, which ends them in turn
                preexec_fn=_death_signal(),
            )
        self._children[name] = _Child(name, process, time.monotonic(), early)

    def _arguments(self, name: str) -> list[str]:
        settings = self._settings
        if name == "master":
            listen = ["--host", LOOPBACK, "--port", str(settings.port), "--webui-port", str(settings.ui_port)]
            return ["org.apache.spark.deploy.master.Master", *listen]
        size = ["--cores", str(settings.worker_cores), "--memory", f"{settings.worker_memory_gb}g"]
        place = ["--host", LOOPBACK, "--webui-port", "0", "--work-dir", str(self._folder / "work" / name)]
        return ["org.apache.spark.deploy.worker.Worker", *place, *size, settings.master]

    def _environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "SPARK_HOME": str(_spark_home()),
            "SPARK_LOCAL_IP": LOOPBACK,
            "SPARK_PUBLIC_DNS": LOOPBACK,
            "SPARK_LOCAL_DIRS": str(self._folder / "work" / "local"),
            "SPARK_DAEMON_MEMORY": "512m",
            "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dspark.port.maxRetries=0",
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
            # Else the folders of every run stay for as long as the cluster does.
            "SPARK_WORKER_OPTS": "-Dspark.worker.cleanup.enabled=true -Dspark.worker.cleanup.appDataTtl=86400",
        }

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _stop(self) -> None:
        """Workers before the master, which they would otherwise look for."""
        processes = [child.process for child in reversed(self._children.values())]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _spark_home() -> Path:
    spec = find_spec("pyspark")
    if spec is None or not spec.origin:
        raise SetupError("pyspark is not installed", where="cluster", fix="pip install 'headgate[spark]'")
    return Path(spec.origin).parent


def _death_signal() -> Callable[[], None] | None:
    """What a child does first, so that it ends when this process does, were it by SIGKILL. Linux alone has that.

    Executors and their Python processes need none: they end when their worker does.
    """
    if sys.platform != "linux":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this check
            os._exit(1)

    return ask


def _how(status: int) -> str:
    return f"exit {status}" if status >= 0 else signal.Signals(-status).name


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"
