"""Runs wrk, a compiled load generator, with uploads.lua."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.ingest_tools.servers import GENERATOR_CORE

_SCRIPT = Path(__file__).parent / "uploads.lua"


@dataclass(frozen=True)
class Round:
    """One run of wrk. Times are in milliseconds; `generator_cpu` is wrk's share of one core."""

    requests: int
    seconds: float
    failed: int
    mean_ms: float
    p95_ms: float
    p99_ms: float
    generator_cpu: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run_wrk(url: str, body: Path, connections: int, seconds: int, transactions: int, keys: str) -> Round:
    """Sends uploads for `seconds`, or `transactions` of them where that is not 0 (within two minutes)."""
    environment = {**os.environ, "BODY": str(body), "KEYS": keys, "REQUESTS": str(transactions)}
    duration = 120 if transactions else seconds
    arguments = ["wrk", "-t1", f"-c{connections}", f"-d{duration}s", "--timeout", "30s", "-s", str(_SCRIPT), url]
    process = subprocess.Popen(
        ["taskset", "-c", GENERATOR_CORE, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
    if not lines:
        raise SystemExit(f"bench/ingest: wrk gave no result:\n{output}")
    value = json.loads(lines[-1].removeprefix("RESULT "))
    return Round(
        value["requests"],
        value["seconds"],
        value["errors"] + value["refused"],
        round(value["mean_ms"], 2),
        round(value["p95_ms"], 2),
        round(value["p99_ms"], 2),
        round((usage.ru_utime + usage.ru_stime) / value["seconds"], 2),
    )
