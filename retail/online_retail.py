"""`demo/retail.py FILE`: the public Online Retail data as one table behind four rules, and the money adds up.

FILE is the data as CSV, in UTF-8 with ISO 8601 dates; it may be packed as .gz or .xz. The project is copied from
demo/retail to a folder of its own and run by the verbs that a person types. What passed and what was quarantined is
then added up, and held against the file as Python's csv and decimal read it.
"""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from headgate.cli.output import print_table
from headgate.contracts.environment import load_environment
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import load_graph
from headgate.project import Project
from headgate.views.quarantine import rejected
from headgate.views.rows import live_rows

PROJECT = Path(__file__).with_name("retail")
HEADGATE = str(Path(sys.executable).with_name("headgate"))
TABLE = "silver.invoice_lines"
_KEPT = ("HEADGATE_JARS",)  # of this process's variables: no other lake than the project's own
_OPENERS = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Sum:
    """Invoice lines, and their money in pounds."""

    lines: int = 0
    money: Decimal = Decimal()

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.lines + other.lines, self.money + other.money)


def main(file: Path) -> int:
    """Lands, runs, adds up. Gives the exit code: 1 where a line or a penny is missing."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-retail-"))
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "lake"))
    unpacked = _unpacked(file, folder)
    _headgate(folder, "upload", unpacked.name, "--dataset", "online_retail", "--store", "shop", "--direct")
    _headgate(folder, "run")
    _headgate(folder, "quarantine", "list")
    code = report(of_file(unpacked), *of_table(Project(folder)))
    print(f"\nGo on from here\n  cd {folder}\n  headgate quarantine show {TABLE}\n  headgate show {TABLE}")
    return code


def of_file(file: Path) -> Sum:
    """The file's lines and money, without Headgate."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        return _sum((line["Quantity"], line["UnitPrice"]) for line in csv.DictReader(lines))


def of_table(project: Project) -> tuple[Sum, Sum]:
    """What passed, and what was quarantined, by the raw records that it keeps."""
    ledger = Ledger(load_environment(project, "local", environ={}))
    live = live_rows(ledger, TABLE, None)
    records = rejected(ledger, load_graph(project).node(TABLE))["raw"].to_pylist()
    raw = (json.loads(record) for record in records)
    passed = zip(live["quantity"].to_pylist(), live["unit_price"].to_pylist(), strict=True)
    return _sum(passed), _sum((record["Quantity"], record["UnitPrice"]) for record in raw)


def report(sent: Sum, passed: Sum, quarantined: Sum) -> int:
    """Prints where the money is. Gives 0 where all that was sent is there, to the last decimal, and 1 otherwise."""
    together = passed + quarantined
    rows = {"passed": passed, "quarantined": quarantined, "together": together, "the file": sent}
    print()
    print_table(["", "lines", "pounds"], [(n, s.lines, f"{s.money:,}") for n, s in rows.items()], ["lines", "pounds"])
    print("\nThe money adds up." if together == sent else "\nThe money does NOT add up.")
    return 0 if together == sent else 1


def _sum(pairs: Iterable[tuple[int | str, Decimal | str]]) -> Sum:
    lines, money = 0, Decimal()
    for quantity, price in pairs:
        lines, money = lines + 1, money + Decimal(quantity) * Decimal(price)
    return Sum(lines, money)


def _unpacked(file: Path, folder: Path) -> Path:
    copy = folder / "online_retail.csv"
    with _OPENERS.get(file.suffix, open)(file, "rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target)
    return copy


def _headgate(folder: Path, *arguments: str) -> None:
    """Runs a verb as a person would, and ends where it fails."""
    print(f"\n$ headgate {' '.join(arguments)}", flush=True)
    inherited = {name: value for name, value in os.environ.items() if name in _KEPT or "HEADGATE_" not in name}
    done = subprocess.run([HEADGATE, *arguments], cwd=folder, check=False, env=inherited)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: demo/retail.py FILE, the Online Retail data as CSV")
    sys.exit(main(Path(sys.argv[1])))
