"""`retail.online_retail` on a small file of the same format: every rule applies, and no penny is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from retail import online_retail as demo

ROOT = Path(__file__).parents[2]
PATIENCE = 600  # seconds for the demo: it starts Spark, on whatever machine this is
LINES = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,"HEART, WHITE",6,2010-12-01 08:26:00,2.550,17850,United Kingdom
536365,85123A,"HEART, WHITE",6,2010-12-01 08:26:00,2.550,17850,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.500,14527,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.000,,United Kingdom
536589,21777,,-10,2010-12-01 16:50:00,0.000,,United Kingdom
541431,23166,JAR,74215,2011-01-18 10:01:00,1.040,12346,United Kingdom
A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.060,,United Kingdom
"""


def test_the_file_is_added_up_exactly(tmp_path):
    (tmp_path / "file.csv").write_text(LINES)
    assert demo.of_file(tmp_path / "file.csv") == demo.Sum(7, Decimal("66124.640"))


@pytest.mark.parametrize("missing", ["line", "money"])
def test_a_missing_line_or_penny_ends_with_1(missing):
    sent = demo.Sum(2, Decimal("3.000"))
    accepted = demo.Sum(0, Decimal("2.000")) if missing == "line" else demo.Sum(1, Decimal("1.999"))
    assert demo.report(sent, accepted, demo.Sum(1, Decimal("1.000"))) == 1
    assert demo.report(sent, demo.Sum(1, Decimal("2.000")), demo.Sum(1, Decimal("1.000"))) == 0


@pytest.mark.long
def test_the_demo_prints_accepted_and_quarantined_lines_and_their_money(tmp_path):
    (tmp_path / "file.csv").write_text(LINES)
    done = subprocess.run(
        [sys.executable, "-m", "retail.online_retail", str(tmp_path / "file.csv")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = [line.split() for line in done.stdout.splitlines()]
    assert ["accepted", "4", "3.100"] in printed
    assert ["quarantined", "3", "66,121.540"] in printed
    assert ["the", "file", "7", "66,124.640"] in printed
    for rule in ("quantity is plausible", "unit price is plausible", "a negative quantity is a cancellation"):
        assert [*rule.split(), "1", "0"] in [line[1:] for line in printed]
    assert "warning silver.invoice_lines: description is there failed: 2 of 7 rows" in done.stderr
    assert "quarantined silver.invoice_lines: quantity is plausible failed: 1 of 7 rows" in done.stderr
