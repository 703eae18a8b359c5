"""The import rules of the design, read from the sources: who may import whom, and when.

An import under `if TYPE_CHECKING:` does not count. One inside a function is *lazy*: it counts, and is marked.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "lib" / "headgate" / "templates"
SPARK = {"pyspark", "delta", "py4j"}
AWS = {"boto3", "botocore"}


@dataclass(frozen=True)
class Import:
    """One imported module, by the dotted name of who imports it. `lazy` is inside a function."""

    importer: str
    module: str
    line: int
    lazy: bool

    @property
    def root(self) -> str:
        return self.module.partition(".")[0]

    def within(self, *packages: str) -> bool:
        return _within(self.module, *packages)

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}"


def _within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


# --- reading


def imports_of(source: str, importer: str, known: Iterable[str], *, package: bool = False) -> list[Import]:
    """Every import of a module's source that counts. `known` tells `from x import y`'s module from a name."""
    return list(_walk(ast.parse(source), importer, frozenset(known), package, lazy=False))


def _walk(node: ast.AST, importer: str, known: frozenset[str], package: bool, *, lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        for module in _modules(node, importer, known, package):
            yield Import(importer, module, node.lineno, lazy)
        return
    inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in _counted(node):
        yield from _walk(child, importer, known, package, lazy=inside)


def _counted(node: ast.AST) -> Iterable[ast.AST]:
    """The children of a node, without what only a type checker sees."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        return node.orelse
    return ast.iter_child_nodes(node)


def _modules(node: ast.Import | ast.ImportFrom, importer: str, known: frozenset[str], package: bool) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parts = importer.split(".")
        around = parts[: len(parts) - node.level + package]
        base = ".".join([*around, base] if base else around)
    inner = (f"{base}.{alias.name}" for alias in node.names)
    return list(dict.fromkeys(name if name in known else base for name in inner))


def _sources() -> dict[str, Path]:
    """The modules by dotted name: headgate, the receiver, this project's jobs, and `templates.` with theirs."""
    package = ROOT / "lib" / "headgate"
    paths = [path for path in package.rglob("*.py") if not path.is_relative_to(TEMPLATES)]
    found = {_dotted(path, package.parent): path for path in paths}
    for folder, base in (("ingest_api", ROOT), ("jobs", ROOT), ("templates", package)):
        found |= {_dotted(path, base): path for path in (base / folder).rglob("*.py")}
    return dict(sorted(found.items()))


def _dotted(path: Path, base: Path) -> str:
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


SOURCES = _sources()


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """Every import of headgate, ingest_api and the jobs."""
    return [
        one
        for name, path in SOURCES.items()
        for one in imports_of(path.read_text(), name, SOURCES, package=path.name == "__init__.py")
    ]


# --- the rules: each says whether an import breaks it


def top_without_spark_or_aws(one: Import) -> bool:
    heavy = one.root in SPARK | AWS or one.within("headgate.engine", "headgate.aws")
    return _is_top(one.importer) and heavy


def engine_knows_neither_aws_nor_cli(one: Import) -> bool:
    return _within(one.importer, "headgate.engine") and (one.root in AWS or one.within("headgate.aws", "headgate.cli"))


def jobs_import_little(one: Import) -> bool:
    allowed = {"headgate", "pyspark", *sys.stdlib_module_names}
    inner = one.within("headgate.cli", "headgate.engine", "headgate.aws", "headgate.testing")
    ok = (one.root in allowed and not inner) or one.within("jobs.common")
    return _within(one.importer, "jobs", "templates.project.jobs") and not ok


def only_tests_import_the_test_kit(one: Import) -> bool:
    allowed = _within(one.importer, "headgate.testing", "templates.project.tests")
    return one.within("headgate.testing") and not allowed


def receiver_imports_top_modules(one: Import) -> bool:
    foreign = one.root in SPARK or (one.root == "headgate" and not _is_top(one.module))
    return _within(one.importer, "ingest_api") and foreign


def only_cli_imports_the_receiver_and_lazily(one: Import) -> bool:
    allowed = _within(one.importer, "headgate.cli") and one.lazy
    return one.root == "ingest_api" and not _within(one.importer, "ingest_api") and not allowed


def only_few_modules_import_great_expectations_and_lazily(one: Import) -> bool:
    allowed = one.importer in ("headgate.engine.gx", "headgate.engine.data_docs") and one.lazy
    return one.root == "great_expectations" and not allowed


def _is_top(module: str) -> bool:
    """Whether a module stands directly in headgate's folder, or in a folder that is one of these modules."""
    path, top = SOURCES.get(module), ROOT / "lib" / "headgate"
    return path is not None and path.parent in (top, top / "reconcile")


