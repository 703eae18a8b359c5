"""How long a contract takes to read: by its depth, and by its lines. Prints seconds of processor time.

    python bench/contracts.py [--lines 10000] [--repeat 3]

Each contract is read as a run, an upload and the receiver's start read it: `load_contracts` of a project.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from headgate.contracts.contract import load_contracts
from headgate.project import Project

_HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: deep
version: 1.0.0
team: {name: Benchmark}
schema:
  - name: deep
    properties:
"""
_TAIL = """\
customProperties:
  - {property: headgate.format, value: jsonl}
"""
DEPTHS = (4, 8, 12, 16, 20)
#: Aim for the long contract, in seconds.
AIM = 2.0


def nested(depth: int, name: str = "part", first: int = 6) -> list[str]:
    """The lines of a column that holds a leaf below `depth` objects."""
    lines, indent = [], first
    for level in range(depth):
        lines += [" " * indent + f"- name: {name}_{level}", " " * indent + "  logicalType: object"]
        lines.append(" " * indent + "  properties:")
        indent += 4
    return [*lines, " " * indent + f"- {{name: {name}_leaf, logicalType: string}}"]


def long(lines: int, depth: int = 20) -> list[str]:
    """The lines of columns that are nested to `depth`, at least `lines` in all."""
    result: list[str] = []
    while len(result) < lines:
        result += nested(depth, f"column_{len(result)}")
    return result


def seconds(columns: list[str], repeat: int) -> float:
    """The least processor time of `repeat` readings of a contract with these lines of columns, each of a new file."""
    times = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "conf" / "datasets" / "deep.yaml"
            path.parent.mkdir(parents=True)
            path.write_text(_HEAD + "\n".join(columns) + "\n" + _TAIL)
            started = time.process_time()
            load_contracts(Project(Path(folder)))
            times.append(time.process_time() - started)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    seconds(nested(1), 1)  # imports, and ODCS's own schema, which a process reads once
    print("contract                      lines  seconds of CPU")
    for depth in DEPTHS:
        columns = nested(depth)
        print(f"one leaf below {depth:2} objects {len(columns):8} {seconds(columns, options.repeat):15.3f}")
    columns = long(options.lines)
    taken = seconds(columns, options.repeat)
    print(f"columns of depth 20      {len(columns):9} {taken:15.3f}   aim: {AIM} s")
    return 0 if taken <= AIM else 1


if __name__ == "__main__":
    raise SystemExit(main())
