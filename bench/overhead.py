"""The cost of Headgate compared with the same tables written by hand: the first build, and an increment of 2 %.

Both sides read the same landed files on the same machine, each in a fresh process with the same Spark
settings, in turns. The gold tables have to be equal. A ratio is that of the medians. `cpu` are the
processor seconds of the build: where other work shares the machine, trust their ratio.

`--model sales` makes four tables, of uploads of which 2 % are broken. `--model whole` makes the retailer's whole model,
of sound uploads and without its suites, which `gate` measures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
from common import (
    ROOT,
    SALES,
    Aim,
    at_most,
    copy_project,
    land,
    link_tree,
    machine,
    parse_size,
    print_table,
    scratch_folder,
    size_text,
    write_results,
)
from sides import MODELS

from headgate.planning.graph import load_graph
from headgate.project import Project
from retail.generate import GeneratedUpload, Spec, uploads
from retail.generate.spec import DATASETS, FORMATS

SIDES = ("hand", "headgate")
MEASURES = ("session", "build", "cpu", "process")
ITEMS = {"hand": "items", "headgate": "silver/transaction_items"}
FIRST_DAY, DAYS = date(2026, 3, 1), 20
INCREMENT = 0.02
AIM_SIZE, AIM_RATIO = 500_000_000, 1.10
# Up to this many landed bytes `headgate run` starts a JVM for little data. Both sides use the same JVM settings.
SMALL_BYTES = 64 * 2**20
_SHARES = {"late": 0.02, "repeated": 0.03, "corrected": 0.03, "broken": 0.02}


@dataclass(frozen=True)
class Batch:
    """What is landed between two runs; `clock` is the time at which the run after it lists."""

    name: str
    folder: Path
    clock: datetime
    bytes: int
    uploads: int


def main() -> None:
    """Measures each size, prints the tables, writes the results."""
    options = _options()
    facts = machine()
    with scratch_folder() as folder:
        project = _project(folder / "project", options.model)
        rows = [row for size in options.size for row in _measure(project, folder, size, options)]
    for row in rows:
        _print_parts(row)
    _print_rows(rows)
    if options.model == "sales":
        write_results("overhead", rows, _aims(rows), facts)
    else:
        write_results("overhead-whole", rows, [], facts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=parse_size, action="append", help="landed bytes, such as 500MB; repeatable")
    parser.add_argument(
        "--model", choices=list(MODELS), default="sales", help="the tables of both sides [default: sales]"
    )
    parser.add_argument("--repeat", type=int, help="times that each side runs (default: 3, from 100MB on 2)")
    options = parser.parse_args()
    options.size = options.size or [parse_size("10MB")]
    return options


def _project(folder: Path, model: str) -> Project:
    """What is measured: no suites, for the baseline has none."""
    if model == "sales":
        return copy_project(folder, SALES)
    project = copy_project(folder)
    shutil.rmtree(folder / "conf" / "expectations")
    return project


# --- the data


def _batches(folder: Path, size: int, model: str) -> list[Batch]:
    """Twenty days, and then another day with late uploads of the days before."""
    last = FIRST_DAY + timedelta(days=DAYS - 1)
    made = _of_sales if model == "sales" else _of_all
    landed: dict[str, list[int]] = {"first build": [], "increment": []}
    for name, number in _land_split(folder, made(size, last + timedelta(days=1)), last):
        landed[name].append(number)
    clocks = {"first build": last + timedelta(days=1), "increment": last + timedelta(days=9)}
    return [
        Batch(name, folder / name, _moment(clocks[name], 0), sum(sizes), len(sizes)) for name, sizes in landed.items()
    ]


def _of_sales(size: int, next_day: date) -> Iterator[GeneratedUpload]:
    yield from uploads(_spec(size, FIRST_DAY, DAYS))
    yield from uploads(_spec(round(size * INCREMENT), next_day, 1))


def _of_all(size: int, _: date) -> Iterator[GeneratedUpload]:
    """Every dataset, in days of equal size: versions of a customer go on from day to day."""
    days = DAYS + 1
    spec = _spec(round(size * days / DAYS), FIRST_DAY, days)
    yield from uploads(replace(spec, datasets=DATASETS, broken=0))


def _spec(size: int, first_day: date, days: int) -> Spec:
    return Spec(seed=7, stores=8, first_day=first_day, days=days, size=size, uploads=4, **_SHARES)


def _land_split(folder: Path, made: Iterable[GeneratedUpload], last: date) -> Iterable[tuple[str, int]]:
    """Lands each upload in the batch of its day. A repeat has a key of its own: its records come twice."""
    for upload in made:
        name = "first build" if upload.sent_on <= last else "increment"
        key = f"{upload.key}-again" if upload.kind == "repeat" else upload.key
        at, suffix = _moment(upload.sent_on, 12), FORMATS[upload.dataset][1]
        land(folder / name, upload.dataset, upload.store, key, at, upload.body, suffix)
        yield name, len(upload.body)


def _moment(day: date, hour: int) -> datetime:
    return datetime.combine(day, clock_time(hour), UTC)


# --- the measurement


def _measure(project: Project, folder: Path, size: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The two rows of a size: its first build and its increment."""
    data = folder / f"data-{size}"
    batches = _batches(data, size, options.model)
    gold = [name.removeprefix("gold.") for name in load_graph(project).nodes if name.startswith("gold.")]
    runs: list[dict[str, Any]] = []
    for number in range(options.repeat or (3 if size < 100_000_000 else 2)):
        lakes = {side: folder / f"lake-{size}-{number}-{side}" for side in SIDES}
        for batch in batches:
            runs += _turn(project, batch, lakes, number, options.model)
            _assert_equal(lakes, gold)
        for lake in lakes.values():
            subprocess.run(["rm", "-rf", str(lake)], check=True)
    return [_row(size, batch, [run for run in runs if run["batch"] == batch.name]) for batch in batches]