RULES: list[Callable[[Import], bool]] = [
    top_without_spark_or_aws,
    engine_knows_neither_aws_nor_cli,
    jobs_import_little,
    only_tests_import_the_test_kit,
    receiver_imports_top_modules,
    only_cli_imports_the_receiver_and_lazily,
    only_few_modules_import_great_expectations_and_lazily,
]


@pytest.mark.parametrize("breaks", RULES, ids=lambda rule: rule.__name__)
def test_every_import_keeps_the_rule(imports, breaks):
    assert [str(one) for one in imports if breaks(one)] == []


def test_no_modules_import_each_other_in_a_circle(imports):
    assert circle(imports) == []


def circle(imports: Iterable[Import]) -> list[str]:
    """The modules of headgate of a circle of imports that are not lazy; empty where there is none."""
    own = [one for one in imports if not one.lazy and one.importer in SOURCES and one.module in SOURCES]
    graph: dict[str, set[str]] = {}
    for one in own:
        graph.setdefault(one.importer, set()).add(one.module)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


# --- that the rules can fail


@pytest.mark.parametrize(
    ("breaks", "importer", "source"),
    [
        (top_without_spark_or_aws, "headgate.plan", "import pyspark.sql"),
        (top_without_spark_or_aws, "headgate.plan", "def f():\n    import boto3"),
        (top_without_spark_or_aws, "headgate", "from headgate import engine"),
        (engine_knows_neither_aws_nor_cli, "headgate.engine.run", "from headgate.cli.output import progress"),
        (engine_knows_neither_aws_nor_cli, "headgate.engine.run", "from ..cli import output"),
        (engine_knows_neither_aws_nor_cli, "headgate.engine.run", "try:\n    import boto3\nexcept ImportError: pass"),
        (jobs_import_little, "jobs.silver.x", "import pandas"),
        (jobs_import_little, "jobs.silver.x", "from jobs.gold import y"),
        (jobs_import_little, "jobs.silver.x", "from headgate.engine import run"),
        (jobs_import_little, "jobs.silver.x", "from headgate.testing import assert_rows"),
        (only_tests_import_the_test_kit, "headgate.cli.run", "def f():\n    from headgate.testing import faults"),
        (receiver_imports_top_modules, "ingest_api.land", "from headgate.cli.output import progress"),
        (receiver_imports_top_modules, "ingest_api.land", "from headgate.engine import run"),
        (receiver_imports_top_modules, "ingest_api.land", "import pyspark"),
        (only_cli_imports_the_receiver_and_lazily, "headgate.cli.upload", "from ingest_api.direct import land_bytes"),
        (only_cli_imports_the_receiver_and_lazily, "headgate.plan", "def f():\n    import ingest_api.app"),
        (only_few_modules_import_great_expectations_and_lazily, "headgate.engine.gx", "import great_expectations"),
        (
            only_few_modules_import_great_expectations_and_lazily,
            "headgate.engine.rules",
            "def f():\n    from great_expectations import expectations",
        ),
    ],
)
def test_a_breach_is_seen(breaks, importer, source):
    assert any(breaks(one) for one in imports_of(source, importer, SOURCES))


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("headgate.plan", "from headgate.table import Changes"),
        ("headgate.plan", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pyspark"),
        ("jobs.silver.x", "import datetime\nfrom pyspark.sql import functions\nfrom jobs.common.money import cents"),
        ("ingest_api.land", "from headgate import contract\nfrom headgate.landing import Upload"),
        ("headgate.cli.upload", "def f():\n    from ingest_api.direct import land_bytes"),
    ],
)
def test_what_is_allowed_breaks_no_rule(importer, source):
    found = imports_of(source, importer, SOURCES)
    assert [rule.__name__ for rule in RULES for one in found if rule(one)] == []


def test_a_circle_is_seen_unless_an_import_of_it_is_lazy():
    there = Import("headgate.plan", "headgate.graph", 1, lazy=False)
    back = Import("headgate.graph", "headgate.plan", 1, lazy=False)
    lazily_back = Import("headgate.graph", "headgate.plan", 1, lazy=True)
    assert set(circle([there, back])) == {"headgate.plan", "headgate.graph"}
    assert circle([there, lazily_back]) == []


def test_the_sources_are_found():
    assert {"headgate", "headgate.plan", "headgate.engine", "headgate.cli.run", "ingest_api.land"} <= set(SOURCES)
    assert {"jobs.silver.transactions", "templates.project.jobs.silver.readings"} <= set(SOURCES)
