"""A local cloud in a process of its own, with clients of its APIs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from headgate.engine.runtime.jars import jars_folder
from tests.processes import ROOT

REGION = "eu-central-1"
BUCKET, ARTIFACTS = "lake", "artifacts"
TERMINAL = ("SUCCESS", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class LocalCloud:
    """A running local cloud, with its printed resources."""

    resources: dict[str, Any]
    pid: int

    @property
    def endpoint(self) -> str:
        return self.resources["endpoint"]

    @property
    def variables(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, **keys}

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def page(self, path: str) -> Any:
        answer = httpx.get(f"{self.endpoint}/_cloud/{path}").raise_for_status()
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def post(self, path: str, **fields: Any) -> None:
        httpx.post(f"{self.endpoint}/_cloud/{path}", json=fields).raise_for_status()

    def clear_faults(self) -> None:
        httpx.delete(f"{self.endpoint}/_cloud/faults").raise_for_status()


def start_cloud(folder: Path, *options: str) -> tuple[subprocess.Popen[str], LocalCloud]:
    """Starts a cloud on a free port, and waits until it is ready."""
    command = [
        sys.executable,
        "-m",
        "orchestration.local_cloud",
        "--port",
        "0",
        "--region",
        REGION,
        "--folder",
        str(folder),
        "--jars",
        str(jars_folder() / "s3"),
        "--bucket",
        BUCKET,
        "--bucket",
        ARTIFACTS,
        "--json",
        *options,
    ]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "lib"), str(ROOT)])}
    with (folder.parent / f"{folder.name}.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ, cwd=ROOT)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder.parent / f"{folder.name}.log").read_text()
    return process, LocalCloud(json.loads(line), process.pid)


def stop_cloud(process: subprocess.Popen[str]) -> None:
    """Stops a cloud as a user does, by SIGINT."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    process, cloud = start_cloud(tmp_path_factory.mktemp("cloud") / "data")
    yield cloud
    stop_cloud(process)


@pytest.fixture
def cloud(running_cloud: LocalCloud) -> LocalCloud:
    """The local cloud of this test session, without faults."""
    running_cloud.clear_faults()
    return running_cloud
