"""What docs/s3.md has its reader type, typed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.s3.servers import BUCKET, ROOT, Server


def test_the_commands_of_the_page_build_a_lake_on_s3(s3_server: Server, tmp_path: Path) -> None:
    """By environment variables alone, in processes of their own: land, plan, build, read, reconcile."""
    [block] = re.findall(r"^```console\n(.*?)^```", (ROOT / "docs" / "s3.md").read_text(), re.MULTILINE | re.DOTALL)
    variables, folder, printed = {**os.environ, "PYTHONPATH": _absolute()}, tmp_path, dict[str, str]()
    for line in block.splitlines():
        name, *words = shlex.split(line)
        if name == "cd":
            folder = folder / words[0]
        elif name == "export":
            variables |= dict(word.split("=", 1) for word in words)
        else:
            printed[words[0]] = _headgate(words, folder, variables)
    assert variables["HEADGATE_LAKE"].startswith(f"s3://{BUCKET}/")
    assert "2026-03-02   roof       2" in printed["show"]


def _headgate(words: list[str], folder: Path, variables: dict[str, str]) -> str:
    command = [sys.executable, "-m", "headgate.cli", *words]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def _absolute() -> str:
    return os.pathsep.join(str(Path(place).absolute()) for place in os.environ.get("PYTHONPATH", "lib").split(":"))
