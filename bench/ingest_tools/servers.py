"""The processes of bench/ingest.py: the S3 stub, Headgate's receiver, and the peer. All listen on 127.0.0.1."""

import os
import platform
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.common import ROOT
from tests.processes import stop

SIDES = ("headgate", "peer")
WORKERS, THREADS = 2, 64
STUB_PORT = 7480
_CORES = os.cpu_count() or 1
#: wrk and the stub share the last core; the servers have the others.
GENERATOR_CORE = str(_CORES - 1)
SERVER_CORES = f"0-{max(0, _CORES - 2)}"
_TICKS = os.sysconf("SC_CLK_TCK")
_S3 = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{STUB_PORT}",
}


@dataclass
class Running:
    """A server under load. `cpu_seconds` covers the measured time, `memory_mb` is its memory after it."""

    url: str
    process: subprocess.Popen[bytes]
    cpu_seconds: float = 0.0
    memory_mb: float = 0.0

    def start_measuring(self) -> None:
        self.cpu_seconds = _cpu(self.process.pid)

    def stop_measuring(self) -> None:
        self.cpu_seconds = _cpu(self.process.pid) - self.cpu_seconds
        self.memory_mb = sum(_memory_mb(pid) for pid in _tree(self.process.pid))


def machine() -> dict[str, Any]:
    """Facts on which the numbers depend."""
    return {
        "cores": _CORES,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def build_stub(folder: Path) -> None:
    """Compiles the S3 stub into `folder`."""
    source = Path(__file__).with_name("s3_stub.go")
    subprocess.run(["go", "build", "-o", str(folder / "s3_stub"), str(source)], check=True)


@contextmanager
def stub(folder: Path, latency: int) -> Iterator[None]:
    """The S3 stub, empty, with `latency` milliseconds before each answer."""
    process = subprocess.Popen(["taskset", "-c", GENERATOR_CORE, str(folder / "s3_stub"), str(STUB_PORT), str(latency)])
    try:
        _wait_for(f"http://127.0.0.1:{STUB_PORT}/", process)
        yield
    finally:
        stop(process, 5)


@contextmanager
def serving(side: str, folder: Path) -> Iterator[Running]:
    """Starts a side on a free port."""
    port = _free_port()
    command, variables = _headgate(port) if side == "headgate" else _peer(port)
    with (folder / f"{side}.log").open("ab") as log:
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORES, *command],
            env={**os.environ, **_S3, **variables},
            cwd=ROOT / "bench" / "peers",
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", process)
        yield Running(f"http://127.0.0.1:{port}", process)
    finally:
        stop(process, 20)


def _headgate(port: int) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "headgate.cli", "serve", "receiver", "--project", str(ROOT), "--port", str(port)]
    variables = {
        "HEADGATE_LAKE": "s3://bucket/lake",
        "HEADGATE_RECEIVER_WORKERS": str(WORKERS),
        "HEADGATE_RECEIVER_THREADS": str(THREADS),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "lib"), str(ROOT)]),
    }
    return command, variables


def _peer(port: int) -> tuple[list[str], dict[str, str]]:
    python = peer_python()
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS), "--log-level", "warning"]
    return [python, "-m", "uvicorn", *options, "--no-access-log", "fastapi_boto3:app"], {"PEER_THREADS": str(THREADS)}


def peer_python() -> str:
    """The Python of the peer's own environment, which is made on first use."""
    folder = ROOT / ".venv-peers"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        requirements = str(ROOT / "bench" / "peers" / "requirements.txt")
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", requirements], check=True)
    return str(python)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - loopback
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"bench/ingest: {process.args} ended with {process.returncode}") from None
            time.sleep(0.1)
    raise SystemExit(f"bench/ingest: {process.args} does not answer")


def _tree(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = [int(text) for text in children.read_text().split()] if children.exists() else []
    return [pid, *(other for child in below for other in _tree(child))]


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process and all below it."""
    total = 0
    for each in _tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def _memory_mb(pid: int) -> float:
    """The proportional set size: memory that is shared by n processes counts as an nth."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
