"""The import rules of the design, checked in the sources: permitted imports, and their time.

An import under `if TYPE_CHECKING:` does not count. One inside a function is *lazy*: it counts, and is marked.
"""

from __future__ import annotations

import ast
import graphlib
import re
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
    """An imported module, by the dotted name of the importing module. `lazy` is inside a function."""

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
    """The children of a node, without code for type checkers only."""
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
    """Returns the modules by dotted name: headgate, the servers, orchestration, retail, jobs, and the templates."""
    package = ROOT / "lib" / "headgate"
    paths = [path for path in package.rglob("*.py") if not path.is_relative_to(TEMPLATES)]
    results = {_dotted(path, package.parent): path for path in paths}
    folders = [(name, ROOT) for name in ("ingest_api", "read_api", "orchestration", "retail", "jobs")]
    for folder, base in [*folders, ("templates", package)]:
        results |= {_dotted(path, base): path for path in (base / folder).rglob("*.py")}
    return dict(sorted(results.items()))


def _dotted(path: Path, base: Path) -> str:
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


SOURCES = _sources()


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """Every import of headgate, ingest_api and the jobs."""
    return [
        statement
        for name, path in SOURCES.items()
        for statement in imports_of(path.read_text(), name, SOURCES, package=path.name == "__init__.py")
    ]


# --- the rules: each returns whether an import breaks it

#: The packages of headgate that may import pyspark; `aws` is the only one that may import boto3.
SPARK_PACKAGES = ("headgate.engine", "headgate.testing")
#: The applications that run without Spark and without the command line.
SERVERS = ("ingest_api", "read_api")


def only_engine_and_testing_import_spark(statement: Import) -> bool:
    in_headgate = _within(statement.importer, "headgate") and not _within(statement.importer, *SPARK_PACKAGES)
    if not in_headgate:
        return False
    lazy_in_cli = _within(statement.importer, "headgate.cli") and statement.lazy
    return statement.root in SPARK or (statement.within("headgate.engine") and not lazy_in_cli)


def only_aws_imports_boto3(statement: Import) -> bool:
    in_headgate = _within(statement.importer, "headgate") and not _within(statement.importer, "headgate.aws")
    lazy_in_cli = _within(statement.importer, "headgate.cli") and statement.lazy
    return in_headgate and (statement.root in AWS or (statement.within("headgate.aws") and not lazy_in_cli))


def engine_imports_neither_aws_nor_cli(statement: Import) -> bool:
    return _within(statement.importer, "headgate.engine") and statement.within("headgate.aws", "headgate.cli")


def jobs_import_little(statement: Import) -> bool:
    allowed = {"headgate", "pyspark", *sys.stdlib_module_names}
    inner = statement.within("headgate.cli", "headgate.engine", "headgate.aws", "headgate.testing")
    ok = (statement.root in allowed and not inner) or statement.within("jobs.common")
    return _within(statement.importer, "jobs", "templates.project.jobs") and not ok


def only_tests_import_the_test_kit(statement: Import) -> bool:
    allowed = _within(statement.importer, "headgate.testing", "templates.project.tests")
    return statement.within("headgate.testing") and not allowed


def servers_import_neither_spark_nor_cli(statement: Import) -> bool:
    heavy = statement.root in SPARK or statement.within("headgate.engine", "headgate.cli", "headgate.testing")
    return _within(statement.importer, *SERVERS) and heavy


def only_cli_imports_servers_and_lazily(statement: Import) -> bool:
    allowed = _within(statement.importer, "headgate.cli") and statement.lazy
    return statement.root in SERVERS and not _within(statement.importer, *SERVERS) and not allowed


def orchestration_imports_neither_spark_nor_engine(statement: Import) -> bool:
    heavy = statement.root in SPARK or statement.within("headgate.engine")
    return _within(statement.importer, "orchestration") and heavy


def only_tests_and_benchmarks_import_retail(statement: Import) -> bool:
    return not _within(statement.importer, "retail") and statement.root == "retail"


def retail_imports_neither_spark_nor_engine(statement: Import) -> bool:
    heavy = statement.root in SPARK or statement.within("headgate.engine", "headgate.testing")
    return (
        _within(statement.importer, "retail") and not _within(statement.importer, "retail.online_retail.jobs") and heavy
    )


def only_few_modules_import_great_expectations_and_lazily(statement: Import) -> bool:
    allowed = statement.importer in ("headgate.engine.gate.gx", "headgate.engine.verbs.data_docs") and statement.lazy
    return statement.root == "great_expectations" and not allowed


RULES: list[Callable[[Import], bool]] = [
    only_engine_and_testing_import_spark,
    only_aws_imports_boto3,
    engine_imports_neither_aws_nor_cli,
    jobs_import_little,
    only_tests_import_the_test_kit,
    servers_import_neither_spark_nor_cli,
    only_cli_imports_servers_and_lazily,
    orchestration_imports_neither_spark_nor_engine,
    only_tests_and_benchmarks_import_retail,
    retail_imports_neither_spark_nor_engine,
    only_few_modules_import_great_expectations_and_lazily,
]


def test_no_folder_of_the_framework_has_too_many_modules():
    package = ROOT / "lib" / "headgate"
    counts = {
        str(folder.relative_to(package)): len([p for p in folder.glob("*.py") if p.name != "__init__.py"])
        for folder in [package, *package.rglob("*")]
        if folder.is_dir() and not folder.is_relative_to(TEMPLATES)
    }
    limits = {".": 10, "cli": 33}  # the command line has one thin module per verb
    assert {name: count for name, count in counts.items() if count > limits.get(name, 13)} == {}


