"""Builds the package of the Lambda for uploads on arrival: `make lambda`. The same sources give the same bytes.

It contains the handler and the few modules of Headgate that it imports. Lambda's runtime includes boto3.
"""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "build" / "on_arrival.zip"
HANDLER = ROOT / "orchestration" / "lambda" / "on_arrival.py"
MODULES = (
    "__init__",
    "errors",
    "table",
    "aws/__init__",
    "aws/events",
    "aws/jobs",
    "contracts/__init__",
    "contracts/automation",
    "planning/__init__",
    "planning/manifest",
)
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can contain


def build(package: Path) -> None:
    """Writes the package."""
    package.parent.mkdir(parents=True, exist_ok=True)
    files = {"on_arrival.py": HANDLER}
    files |= {f"headgate/{name}.py": ROOT / "lib" / "headgate" / f"{name}.py" for name in MODULES}
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    build(PACKAGE)
    sys.stdout.write(f"{PACKAGE.relative_to(ROOT)}: {PACKAGE.stat().st_size:,} bytes\n")
