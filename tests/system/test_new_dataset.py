"""From an unknown CSV to a tested gold table, with nothing but `headgate new`: in processes of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

HEADGATE = str(Path(sys.executable).with_name("headgate"))
PATIENCE = 1500  # seconds per command: a run or a test starts Spark, also on a slow machine
LOANS = """\
loan_id;member;title;branch;borrowed_at;returned_on;fee;pages
1001;m-07;"Emma; a novel";north;2026-03-01 09:15:00;2026-03-09;0.50;474
1002;m-09;Dune;north;2026-03-01 10:02:11;;1.25;412
1003;m-07;Persuasion;south;2026-03-01 17:45:00;2026-03-04;0;249
1004;m-12;"The ""Master"" again";north;2026-03-02 08:30:00;2026-03-30;12.75;412
1005;m-09;Middlemarch;east;2026-03-02 11:00:59;;0.50;880
1006;m-31;Dune;south;2026-03-02 12:12:12;2026-03-03;0.75;412
1007;m-12;Villette;north;2026-03-03 09:00:00;2026-03-10;3.10;
1008;m-44;Hard Times;east;2026-03-03 15:20:00;;0.50;368
1009;m-07;Ulysses;north;2026-03-04 10:10:10;;;730
"""


def command(folder: Path, *arguments: str) -> str:
    """Runs `headgate` in a folder and returns its output; the command has to succeed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}
    kept = {name: os.environ[name] for name in ("HEADGATE_JARS",) if name in os.environ}
    done = subprocess.run(
        [HEADGATE, *arguments],
        cwd=folder,
        env={**inherited, **kept},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"headgate {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project with the file, its proposed contract, and two proposed tables with their tests."""
    folder = tmp_path_factory.mktemp("unknown") / "library"
    command(folder.parent, "new", "project", str(folder), "--empty")
    (folder / "loans-2026-03.csv").write_text(LOANS)
    command(folder, "new", "dataset", "loans-2026-03.csv")
    command(folder, "new", "table", "loans", "--from", "loans")
    command(folder, "new", "table", "daily_loans", "--from", "silver.loans")
    return folder


def total(amounts: list[str]) -> Decimal | None:
    """The sum as SQL has it: nothing where every amount is missing."""
    present = [Decimal(amount) for amount in amounts if amount]
    return sum(present, Decimal()) if present else None


def expected_days() -> list[dict[str, object]]:
    """Gold as Python's own csv and decimal modules compute it from the file."""
    days: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader(io.StringIO(LOANS), delimiter=";"):
        days[row["borrowed_at"][:10]].append(row)
    return [
        {
            "borrowed_on": day,
            "row_count": len(rows),
            "total_fee": total([row["fee"] for row in rows]),
            "total_pages": sum(int(row["pages"]) for row in rows if row["pages"]),
        }
        for day, rows in sorted(days.items())
    ]


def test_the_proposals_are_valid(project):
    assert command(project, "check")


def test_an_unknown_file_becomes_gold_that_adds_up(project):
    command(project, "upload", "loans-2026-03.csv", "--dataset", "loans", "--store", "site-1", "--direct")
    command(project, "run")
    rows = [json.loads(line) for line in command(project, "show", "gold.daily_loans", "--json").splitlines()]
    typed = [{**row, "total_fee": None if row["total_fee"] is None else Decimal(row["total_fee"])} for row in rows]
    assert sorted(typed, key=lambda row: row["borrowed_on"]) == expected_days()
    receipt = [json.loads(line) for line in command(project, "show", "silver.loans", "--json").splitlines()]
    assert len(receipt) == 9


@pytest.mark.long
def test_the_proposed_tests_pass(project):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout
