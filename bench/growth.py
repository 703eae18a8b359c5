"""Cost follows the change: an increment of 10,000 sales of one day onto ever larger tables.

5 % of the sales are corrections of the last seven days. Each increment runs in a fresh process, as a nightly run
does; the median of `--repeat` increments counts. With random ids the rows of a day are all over the tables' keys:
that is reported too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from statistics import median
from typing import Any

from common import ROOT, at_most, copy_project, land, machine, parse_size, print_table, scratch_folder, size_text
from common import write_results as write

from retail.generate import Spec, uploads

ROWS, LATE_SHARE = 10_000, 0.05
FIRST_DAY, DAYS, STORES = date(2026, 3, 1), 20, 8
LOOK_BACK = 7
AIM = 1.3
_SOUND = {"late": 0, "repeated": 0, "corrected": 0, "broken": 0}
_PROJECT = ROOT / "tests" / "projects" / "sales"


def main() -> None:
    """Grows one lake a size, runs increments, prints the seconds of each table and their ratios."""
    options = _options()
    facts = machine()
    rows = []
    with scratch_folder() as folder:
        project = copy_project(folder / "project", _PROJECT).root
        for random_ids in (False, True) if options.random_ids else (False,):
            for size in options.size:
                lake = folder / f"lake-{size}-{random_ids}"
                rows.append(_measure(project, lake, size, options.repeat, random_ids))
                subprocess.run(["rm", "-rf", str(lake)], check=True)
    _print(rows)
    write("growth", rows, [_aim(rows, options.size)], facts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--size", type=parse_size, action="append", help="landed bytes before the increments; repeatable"
    )
    parser.add_argument("--repeat", type=int, default=3, help="increments of each size [default: 3]")
    parser.add_argument("--random-ids", action="store_true", help="measure random ids too")
    options = parser.parse_args()
    options.size = options.size or [parse_size("10MB"), parse_size("100MB"), parse_size("1GB")]
    return options


def _measure(project: Path, lake: Path, size: int, repeat: int, random_ids: bool) -> dict[str, Any]:
    recent = _land_base(lake, size, random_ids)
    _run(project, lake, FIRST_DAY + timedelta(days=DAYS))
    details = []
    for number in range(repeat):
        day = FIRST_DAY + timedelta(days=DAYS + number)
        _land_increment(lake, day, list(recent), random_ids)
        details.append(_run(project, lake, day + timedelta(days=1)))
        print(f"  {size_text(size)}, increment {number + 1}: {sum(details[-1].values()):.1f} s", file=sys.stderr)
    tables = {name: [item[name] for item in details] for name in details[0]}
    return {"size": size, "ids": "random" if random_ids else "in order of time", "tables": tables}


def _land_base(lake: Path, size: int, random_ids: bool) -> deque[bytes]:
    """Twenty days of sound sales; gives some of the last days' lines, to be corrected."""
    recent: deque[bytes] = deque(maxlen=20_000)
    spec = Spec(stores=STORES, first_day=FIRST_DAY, days=DAYS, size=size, random_ids=random_ids, **_SOUND)
    for upload in uploads(spec):
        land(lake, upload.dataset, upload.store, upload.key, _noon(upload.sent_on), upload.body)
        if (FIRST_DAY + timedelta(days=DAYS) - upload.sent_on).days <= LOOK_BACK:
            recent.extend(upload.body.splitlines()[:200])
    return recent


def _land_increment(lake: Path, day: date, recent: list[bytes], random_ids: bool) -> None:
    late = int(ROWS * LATE_SHARE)
    step = max(1, len(recent) // late)
    lines = [_corrected(line, day) for line in recent[::step][:late]]
    spec = Spec(seed=day.day, stores=1, first_day=day, days=1, transactions=ROWS, random_ids=random_ids, **_SOUND)
    new = (line for upload in uploads(spec) for line in upload.body.splitlines())
    body = b"\n".join([*lines, *_first(new, ROWS - len(lines))])
    land(lake, "transactions", "store-1", f"increment {day}", _noon(day), body)


def _first(lines: Iterator[bytes], count: int) -> list[bytes]:
    return [line for _, line in zip(range(count), lines, strict=False)]


def _corrected(line: bytes, day: date) -> bytes:
    """The sale revised at noon of `day`: paid otherwise."""
    record = json.loads(line)
    record["revised_at"] = f"{day}T12:00:00Z"
    record["payment_method"] = "voucher"
    return json.dumps(record).encode()


def _noon(day: date) -> datetime:
    return datetime.combine(day, clock_time(12), UTC)


def _run(project: Path, lake: Path, listed_on: date) -> dict[str, float]:
    """A run in a fresh process; table -> seconds."""
    script = ROOT / "bench" / "sides.py"
    jvm = "small" if (lake / "silver").exists() else "large"
    arguments = ["headgate", str(project), str(lake), _noon(listed_on).isoformat(), jvm]
    done = subprocess.run([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, check=True, cwd=lake)
    return {table: parts["all"][0] for table, parts in json.loads(done.stdout)["parts"].items()}


def _print(rows: list[dict[str, Any]]) -> None:
    tables = list(rows[0]["tables"])
    lines = []
    for row in rows:
        base = next(item for item in rows if item["ids"] == row["ids"])
        cells: list[Any] = [row["ids"], size_text(row["size"])]
        for table in tables:
            seconds = median(row["tables"][table])
            cells += [seconds, seconds / median(base["tables"][table])]
        lines.append(cells)
    columns = ["ids", "base", *(name for table in tables for name in (table, "ratio"))]
    print_table(columns, lines)


def _aim(rows: list[dict[str, Any]], sizes: list[int]) -> Any:
    """The worst table's ratio between the largest and the smallest base, ids in order of time."""
    ordered = {row["size"]: row["tables"] for row in rows if row["ids"] == "in order of time"}
    first, last = ordered[min(sizes)], ordered[max(sizes)]
    ratios = [median(last[table]) / median(first[table]) for table in first]
    name = f"slowest growing table, {size_text(max(sizes))} / {size_text(min(sizes))}"
    return at_most(name, max(ratios) if len(ordered) > 1 else None, AIM)


if __name__ == "__main__":
    main()
