"""The README shows the output of `make demo` as it is, numbers included. Times, run ids and ports are masked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 900  # seconds for the demo: it starts Spark twice, also on a slow machine
FIRST = "1. Three stores"
AFTER = "5. The progress of an upload"  # the README ends before this step


def masked(text: str) -> list[str]:
    """The lines without blank lines, widths of columns, seconds, run ids and ports."""
    text = re.sub(r"\d{8}T\d{6}-[0-9a-f]{8}", "RUN", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    text = re.sub(r"\d+\.\d$", "SECONDS", text, flags=re.MULTILINE)
    text = re.sub(r"-{3,}", "--", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def shown() -> str:
    """The block of the README with the output of the demo."""
    blocks = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(FIRST)]
    return block


def test_other_numbers_are_not_masked():
    assert masked("gold.x  done  3  0  1.2\n") != masked("gold.x  done  4  0  1.2\n")
    assert masked("gold.x  done  3  0  1.2\n") == masked("gold.x  done   3    0    20.7\n\n")
    assert len(masked(shown())) > 30


@pytest.mark.long
def test_the_readme_shows_the_output_of_the_demo(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "retail.demo", "--state", str(tmp_path / "state")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "HEADGATE_LAKE": str(tmp_path / "lake")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout[done.stdout.index(FIRST) : done.stdout.index(AFTER)]
    assert masked(shown()) == masked(printed)
