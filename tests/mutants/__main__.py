"""Runs every mutant of `mutants.py`: prints killed and surviving ones, by module; ends with 1 where one survives.

python -m tests.mutants [WORD ...] [--jobs N]    # only mutants whose file or invariant has a word
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
_COPIED = (
    "lib",
    "ingest_api",
    "read_api",
    "orchestration",
    "retail",
    "conf",
    "jobs",
    "tests",
    "pyproject.toml",
    "docs",
)
_SECONDS = 600
#: pytest's exit codes: tests failed, or could not be collected because the mutant does not import.
_FAILED, _NOT_COLLECTED = 1, 2


@dataclass(frozen=True)
class Result:
    """What the tests of a mutant said. outcome: `killed`, `survived`, `excused` or `broken`."""

    mutant: Mutant
    outcome: str
    seconds: float
    output: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run only mutants with one of these words in file or invariant")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants at a time")
    chosen = parser.parse_args()
    mutants = [m for m in MUTANTS if not chosen.words or any(w in f"{m.file} {m.invariant}" for w in chosen.words)]
    with tempfile.TemporaryDirectory(prefix="headgate-mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(chosen.jobs):
            trees.put(_copy_of_tree(Path(folder) / str(number)))
        if broken := _tests_fail_without_mutants(trees, mutants):
            print(broken)
            return 2
        with ThreadPoolExecutor(chosen.jobs) as pool:
            results = list(pool.map(lambda mutant: _tried(trees, mutant), mutants))
    return _report(results)


def _copy_of_tree(folder: Path) -> Path:
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", ".headgate", "node_modules", ".terraform")
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def _tests_fail_without_mutants(trees: SimpleQueue[Path], mutants: Sequence[Mutant]) -> str:
    """The output of the tests where they fail on the tree as it is: then no mutant proves anything."""
    tree = trees.get()
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    done = _pytest(tree, tests)
    trees.put(tree)
    return "" if done.returncode == 0 else f"the tests fail without a mutant:\n{done.stdout[-3000:]}"


def _tried(trees: SimpleQueue[Path], mutant: Mutant) -> Result:
    started, tree = time.monotonic(), trees.get()
    path = tree / mutant.file
    text = path.read_text()
    try:
        if text.count(mutant.old) != 1:
            return Result(mutant, "broken", 0, f"its text is {text.count(mutant.old)} times in {mutant.file}")
        path.write_text(text.replace(mutant.old, mutant.new))
        done = _pytest(tree, mutant.tests)
    finally:
        path.write_text(text)
        trees.put(tree)
    outcome = "killed" if done.returncode == _FAILED else "excused" if mutant.reason else "survived"
    if done.returncode not in (0, _FAILED):
        outcome = "broken"  # no test ran to its end: that proves nothing
    result = Result(mutant, outcome, round(time.monotonic() - started, 1), done.stdout[-2000:])
    print(f"{result.outcome:8} {result.seconds:6.1f} s  {mutant.file}: {mutant.invariant}", flush=True)
    return result


def _pytest(tree: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    paths = os.pathsep.join([str(tree / "lib"), str(tree)])
    variables = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=tree, env=variables, capture_output=True, text=True, timeout=_SECONDS)


def _report(results: Sequence[Result]) -> int:
    print("\nmodule                                          killed  excused  survived")
    counts = Counter((result.mutant.file, result.outcome) for result in results)
    for file in dict.fromkeys(result.mutant.file for result in results):
        numbers = (counts[file, outcome] for outcome in ("killed", "excused", "survived"))
        print("{:46} {:7} {:8} {:9}".format(file, *numbers))
    totals = Counter(result.outcome for result in results)
    print(f"{len(results)} mutants: {', '.join(f'{count} {outcome}' for outcome, count in sorted(totals.items()))}")
    for result in results:
        if result.outcome == "excused":
            print(f"excused: {result.mutant.file}: {result.mutant.invariant}: {result.mutant.reason}")
        if result.outcome in ("survived", "broken"):
            print(f"{result.outcome}: {result.mutant.file}: {result.mutant.invariant}\n{result.output}")
    return 1 if totals["survived"] or totals["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
