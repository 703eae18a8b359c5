"""Each package that Headgate imports is installed with it, or by an extra of its part."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.distribution import setup_arguments
from tests.processes import ROOT

OWN = {"headgate", "ingest_api", "read_api", "orchestration"}
#: Folder -> the extras that its users install. Without one a folder uses the core alone.
PARTS = {
    "lib/headgate/engine": ("spark",),
    "lib/headgate/testing": ("spark", "testing"),
    "lib/headgate/queries": ("query",),
    "lib/headgate/site": ("docs",),
    "lib/headgate/aws": ("aws",),
    "lib/headgate/contracts": (),
    "lib/headgate/formats": (),
    "lib/headgate/ledger": (),
    "lib/headgate/lake": (),
    "lib/headgate/planning": (),
    "lib/headgate/propose": (),
    "lib/headgate/suites": (),
    "ingest_api": ("receiver",),
    "read_api": ("api",),
}
#: What a part imports and its extra leaves out, with the reason.
LEFT_OUT = {
    "pandas": "needed by great-expectations, of which it is a dependency",
    "numpy": "needed by great-expectations, of which it is a dependency",
    "py4j": "a dependency of pyspark",
    "werkzeug": "a dependency of flask",
    "boto3": "only for S3 and AWS, with the extra aws",
    "botocore": "a dependency of boto3",
}


@pytest.fixture(scope="module")
def declared() -> dict[str, list[str]]:
    """The requirements that setup.py names: of the core as "", and of each extra."""
    arguments = setup_arguments()
    return {"": arguments["install_requires"], **arguments["extras_require"]}


def imported(folder: Path) -> Iterator[tuple[str, Path]]:
    """The packages that a folder's modules import, also inside functions."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0], path


def distribution_name(requirement: str) -> str:
    return re.split(r"[\[<>=~!; ]", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize("folder", PARTS)
def test_a_part_imports_only_what_its_extras_install(declared, folder):
    extras = ("", *PARTS[folder])
    installed = {distribution_name(requirement) for extra in extras for requirement in declared[extra]}
    distributions = packages_distributions()
    missing = {
        (package, str(path.relative_to(ROOT)))
        for package, path in imported(ROOT / folder)
        if package not in sys.stdlib_module_names and package not in OWN and package not in LEFT_OUT
        if not {name.lower().replace("_", "-") for name in distributions.get(package, [package])} & installed
    }
    assert missing == set()
