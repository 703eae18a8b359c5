"""What the benchmarks share: a lake to work in, the machine's facts, a table on the terminal, a results file."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from headgate.contracts.environment import Environment, load_environment
from headgate.java import find_java, java_version
from headgate.lake.upload_identity import Upload, hash_of_key, whole_hour
from headgate.project import Project

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the package `retail`, which the benchmarks import after this module
RESULTS = ROOT / "bench" / "results"
#: The project of the three tables that the baseline makes by hand too.
SALES = ROOT / "tests" / "projects" / "sales"
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Aim:
    """A number to hold. `ok` is None where this run did not measure it."""

    name: str
    value: float | None
    aim: str
    ok: bool | None


def at_most(name: str, value: float | None, most: float, unit: str = "") -> Aim:
    """An aim that is met by `most` and less."""
    rounded = None if value is None else round(value, 3)
    return Aim(name, rounded, f"<= {most}{unit}", None if rounded is None else rounded <= most)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder:
        yield Path(folder)


def copy_project(folder: Path, source: Path = ROOT) -> Project:
    """The contracts and tables of `source` as a project of their own, so that no cache is shared."""
    for part in ("conf", "jobs"):
        shutil.copytree(source / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(folder)


def environment_on(project: Project, lake: Path) -> Environment:
    """The local environment, on a lake in a folder."""
    return load_environment(project, "local", environ={"HEADGATE_LAKE": str(lake)})


def land(lake: Path, dataset: str, store: str, key: str, at: datetime, body: bytes, suffix: str = ".jsonl") -> Path:
    """Writes one upload where the receiver would, received at `at`."""
    upload = Upload(dataset, store, whole_hour(at), hash_of_key(store, dataset, key))
    path = lake / upload.path(suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def link_tree(source: Path, target: Path) -> None:
    """The files below `source` in `target` too, as hard links: no bytes are copied, times stay."""
    shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)


def parse_size(text: str) -> int:
    """Bytes of a text such as 500MB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", text.strip().upper())
    if match is None or match.group(2) not in _UNITS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size: use a size such as 10MB")
    return round(float(match.group(1)) * _UNITS[match.group(2)])


def size_text(size: int) -> str:
    """500000000 as 500 MB."""
    return f"{size / 1e6:g} MB"


def machine() -> dict[str, Any]:
    """What the seconds depend on. `load` is the load average of the last minute: other work slows both sides."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "java": java_version(str(find_java())),
        "packages": {name: version(name) for name in ("pyspark", "delta-spark", "deltalake")},
        "load": round(os.getloadavg()[0], 2),
    }


_seen_ticks: dict[tuple[int, str], int] = {}


def cpu_seconds() -> float:
    """The processor time so far of this process and all below it, the JVM and its Python workers; 0 without /proc.

    Where other work shares the machine it tells more than the clock. A process that has ended counts as
    it was when it was last seen here.
    """
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    wanted = [os.getpid()] if stats else []
    while wanted:
        pid = wanted.pop()
        started, ticks = stats[pid][19], sum(map(int, stats[pid][11:13]))
        _seen_ticks[pid, started] = ticks
        wanted += [child for child, fields in stats.items() if int(fields[1]) == pid]
    return sum(_seen_ticks.values()) / os.sysconf("SC_CLK_TCK")


def write_results(name: str, rows: Sequence[Mapping[str, Any]], aims: Sequence[Aim], before: Mapping[str, Any]) -> None:
    """Writes bench/results/<name>.json and prints the aims. `before` are the machine's facts at the start."""
    facts = {**before, "load": [before["load"], round(os.getloadavg()[0], 2)]}
    arguments = f' ARGS="{shlex.join(sys.argv[1:])}"' if sys.argv[1:] else ""
    content = {
        "command": f"make bench NAME={Path(sys.argv[0]).stem}{arguments}",
        "measured_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "machine": facts,
        "rows": list(rows),
        "aims": [asdict(aim) for aim in aims],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    print(f"\n{facts['cores']} cores, {facts['memory_gb']} GB, load {facts['load'][0]} -> {facts['load'][1]}")
    if aims:
        print_table(["aim", "value", "wanted", ""], [[a.name, _shown(a.value), a.aim, _verdict(a)] for a in aims])


def with_kept(name: str, rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Returns rows with those of the last results that this run, a part of the whole, did not measure again.

    `keys` say what is measured; a benchmark sorts the rows itself.
    """
    path = RESULTS / f"{name}.json"
    kept = json.loads(path.read_text())["rows"] if path.exists() else []
    measured = {tuple(row[key] for key in keys) for row in rows}
    return [*(row for row in kept if tuple(row.get(key) for key in keys) not in measured), *rows]


def _verdict(aim: Aim) -> str:
    return {None: "not measured", True: "ok", False: "MISSED"}[aim.ok]


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints rows under their columns; numbers to the right."""
    texts = [[_shown(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(columns, *texts, strict=True)]
    numeric = [all(isinstance(row[n], int | float | None) for row in rows) for n in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = (c.rjust(w) if right else c.ljust(w) for c, w, right in zip(cells, widths, numeric, strict=True))
        return "  ".join(padded).rstrip()

    print("\n" + line(columns))
    print("  ".join("-" * width for width in widths))
    for cells in texts:
        print(line(cells))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
