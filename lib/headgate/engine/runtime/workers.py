"""The additional parts of a session on a cluster: its master, and the Python path of executors."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

from pyspark.sql import SparkSession

import headgate
from headgate.contracts.environment import Environment
from headgate.engine.runtime.jvm_access import has_ended, has_executors, stop_now
from headgate.errors import ClusterError

_SECONDS = 5.0
_MISSES = 3


def cluster_settings(environment: Environment, jvm: str, class_path: str) -> dict[str, str]:
    """Spark's settings for the environment's cluster. `jvm` and `class_path` are those of every executor's JVM."""
    cluster = environment.cluster
    return {
        "spark.master": cluster.master,
        "spark.executor.memory": f"{cluster.worker_memory_gb}g",
        "spark.executor.extraClassPath": class_path,
        "spark.executor.extraJavaOptions": jvm,
        "spark.executorEnv.PYTHONPATH": python_path(environment),
        "spark.sql.shuffle.partitions": str(max(4, cluster.workers * cluster.worker_cores * 2)),
        # Staged frames are written and read: rows as they are in memory, compressed.
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.checkpoint.compress": "true",
    }


def python_path(environment: Environment) -> str:
    """The Python path of executors: headgate, the project's jobs, and the path of this process."""
    inherited = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    own = [str(Path(headgate.__file__).parents[1]), str(environment.path.resolve().parents[2])]
    return os.pathsep.join(dict.fromkeys([*own, *(str(Path(place).resolve()) for place in inherited)]))


def require_master(master: str) -> None:
    """Raises ClusterError where none of the addresses of a `spark://` master answers: Spark would try for a minute."""
    if master.startswith("spark://") and not _is_there(master):
        raise ClusterError("no Spark master answers", where=master, fix="start a cluster: headgate serve cluster")


def watch_master(session: SparkSession, master: str) -> None:
    """Ends the application where its master is gone for good: Spark would wait for it for ever.

    Says so where no worker has cores for it yet.
    """
    if master.startswith("spark://"):
        threading.Thread(target=_watch, args=(session, master), name="master", daemon=True).start()


def _watch(session: SparkSession, master: str) -> None:
    misses, announced = 0, False
    while misses < _MISSES:
        time.sleep(_SECONDS)
        if has_ended(session):
            return
        misses = 0 if _is_there(master) else misses + 1
        if not announced and not misses and not has_executors(session):
            announced = True
            print(f"{master}: no worker has free cores yet: waiting", file=sys.stderr)
    stop_now(session)


def _is_there(master: str) -> bool:
    return any(_answers(address) for address in master.removeprefix("spark://").split(","))


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
