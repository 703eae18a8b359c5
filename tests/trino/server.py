"""Trino in a process of its own, with the Delta connector over Glue and S3."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import trino
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from headgate.aws.clients import BotoClients
from tests.processes import free_port
from tests.s3.servers import REGION

_START_SECONDS = 300
_JVM = """\
-server
-Xmx1500M
-XX:+UseSerialGC
-XX:ReservedCodeCacheSize=192M
-Djdk.attach.allowAttachSelf=true
-Dfile.encoding=UTF-8
-XX:+EnableDynamicAgentLoading
--enable-native-access=ALL-UNNAMED
"""


@dataclass(frozen=True)
class Trino:
    """A running server."""

    port: int

    def rows(self, sql: str) -> list[list[Any]]:
        """The rows of a query."""
        return self.run(sql)[0]

    def run(self, sql: str) -> tuple[list[list[Any]], dict[str, Any]]:
        """The rows of a query and its statistics."""
        connection = trino.dbapi.connect(
            host="127.0.0.1", port=self.port, user="tests", catalog="delta", schema=DATABASE, timezone="UTC"
        )
        cursor = connection.cursor()
        cursor.execute(sql)
        rows = [list(row) for row in cursor.fetchall()]
        return rows, dict(cursor.stats or {})


DATABASE = "headgate_gold"


@contextmanager
def glue_server() -> Iterator[str]:
    """A Glue API with the empty database of gold, which boto3's clients of Glue find; yields its address."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        with patch.dict(os.environ, AWS_ENDPOINT_URL_GLUE=endpoint):
            BotoClients(REGION).client("glue").create_database(DatabaseInput={"Name": DATABASE})
            yield endpoint
    finally:
        server.stop()


@contextmanager
def trino_server(home: Path, java: Path, folder: Path, s3: dict[str, str], glue: str) -> Iterator[Trino]:
    """A server whose catalog `delta` reads Glue at `glue` and S3 by the AWS variables `s3`; stopped at the end."""
    port = free_port()
    etc = _write_configuration(home, folder, port, s3, glue)
    environ = {**os.environ, "JAVA_HOME": str(java), "PATH": f"{java / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [str(home / "bin" / "launcher"), "run", "--etc-dir", str(etc), "--data-dir", str(folder / "data")]
    with (folder / "trino.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ, start_new_session=True)
    try:
        _wait(port, process, folder / "trino.log")
        yield Trino(port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _write_configuration(home: Path, folder: Path, port: int, s3: dict[str, str], glue: str) -> Path:
    key, secret, region = (s3[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"))
    files = {
        "jvm.config": _JVM,
        "log.properties": "io.trino=WARN\n",
        "node.properties": f"node.environment=tests\nnode.id=tests\nplugin.dir={home / 'plugin'}\n",
        "config.properties": _properties(
            {
                "coordinator": "true",
                "node-scheduler.include-coordinator": "true",
                "http-server.http.port": port,
                "http-server.process-forwarded": "ignore",
                "node.internal-address": "127.0.0.1",
                "discovery.uri": f"http://127.0.0.1:{port}",
                "query.max-memory": "500MB",
                "query.max-memory-per-node": "500MB",
                "memory.heap-headroom-per-node": "300MB",
                "catalog.management": "static",
            }
        ),
        "catalog/delta.properties": _properties(
            {
                "connector.name": "delta_lake",
                "hive.metastore": "glue",
                "hive.metastore.glue.endpoint-url": glue,
                "hive.metastore.glue.region": region,
                "hive.metastore.glue.aws-access-key": key,
                "hive.metastore.glue.aws-secret-key": secret,
                "fs.native-s3.enabled": "true",
                "s3.endpoint": s3["AWS_ENDPOINT_URL"],
                "s3.region": region,
                "s3.path-style-access": "true",
                "s3.aws-access-key": key,
                "s3.aws-secret-key": secret,
            }
        ),
    }
    for name, text in files.items():
        (folder / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "etc" / name).write_text(text)
    return folder / "etc"


def _properties(values: dict[str, Any]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"Trino ended with {process.returncode}: {log.read_text()[-2000:]}")
        try:
            if not httpx.get(f"http://127.0.0.1:{port}/v1/info", timeout=5).json()["starting"]:
                return
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(0.5)
    raise TimeoutError(f"Trino did not start in {_START_SECONDS} s: {log.read_text()[-2000:]}")
