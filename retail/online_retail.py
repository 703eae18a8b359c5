"""The public Online Retail data as one table with a suite of four rules; no invoice line and no penny is lost.

`python -m retail.online_retail FILE`: FILE is the data as CSV in UTF-8 with ISO 8601 dates, plain or compressed as .gz
or .xz. The project in retail/online_retail is copied to a temporary folder and run with `headgate` commands. The sums
of accepted and quarantined lines are then compared with the file, as Python's csv and decimal modules read it.
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

PROJECT = Path(__file__).with_name("online_retail")
HEADGATE = str(Path(sys.executable).with_name("headgate"))
TABLE = "silver.invoice_lines"
_KEPT = ("HEADGATE_JARS",)  # the only variable that is passed on, so that the project's own lake is used
_OPENERS = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Sum:
    """Invoice lines, and their money in pounds."""

    lines: int = 0
    money: Decimal = Decimal()

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.lines + other.lines, self.money + other.money)


def main(file: Path) -> int:
    """Uploads the file, runs the project and compares the sums. Returns 1 where they differ, else 0."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-retail-"))
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "lake"))
    unpacked = _unpacked(file, folder)
    _headgate(folder, "upload", unpacked.name, "--dataset", "online_retail", "--store", "shop", "--direct")
    _headgate(folder, "run")
    _headgate(folder, "quarantine", "list")
    code = report(of_file(unpacked), *of_table(Project(folder)))
    print(f"\nNext commands\n  cd {folder}\n  headgate quarantine show {TABLE}\n  headgate show {TABLE}")
    return code


def of_file(file: Path) -> Sum:
    """Returns the sum of the file, read without Headgate."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        return _sum((line["Quantity"], line["UnitPrice"]) for line in csv.DictReader(lines))


def of_table(project: Project) -> tuple[Sum, Sum]:
    """Returns the sums of the accepted and of the quarantined lines; the latter from their raw records."""
    ledger = Ledger(load_environment(project, "local", environ={}))
    live = live_rows(ledger, TABLE, None)
    records = rejected(ledger, load_graph(project).node(TABLE))["raw"].to_pylist()
    raw = (json.loads(record) for record in records)
    accepted = zip(live["quantity"].to_pylist(), live["unit_price"].to_pylist(), strict=True)
    return _sum(accepted), _sum((record["Quantity"], record["UnitPrice"]) for record in raw)


def report(sent: Sum, accepted: Sum, quarantined: Sum) -> int:
    """Prints the sums. Returns 0 where accepted and quarantined lines add up to the file exactly, else 1."""
    together = accepted + quarantined
    rows = {"accepted": accepted, "quarantined": quarantined, "together": together, "the file": sent}
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
    """Runs a command in the project's folder; ends where it fails."""
    print(f"\n$ headgate {' '.join(arguments)}", flush=True)
    inherited = {name: value for name, value in os.environ.items() if name in _KEPT or "HEADGATE_" not in name}
    done = subprocess.run([HEADGATE, *arguments], cwd=folder, check=False, env=inherited)
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m retail.online_retail FILE (the Online Retail data as CSV)")
    sys.exit(main(Path(sys.argv[1])))
