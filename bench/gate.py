"""The quality gate on 5 million rows, 12 and 20 expectations, against a plain copy and against GX's own validation.

Three sides read the same rows and write a Delta table: a plain scan and write; the gate (marked and staged once,
counted, split, written), with its cache of conditions cold and warm, and that of a table that is replaced whole, whose
expectations only warn (written, judged in its files, committed); and GX's own validation at its fastest
(BOOLEAN_ONLY, nothing persisted), then a split by hand. Each in a fresh process, in turns; the time begins when the
session has written its first, small table, and holds the import of GX where a side needs it. 1 % of the rows fail;
then all, for the memory. Two expectations of each suite check the batch: the number of rows, and unique ids, which
sorts all rows. The cost of row expectations alone is a separate row.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from common import ROOT, Aim, at_most, machine, print_table, scratch_folder, write_results
from gate_sides import BY_BATCH, BY_ROW, TABLE

SIZES = (12, 20)
ROWS_ONLY = f"{SIZES[0]}-rows"
WARNING = f"{SIZES[0]}-warning"
MOST_OF_PLAIN, LEAST_OF_GX, MOST_MEMORY = 1.5, 5, 1.1
FEW, ALL = 1, 100  # percent of the rows that fail


def main() -> None:
    """Makes the rows, runs the sides in turns, and prints a comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="turns [default: 3]; the median of each side counts")
    options = parser.parse_args()
    facts = machine()
    with scratch_folder() as folder:
        for size in SIZES:
            _make_project(folder / f"project-{size}", _mixed(size))
        _make_project(folder / f"project-{ROWS_ONLY}", [item[:2] for item in BY_ROW[: SIZES[0]]])
        _make_project(folder / f"project-{WARNING}", _mixed(SIZES[0]), severity="warning")
        for share in (FEW, ALL):
            _side(folder, "prepare", options.rows, SIZES[0], share)
        for suite in (SIZES[1], ROWS_ONLY, WARNING):
            _side(folder, "warm", options.rows, suite, FEW)
        details: dict[str, list[dict[str, Any]]] = {}
        for turn in range(options.repeat):
            for name, figures in _turn(folder, options.rows):
                print(f"  turn {turn + 1}, {name}: {_seconds(figures):.1f} s", file=sys.stderr)
                details.setdefault(name, []).append(figures)
        _require_same([figures for name, all_ in details.items() if "all fail" not in name for figures in all_])
    rows = [_row(name, options.rows, all_) for name, all_ in details.items()]
    _print(rows)
    write_results("gate", rows, _aims({row["side"]: row for row in rows}), facts)


def _turn(folder: Path, rows: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each side once: its name, and its result."""
    yield "plain", _side(folder, "plain", rows, SIZES[0], FEW)
    shutil.rmtree(folder / f"project-{SIZES[0]}" / ".headgate", ignore_errors=True)
    yield f"gate {SIZES[0]}, cold cache", _side(folder, "gate", rows, SIZES[0], FEW)
    for size in SIZES:
        yield f"gate {size}", _side(folder, "gate", rows, size, FEW)
        yield f"GX {size}, then split", _side(folder, "gx", rows, size, FEW)
    yield f"gate {SIZES[0]}, of rows only", _side(folder, "gate", rows, ROWS_ONLY, FEW)
    yield f"gate {SIZES[0]}, of a replaced table", _side(folder, "replaced", rows, WARNING, FEW)
    yield f"gate {SIZES[0]}, all fail", _side(folder, "gate", rows, SIZES[0], ALL)


def _side(folder: Path, side: str, rows: int, suite: int | str, share: int) -> dict[str, Any]:
    shutil.rmtree(folder / "out", ignore_errors=True)
    script = ROOT / "bench" / "gate_sides.py"
    arguments = [side, str(folder), str(rows), str(suite), str(share)]
    done = subprocess.run([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, check=True, cwd=folder)
    return json.loads(done.stdout) if done.stdout else {}


def _mixed(size: int) -> list[tuple[str, dict[str, Any]]]:
    """So many expectations: those of a batch, and of a row."""
    return [*(item[:2] for item in BY_ROW[: size - len(BY_BATCH)]), *BY_BATCH]


def _make_project(folder: Path, kwargs_by_type: list[tuple[str, dict[str, Any]]], severity: str = "critical") -> None:
    """A project of one table and its suite."""
    suite = folder / "conf" / "expectations" / f"{TABLE.replace('.', '/')}.json"
    module = folder / "jobs" / f"{TABLE.replace('.', '/')}.py"
    for path in (suite, module, folder / "conf" / "environments" / "local.yaml"):
        path.parent.mkdir(parents=True)
    expectations = [{"type": kind, "kwargs": kwargs, "severity": severity} for kind, kwargs in kwargs_by_type]
    suite.write_text(json.dumps({"name": TABLE, "expectations": expectations}))
    module.touch()
    (folder / "conf" / "environments" / "local.yaml").write_text("lake: lake\n")


def _require_same(results: list[dict[str, Any]]) -> None:
    """All sides except the plain copy split rows equally."""
    splits = {json.dumps(figures["written"], sort_keys=True) for figures in results if len(figures["written"]) > 1}
    assert len(splits) == 1, splits


def _seconds(figures: dict[str, Any], kind: int = 0) -> float:
    return sum(spent[kind] for spent in figures["parts"].values())


def _row(name: str, rows: int, results: list[dict[str, Any]]) -> dict[str, Any]:
    parts = {part: median(item["parts"][part][0] for item in results) for part in results[0]["parts"]}
    return {
        "side": name,
        "rows": rows,
        "seconds": round(median(_seconds(item) for item in results), 2),
        "cpu": round(median(_seconds(item, 1) for item in results), 2),
        "parts": parts,
        "jobs": results[0]["jobs"],
        "scans": results[0]["scans"],
        "staged_mb": round(results[0]["staged_bytes"] / 1e6, 1),
        "peak_mb": round(median(item["peak_mb"] for item in results), 1),
        "written": results[0]["written"],
    }


def _print(rows: list[dict[str, Any]]) -> None:
    plain = rows[0]
    lines = []
    for row in rows:
        ratios = [row[name] / plain[name] for name in ("seconds", "cpu")]
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in row["parts"].items())
        facts = [row[name] for name in ("jobs", "scans", "staged_mb", "peak_mb")]
        lines.append([row["side"], row["seconds"], ratios[0], row["cpu"], ratios[1], *facts, parts])
    columns = ["side", "seconds", "/ plain", "cpu", "/ plain", "jobs", "scans", "staged MB", "peak MB", "parts (s)"]
    print_table(columns, lines)


def _aims(rows: dict[str, dict[str, Any]]) -> list[Aim]:
    aims = []
    for size in SIZES:
        item, gx = rows[f"gate {size}"], rows[f"GX {size}, then split"]
        slower = item["seconds"] / rows["plain"]["seconds"]
        aims.append(at_most(f"gate / plain, {size} expectations", slower, MOST_OF_PLAIN))
        faster = round(gx["seconds"] / item["seconds"], 3)
        aims.append(Aim(f"GX then split / gate, {size}", faster, f">= {LEAST_OF_GX}", faster >= LEAST_OF_GX))
    memory = rows[f"gate {SIZES[0]}, all fail"]["peak_mb"] / rows[f"gate {SIZES[0]}"]["peak_mb"]
    return [*aims, at_most("peak memory, 100 % failing / 1 %", memory, MOST_MEMORY)]


if __name__ == "__main__":
    main()