def test_no_file_of_the_framework_names_the_retailer():
    texts = {
        path: path.read_text() for path in (ROOT / "lib").rglob("*") if path.suffix in (".py", ".yaml", ".md", ".java")
    }
    assert len(texts) > 100
    assert [str(path) for path, text in texts.items() if re.search("retail", text, re.IGNORECASE)] == []


@pytest.mark.parametrize("breaks", RULES, ids=lambda rule: rule.__name__)
def test_every_import_keeps_the_rule(imports, breaks):
    assert [str(statement) for statement in imports if breaks(statement)] == []


def test_no_modules_import_each_other_in_a_circle(imports):
    assert circle(imports) == []


def circle(imports: Iterable[Import]) -> list[str]:
    """The modules of headgate of a circle of imports that are not lazy; empty where there is none."""
    own = [s for s in imports if not s.lazy and s.importer in SOURCES and s.module in SOURCES]
    graph: dict[str, set[str]] = {}
    for statement in own:
        graph.setdefault(statement.importer, set()).add(statement.module)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


# --- that the rules can fail


@pytest.mark.parametrize(
    ("breaks", "importer", "source"),
    [
        (only_engine_and_testing_import_spark, "headgate.planning.plan", "import pyspark.sql"),
        (only_aws_imports_boto3, "headgate.planning.plan", "def f():\n    import boto3"),
        (only_engine_and_testing_import_spark, "headgate", "from headgate import engine"),
        (orchestration_imports_neither_spark_nor_engine, "orchestration.dags", "from headgate.engine.verbs import run"),
        (only_tests_and_benchmarks_import_retail, "headgate.cli.generate", "def f():\n    import retail"),
        (only_tests_and_benchmarks_import_retail, "ingest_api.land", "from retail.generate import Spec"),
        (retail_imports_neither_spark_nor_engine, "retail.demo", "from headgate.engine.verbs import run"),
        (engine_imports_neither_aws_nor_cli, "headgate.engine.verbs.run", "from headgate.cli.output import progress"),
        (engine_imports_neither_aws_nor_cli, "headgate.engine.verbs.run", "from ...cli import output"),
        (
            only_aws_imports_boto3,
            "headgate.engine.verbs.run",
            "try:\n    import boto3\nexcept ImportError: pass",
        ),
        (jobs_import_little, "jobs.silver.x", "import pandas"),
        (jobs_import_little, "jobs.silver.x", "from jobs.gold import y"),
        (jobs_import_little, "jobs.silver.x", "from headgate.engine import run"),
        (jobs_import_little, "jobs.silver.x", "from headgate.testing import assert_rows"),
        (only_tests_import_the_test_kit, "headgate.cli.run", "def f():\n    from headgate.testing import faults"),
        (servers_import_neither_spark_nor_cli, "ingest_api.app", "from headgate.cli.output import progress"),
        (servers_import_neither_spark_nor_cli, "ingest_api.app", "from headgate.engine import run"),
        (servers_import_neither_spark_nor_cli, "ingest_api.app", "import pyspark"),
        (
            only_cli_imports_servers_and_lazily,
            "headgate.cli.upload",
            "import ingest_api.landing.direct",
        ),
        (only_cli_imports_servers_and_lazily, "headgate.planning.plan", "def f():\n    import ingest_api.app"),
        (only_few_modules_import_great_expectations_and_lazily, "headgate.engine.gate.gx", "import great_expectations"),
        (
            only_few_modules_import_great_expectations_and_lazily,
            "headgate.engine.gate.rules",
            "def f():\n    from great_expectations import expectations",
        ),
    ],
)
def test_a_breach_is_seen(breaks, importer, source):
    assert any(breaks(statement) for statement in imports_of(source, importer, SOURCES))


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("headgate.planning.plan", "from headgate.table import Changes"),
        ("headgate.planning.plan", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pyspark"),
        ("jobs.silver.x", "import datetime\nfrom pyspark.sql import functions\nfrom jobs.common.money import cents"),
        (
            "ingest_api.app",
            "from headgate.contracts import contract\nfrom headgate.lake.upload_identity import Upload",
        ),
        ("headgate.cli.upload", "def f():\n    from ingest_api.landing.direct import land_bytes"),
    ],
)
def test_what_is_allowed_breaks_no_rule(importer, source):
    result = imports_of(source, importer, SOURCES)
    assert [rule.__name__ for rule in RULES for statement in result if rule(statement)] == []


def test_a_circle_is_seen_unless_an_import_of_it_is_lazy():
    there = Import("headgate.planning.plan", "headgate.planning.graph", 1, lazy=False)
    back = Import("headgate.planning.graph", "headgate.planning.plan", 1, lazy=False)
    lazily_back = Import("headgate.planning.graph", "headgate.planning.plan", 1, lazy=True)
    assert set(circle([there, back])) == {"headgate.planning.plan", "headgate.planning.graph"}
    assert circle([there, lazily_back]) == []


def test_the_sources_are_found():
    assert {
        "headgate",
        "headgate.planning.plan",
        "headgate.engine",
        "headgate.cli.run",
        "ingest_api.app",
    } <= set(SOURCES)
    assert {"jobs.silver.transactions", "templates.project.jobs.silver.readings"} <= set(SOURCES)