def _turn(project: Project, batch: Batch, lakes: dict[str, Path], number: int, model: str) -> list[dict[str, Any]]:
    """Both sides once, in alternating order."""
    order = SIDES if number % 2 == 0 else tuple(reversed(SIDES))
    details = []
    for side in order:
        link_tree(batch.folder, lakes[side])
        os.sync()
        details.append({"side": side, "batch": batch.name, **_run_side(side, project, lakes[side], batch, model)})
        print(f"  {size_text(batch.bytes)} {batch.name}, {side}: build {details[-1]['build']:.1f} s", file=sys.stderr)
    return details


def _run_side(side: str, project: Project, lake: Path, batch: Batch, model: str) -> dict[str, Any]:
    """A side in a fresh process; `process` are the seconds from its start to its end."""
    script = ROOT / "bench" / "sides.py"
    jvm = "small" if batch.bytes <= SMALL_BYTES else "large"
    arguments = [side, str(project.root), str(lake), batch.clock.isoformat(), jvm, model]
    started = time.perf_counter()
    done = subprocess.run([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, check=True, cwd=lake)
    return {**json.loads(done.stdout), "process": time.perf_counter() - started}


def _assert_equal(lakes: dict[str, Path], gold: list[str]) -> None:
    """Both sides hold the same gold rows, and as many items."""
    for name in gold:
        hand, headgate = _gold(lakes["hand"] / "gold_of" / name), _gold(lakes["headgate"] / "gold" / name)
        text = f"the two sides' {name} differ: {len(hand)} and {len(headgate)} rows"
        assert hand.cast(headgate.schema).equals(headgate), text
        assert len(hand), f"{name} is empty"
    items = {side: _open(lakes[side] / ITEMS[side]).count() for side in SIDES}
    assert items["hand"] == items["headgate"], items


def _gold(path: Path) -> pa.Table:
    """A table's business columns, its rows in the order of all of them."""
    table = _open(path).to_pyarrow_dataset().to_table()
    names = sorted(name for name in table.column_names if not name.startswith("_"))
    return table.select(names).sort_by([(name, "ascending") for name in names])


def _open(path: Path) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(path))


# --- results


def _row(size: int, batch: Batch, runs: list[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"size": size, "batch": batch.name, "bytes": batch.bytes, "uploads": batch.uploads}
    for part in MEASURES:
        seconds = {side: [round(run[part], 2) for run in runs if run["side"] == side] for side in SIDES}
        middle = {side: median(seconds[side]) for side in SIDES}
        row[part] = {**seconds, "ratio": round(middle["headgate"] / middle["hand"], 3)}
    row["parts"] = {side: _parts([run["parts"] for run in runs if run["side"] == side]) for side in SIDES}
    return row


def _parts(results: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Table -> part -> the medians of wall and of processor seconds."""
    return {
        table: {part: _middles(item[table].get(part, (0.0, 0.0)) for item in results) for part in parts}
        for table, parts in results[0].items()
    }


def _middles(spent: Iterable[Iterable[float]]) -> list[float]:
    return [round(median(values), 2) for values in zip(*spent, strict=True)]


def _print_parts(row: dict[str, Any]) -> None:
    """The parts of Headgate's time, compared with the table by hand."""
    own, hand = row["parts"]["headgate"], row["parts"]["hand"]
    total = sum(parts["all"][0] for parts in own.values())
    print(f"\nHeadgate, {size_text(row['size'])}, {row['batch']}: where the {total:.1f} s of the build go")
    lines: list[list[Any]] = []
    for table, parts in own.items():
        by_hand = hand.get(table, {"all": [None, None]})["all"]
        lines.append([table, "", *parts["all"], f"{parts['all'][0] / total:.0%}", *by_hand])
        inner = sorted((pair for pair in parts.items() if pair[0] != "all"), key=lambda pair: -pair[1][0])
        shown = [(name, spent) for name, spent in inner if spent[0] > total / 200]
        lines += [["", name, *spent, f"{spent[0] / total:.0%}", None, None] for name, spent in shown]
    print_table(["table", "part", "seconds", "cpu", "share", "by hand", "cpu by hand"], lines)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    columns = ["size", "batch", "MB", "uploads"]
    columns += [f"{part} {side}" for part in MEASURES for side in SIDES]
    lines = []
    for row in rows:
        seconds = [median(row[part][side]) for part in MEASURES for side in SIDES]
        ratios = [row[part]["ratio"] for part in MEASURES[1:]]
        lines.append([size_text(row["size"]), row["batch"], row["bytes"] / 1e6, row["uploads"], *seconds, *ratios])
    print_table([*columns, *(f"ratio {part}" for part in MEASURES[1:])], lines)


def _aims(rows: list[dict[str, Any]]) -> list[Aim]:
    """The build's ratio at 500 MB; not measured where that size was not run."""
    ratios = [r["build"]["ratio"] for r in rows if r["size"] == AIM_SIZE and r["batch"] == "first build"]
    name = "headgate / hand, first build of 500 MB, without the start of Spark"
    return [at_most(name, ratios[0] if ratios else None, AIM_RATIO)]


if __name__ == "__main__":
    main()
