"""Everything of a project that can be judged without data and without Spark, at once: `headgate check`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from headgate.checks.athena import unreadable_columns, unreadable_protocol
from headgate.checks.declared_columns import declaration_problems
from headgate.contracts.contract import load_contracts
from headgate.contracts.environment import Environment, load_environment
from headgate.contracts.table_contract import TableContract, load_table_contracts, logged_type
from headgate.document import Place, Problem
from headgate.errors import HeadgateError
from headgate.ledger.ledger import Ledger, schema_of
from headgate.modules import load_table, module_paths
from headgate.planning.graph import Graph, Node, load_graph
from headgate.planning.state import is_older
from headgate.project import Project
from headgate.queries.check import query_problems
from headgate.queries.saved import query_files
from headgate.suites.suite import load_suites, require_columns, require_types, suite_files

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Checked:
    """The number of files of each kind, and their problems, in the order of files and lines."""

    counts: Mapping[str, int]
    problems: tuple[Problem, ...]


def check_project(project: Project, environment: str) -> Checked:
    """Loads contracts, contracts of tables, suites, modules and environments; lints gold for Athena.

    A file that is wrong hides nothing that is wrong in another. The lake looked at is that of `environment`, to
    which alone HEADGATE_ variables belong; where there is none yet, nothing is made.
    """
    result = _Problems()
    result.of(load_contracts, project)
    published = result.of(load_table_contracts, project) or {}
    suites = result.of(load_suites, project) or {}
    environments = {name: result.of(_environment, project, name, environment) for name in _names(project, environment)}
    modules = module_paths(project)
    for path in modules:
        result.of(load_table, project, path)
    graph = None if result.problems else result.of(load_graph, project)  # it loads all of them again
    tables = _Tables(project, published, graph, _lake(environments.get(environment)))
    result.of(tables.lint, result)
    if graph is not None:
        result.problems += result.of(_declared, project, graph, tables.columns) or []
    result.problems += result.of(query_problems, project, tables.types) or []
    for suite in suites.values():
        if columns := result.of(tables.columns, suite.table):
            result.of(require_columns, suite, columns)
            result.of(require_types, suite, columns)
    files = {
        "contracts": project.datasets.glob("*.y*ml"),
        "contracts of tables": project.tables.rglob("*.y*ml"),
        "suites": suite_files(project),
        "modules": modules,
        "queries": query_files(project),
        "environments": project.environments.glob("*.yaml"),
    }
    return Checked({kind: len(list(paths)) for kind, paths in files.items()}, result.in_order)


def _declared(project: Project, graph: Graph, columns: Callable[[str], Collection[str]]) -> list[Problem]:
    return list(declaration_problems(project, graph, columns))


class _Problems:
    """Collects problems, and continues."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def of(self, load: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What `load` gives; None where it fails, and why is kept."""
        try:
            return load(*args, **kwargs)
        except HeadgateError as error:
            self.problems += error.problems or [Problem(Place(error.where), "", error.message, error.fix)]
            return None

    @property
    def in_order(self) -> tuple[Problem, ...]:
        return tuple(sorted(self.problems, key=lambda problem: (problem.place.file, problem.place.line)))


def _names(project: Project, wanted: str) -> list[str]:
    """The environments of the project, and the requested environment, even without a file."""
    return sorted({wanted, *(path.stem for path in project.environments.glob("*.yaml"))})


def _environment(project: Project, name: str, wanted: str) -> Environment:
    return load_environment(project, name) if name == wanted else load_environment(project, name, environ={})


def _lake(environment: Environment | None) -> Ledger | None:
    """The lake's logs; None if the lake does not exist, because opening a folder would create it."""
    if environment is None or (environment.is_folder and not Path(environment.lake).is_dir()):
        return None
    return Ledger(environment)


@dataclass(frozen=True)
class _Tables:
    """What is known of tables: by their contracts, and by their logs where they are built."""

    project: Project
    contracts: Mapping[str, TableContract]
    graph: Graph | None
    ledger: Ledger | None

    def columns(self, table: str) -> Mapping[str, Any]:
        """Column -> type of a table, by its contract, or by its log if the current code built it; empty if unknown."""
        if table in self.contracts:
            return {field.name: logged_type(field) for field in self.contracts[table].fields}
        if self.graph is None or self.ledger is None:
            return {}
        head = self.ledger.head(table)
        if not head.exists or is_older(self.graph.node(table), head):
            return {}
        schema = self.ledger.schema(table, head.version)
        return {name: kind for name, kind in schema.items() if not name.startswith("_")}

    def types(self) -> dict[str, Mapping[str, Any]]:
        """Column -> type of each gold table, by its contract, or by its log where it has none and is built."""
        results: dict[str, Mapping[str, Any]] = {}
        for table in sorted({*self.contracts, *(self.graph.nodes if self.graph else ())}):
            if not table.startswith("gold."):
                continue
            if table in self.contracts:
                results[table] = {field.name: logged_type(field) for field in self.contracts[table].fields}
            elif self.ledger is not None and (delta := self.ledger.open(table)) is not None:
                results[table] = schema_of(delta.schema().to_json())
        return results

    def lint(self, problems: _Problems) -> None:
        """Adds the problems that Athena has with gold tables. A problem of contract and log is reported once."""
        for table in sorted({*self.contracts, *(self.graph.nodes if self.graph else ())}):
            if table.startswith("gold."):
                by_contract = list(self._by_contract(table))
                known = {(problem.path, problem.message) for problem in by_contract}
                problems.problems += by_contract
                problems.problems += [item for item in self._by_log(table) if (item.path, item.message) not in known]

    def _by_contract(self, table: str) -> Iterator[Problem]:
        if (contract := self.contracts.get(table)) is not None:
            columns = {field.name: logged_type(field) for field in contract.fields}
            place = Place(self.project.relative(contract.path))
            yield from _columns(place, columns, _partitions(self.graph.nodes.get(table)) if self.graph else ())

    def _by_log(self, table: str) -> Iterator[Problem]:
        if self.ledger is None or (delta := self.ledger.open(table)) is None:
            return
        place, metadata, protocol = Place(table), delta.metadata(), delta.protocol()
        yield from _columns(place, schema_of(delta.schema().to_json()), metadata.partition_columns)
        features, properties = protocol.reader_features or (), metadata.configuration
        for message in unreadable_protocol(protocol.min_reader_version, features, properties):
            yield Problem(place, "", f"Athena: {message}", f"headgate run --rebuild -s {table}, or unset the property")


def _columns(place: Place, columns: Mapping[str, Any], partition_by: Iterable[str]) -> Iterator[Problem]:
    for name, message in unreadable_columns(columns, partition_by):
        yield Problem(place, name, f"Athena: {message}", "correct the function, and the contract if the table has one")


def _partitions(node: Node | None) -> Iterable[str]:
    return node.writes.partition_by if node and node.writes else ()
