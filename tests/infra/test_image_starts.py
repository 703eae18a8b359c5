"""The servers' images without a docker engine: packages in an empty environment, command, user, health check.

The files belong to root and the process runs as user 10001, so it can write nothing but /tmp.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from tests.infra.dockerfiles import Instruction, instructions
from tests.infra.recorder import BUCKET, Recorder, serving
from tests.processes import free_port

ROOT = Path(__file__).parents[2]
SERVERS = ("receiver", "read-api")

pytestmark = pytest.mark.infra

USER, GROUP = "10001", "10001"
BECOME = ["setpriv", "--reuid", USER, "--regid", GROUP, "--clear-groups"]


@dataclass(frozen=True)
class Image:
    """An image in a folder: build/, venv/ and the last stage's working folder srv/."""

    dockerfile: Path
    folder: Path

    @property
    def last(self) -> dict[str, Instruction]:
        """The last stage's instructions by name."""
        return {item.name: item for item in instructions(self.dockerfile) if item.stage == 1}


@pytest.fixture(scope="module", params=SERVERS)
def image(request: pytest.FixtureRequest) -> Iterator[Image]:
    """A folder with the content of the image.

    It is not one of pytest's, which no other user can read.
    """
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to run the command as the image's user")
    dockerfile = ROOT / "docker" / f"{request.param}.Dockerfile"
    folder = Path(tempfile.mkdtemp(prefix="headgate-image-"))
    folder.chmod(0o755)
    for stage, target in ((0, folder / "build"), (1, folder / "srv")):
        target.mkdir()
        for copy in (item for item in instructions(dockerfile) if item.name == "COPY" and item.stage == stage):
            if "from" not in copy.flags:
                for source in copy.arguments[:-1]:
                    _copy(ROOT / source, target / source)
    install = next(item.text for item in instructions(dockerfile) if item.name == "RUN" and "pip install" in item.text)
    script = install.replace("/opt/venv", str(folder / "venv")).replace("python -m venv", f"{_python()} -m venv")
    done = subprocess.run(["sh", "-ec", script], cwd=folder / "build", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    yield Image(dockerfile, folder)
    shutil.rmtree(folder)


def _python() -> str:
    """A Python that the image's user can start: not one below a home folder."""
    for name in (sys.executable, "/usr/local/bin/python3.11", "/usr/bin/python3.11"):
        # Twice: setpriv gives the first program rights that the programs which it starts do not have.
        code = f"import venv, ensurepip, subprocess; subprocess.run([{name!r}, '-c', ''], check=True)"
        if subprocess.run([*BECOME, name, "-c", code], capture_output=True).returncode == 0:
            return name
    pytest.skip(f"user {USER} can start no Python 3.11 of this machine")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copy(source, target)


@pytest.fixture
def endpoint() -> Iterator[str]:
    with serving(Recorder()) as address:
        keys = {"aws_access_key_id": "SETUP", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket=BUCKET)
        yield address


def test_the_command_starts_as_its_user_and_passes_the_health_check(image, endpoint):
    last, folder, port = image.last, image.folder, str(free_port())
    assert last["USER"].text == f"{USER}:{GROUP}"
    exposed = last["EXPOSE"].text
    words = [w.replace(exposed, port).replace("/srv/headgate", str(folder / "srv")) for w in last["CMD"].arguments]
    environment = {
        "PATH": f"{folder / 'venv' / 'bin'}:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
        "HEADGATE_LAKE": f"s3://{BUCKET}",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "SERVER",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    writes = subprocess.run([*BECOME, "touch", str(folder / "srv" / "x")], capture_output=True)
    assert writes.returncode != 0, "the image's files are writable"
    process = subprocess.Popen(
        [*BECOME, *words],
        cwd=folder / "srv",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        check = [w.replace(exposed, port) for w in _health_check(last["HEALTHCHECK"].text)]
        for _ in range(120):
            healthy = subprocess.run([*BECOME, *check], env=environment, capture_output=True).returncode == 0
            if healthy or process.poll() is not None:
                break
            time.sleep(1)
        assert healthy, process.communicate(timeout=30)[0] if process.poll() is not None else "not healthy after 120 s"
    finally:
        process.terminate()
        process.wait(90)


def _health_check(text: str) -> list[str]:
    return json.loads(text[text.index("CMD ") + 4 :])
