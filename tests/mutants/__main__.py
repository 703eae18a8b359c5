"""Runs every mutant of `mutants.py`: prints killed and surviving ones, by module; ends with 1 where one survives.

    python -m tests.mutants [WORD ...] [--jobs N]    # only mutants whose file or invariant has a word

Each mutant has a process of its own, forked from this one, which has imported the libraries and nothing of Headgate:
most of a short test's time would go into those imports.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    "docs",
    "pyproject.toml",
)
#: Libraries that the tests import.
_LIBRARIES = (
    "pytest",
    "hypothesis.strategies",
    "pyspark.sql.functions",
    "delta.tables",
    "deltalake",
    "obstore.store",
    "pyarrow.parquet",
    "flask",
    "httpx",
    "click.testing",
    "jsonschema",
    "jsonschema_rs",
    "orjson",
    "yaml",
)
#: pytest's exit code where a test failed.
_FAILED = 1


@dataclass(frozen=True)
class Result:
    """What the tests of a mutant said. outcome: `killed`, `survived`, `excused`, `broken` (no test ended)."""

    mutant: Mutant
    outcome: str
    seconds: float
    output: str = ""


@dataclass(frozen=True)
class Running:
    """A mutant under test, in a tree of its own, in a process that writes its output into a file."""

    mutant: Mutant
    tree: Path
    text: str
    started: float
    output: Path


def main() -> int:
    """Returns 0 where every mutant was killed or has a reason, 1 where one survived, 2 where the tests fail anyway."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="run only mutants with one of these words in file or invariant")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants at a time")
    chosen = parser.parse_args()
    mutants = [m for m in MUTANTS if not chosen.words or any(w in f"{m.file} {m.invariant}" for w in chosen.words)]
    for name in _LIBRARIES:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="headgate-mutants-") as folder:
        trees = [_copy_of_tree(Path(folder) / str(number)) for number in range(chosen.jobs)]
        if broken := _tests_fail_without_mutants(trees[0], mutants):
            print(f"the tests fail without a mutant:\n{broken}")
            return 2
        results = _tried(mutants, trees)
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


def _tests_fail_without_mutants(tree: Path, mutants: Sequence[Mutant]) -> str:
    """The output of the tests where they fail on the tree as it is: then no mutant proves anything."""
    output = tree / "output.txt"
    _, status = os.waitpid(_start(tree, sorted({test for mutant in mutants for test in mutant.tests}), output), 0)
    return "" if status == 0 else output.read_text()[-3000:]


def _tried(mutants: Sequence[Mutant], trees: list[Path]) -> list[Result]:
    """The results of all mutants, as many at a time as there are trees."""
    waiting, free, running, results = list(mutants), list(trees), dict[int, Running](), list[Result]()
    while waiting or running:
        while waiting and free:
            mutant, tree = waiting.pop(0), free.pop()
            text = (tree / mutant.file).read_text()
            if text.count(mutant.old) != 1:
                message = f"its text is {text.count(mutant.old)} times in the file"
                results.append(Result(mutant, "broken", 0, message))
                free.append(tree)
                continue
            (tree / mutant.file).write_text(text.replace(mutant.old, mutant.new))
            item = Running(mutant, tree, text, time.monotonic(), tree / "output.txt")
            running[_start(tree, mutant.tests, item.output)] = item
        if running:
            process, status = os.wait()
            item = running.pop(process)
            (item.tree / item.mutant.file).write_text(item.text)
            free.append(item.tree)
            results.append(_result(item, os.waitstatus_to_exitcode(status)))
    return results


def _result(item: Running, code: int) -> Result:
    outcome = "killed" if code == _FAILED else "broken"
    if code == 0:
        outcome = "excused" if item.mutant.reason else "survived"
    seconds = time.monotonic() - item.started
    print(f"{outcome:8} {seconds:6.1f} s  {item.mutant.file}: {item.mutant.invariant}", flush=True)
    return Result(item.mutant, outcome, seconds, item.output.read_text()[-2000:])


def _start(tree: Path, tests: Sequence[str], output: Path) -> int:
    """Starts the tests in a forked process, which ends with pytest's exit code; returns the process's id."""
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = 3
    try:
        code = _pytest_here(tree, tests, output)
    finally:
        os._exit(code)


def _pytest_here(tree: Path, tests: Sequence[str], output: Path) -> int:
    import pytest

    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(tree)
    sys.dont_write_bytecode = True  # a mutant may be as old and as large as the file it is in place of
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "headgate", "ingest_api")]:
        del sys.modules[name]
    sys.path[:] = [str(tree / "lib"), str(tree), *(path for path in sys.path if not path.startswith(str(ROOT / "lib")))]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
    code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests]))
    sys.stdout.flush()
    return code


def _report(results: Sequence[Result]) -> int:
    print("\nmodule                                          killed  excused  survived")
    counts = Counter((result.mutant.file, result.outcome) for result in results)
    for file in sorted({result.mutant.file for result in results}):
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
