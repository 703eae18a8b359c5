"""The tables of a project and how they depend on each other.

Loading the modules imports pyspark, so the graph is kept as a manifest under the hash of every
file it came from, and a plan that finds it unchanged imports none of them.
"""

from __future__ import annotations

import graphlib
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import headgate
from headgate.contracts.contract import Contract, load_contracts
from headgate.contracts.table_contract import load_table_contracts
from headgate.errors import TableDefinitionError, UsageError, suggestion
from headgate.modules import load_table, module_paths
from headgate.project import Project
from headgate.suites.suite import Suite, load_suites, require_relations, suite_files
from headgate.table import Affected, Append, Changes, History, Merge, Read, Replace, Snapshot, Table, Write

#: Selectors by state. The caller of `select` passes the tables in each state.
STATES = ("state:modified", "result:error")

_MANIFEST_FORMAT = 2
_IMPORTS_JOBS = re.compile(rb"^\s*(?:from|import)\s+jobs\b", re.MULTILINE)


@dataclass(frozen=True)
class Node:
    """A table of the graph. Bronze tables come from contracts and have no module, reads or write."""

    name: str
    reads: Mapping[str, Read]
    writes: Write | None
    module: str  # path from the project's root; of a bronze table its contract's
    line: int
    grain: str
    tags: tuple[str, ...]
    code_hash: str
    suite_hash: str = ""  # empty where the table has no suite
    fresh_within: str = ""  # how long its suite promises that it is without anything new, such as 26h

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    @property
    def bronze(self) -> str | None:
        """The bronze table whose records the table reads; None where it reads none."""
        return next((name for name in self.sources if name.startswith("bronze.")), None)

    @property
    def has_quarantine(self) -> bool:
        """Whether it rejects records: those of an upload are rejected where they are typed, and nowhere else."""
        return self.bronze is not None

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(read.table for read in self.reads.values()))


@dataclass(frozen=True)
class Graph:
    """All tables in topological order: each after its sources."""

    nodes: Mapping[str, Node]
    contracts: Mapping[str, Contract]

    def node(self, name: str) -> Node:
        """The table `name`. Raises UsageError, with a suggestion, where there is none."""
        if name not in self.nodes:
            raise UsageError(
                f"no table '{name}'.{suggestion(name, self.nodes)}", fix="headgate tables lists what there is"
            )
        return self.nodes[name]

    def contract_of(self, bronze: str) -> Contract:
        return self.contracts[bronze.partition(".")[2]]

    def descendants(self, name: str) -> set[str]:
        """The tables that read `name`, directly or through others."""
        below: set[str] = set()
        for node in self.nodes.values():
            if any(source == name or source in below for source in node.sources):
                below.add(node.name)
        return below

    def ancestors(self, name: str) -> set[str]:
        """The tables that `name` reads, directly or through others."""
        above: set[str] = set()
        for source in self.nodes[name].sources:
            above |= {source} | self.ancestors(source)
        return above

    def readers(self, name: str) -> list[Node]:
        return [node for node in self.nodes.values() if name in node.sources]

    def select(
        self,
        selectors: Iterable[str] = (),
        exclude: Iterable[str] = (),
        states: Mapping[str, Collection[str]] | None = None,
    ) -> list[str]:
        """The tables that any selector names (all without one) and none of `exclude`, in the graph's order.

        A selector is a name, a pattern with `*`, `tag:NAME`, or a member of STATES, whose tables are in `states` and
        may be none. `+` before it adds its sources, `+` after it the tables that read it. Raises UsageError if any
        other selector matches nothing.
        """
        wanted, unwanted = selectors_of(selectors), selectors_of(exclude)
        chosen = set().union(*(self._named_by(s, states or {}) for s in wanted)) if wanted else set(self.nodes)
        chosen -= set().union(*(self._named_by(s, states or {}) for s in unwanted))
        return [name for name in self.nodes if name in chosen]

    def _named_by(self, selector: str, states: Mapping[str, Collection[str]]) -> set[str]:
        core = core_of(selector)
        if core in STATES:
            named = set(states.get(core, ())) & set(self.nodes)
        else:
            named = {name for name, node in self.nodes.items() if _matches(node, core)}
        if not named and core not in STATES:
            raise UsageError(
                f"no table is selected by '{selector}'.{suggestion(core, [*self.nodes, *STATES])}",
                fix="headgate tables lists what there is",
            )
        above = set().union(*(self.ancestors(n) for n in named)) if selector.startswith("+") else set()
        below = set().union(*(self.descendants(n) for n in named)) if selector.endswith("+") else set()
        return named | above | below


def selectors_of(texts: Iterable[str]) -> list[str]:
    """The single selectors of texts that may each hold several, with commas."""
    return [selector for text in texts for selector in text.split(",") if selector]


def core_of(selector: str) -> str:
    """A selector without the `+` on either side."""
    return selector.removeprefix("+").removesuffix("+")


def load_graph(project: Project) -> Graph:
    """The project's graph, from the manifest where nothing has changed."""
    digest = _digest(project)
    cached = _read_manifest(project, digest)
    if cached is None:
        cached = _build(project)
        _write_manifest(project, digest, cached)
    return cached


def _build(project: Project) -> Graph:
    contracts = load_contracts(project)
    nodes = [_bronze_node(project, contract) for contract in contracts.values()]
    loaded = [(path, load_table(project, path)) for path in module_paths(project)]
    load_table_contracts(project)  # so that `plan` reports a mistake in it, not the middle of a run
    suites = load_suites(project)
    nodes += [_table_node(project, path, declared, contracts, suites) for path, declared in loaded]
    ordered = _in_order({node.name: node for node in nodes})
    for suite in suites.values():
        require_relations(suite, ordered[suite.table].sources)
    return Graph(ordered, contracts)


def _bronze_node(project: Project, contract: Contract) -> Node:
    return Node(
        name=f"bronze.{contract.dataset}",
        reads={},
        writes=None,
        module=project.relative(contract.path),
        line=1,
        grain="One row per record of each upload, as it was sent.",
        tags=(),
        code_hash=contract.hash,
    )


def _table_node(
    project: Project, path: Path, declared: Table, contracts: Mapping[str, Contract], suites: Mapping[str, Suite]
) -> Node:
    suite = suites.get(declared.name)
    return Node(
        name=declared.name,
        reads=declared.reads,
        writes=declared.writes,
        module=project.relative(path),
        line=declared.code.co_firstlineno,
        grain=(declared.__doc__ or "").strip().splitlines()[0],
        tags=declared.tags,
        code_hash=_code_hash(project, path, declared, contracts),
        suite_hash=suite.hash if suite else "",
        fresh_within=suite.fresh_within if suite else "",
    )


def _code_hash(project: Project, path: Path, declared: Table, contracts: Mapping[str, Contract]) -> str:
    """A hash over the code of the table's rows: its module, the contract of the records it reads, helpers.

    A module that imports a helper of jobs has all of jobs/common in its hash: helpers import each other.
    """
    module = path.read_bytes()
    digest = hashlib.sha256(module)
    if _IMPORTS_JOBS.search(module):
        for helper in sorted((project.jobs / "common").rglob("*.py")):
            digest.update(helper.read_bytes())
    for read in declared.reads.values():
        layer, _, dataset = read.table.partition(".")
        if layer == "bronze" and dataset in contracts:
            digest.update(contracts[dataset].hash.encode())
    return digest.hexdigest()


def _in_order(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Returns the nodes in topological order. Raises TableDefinitionError for an unknown table or a cycle."""
    for node in nodes.values():
        for source in node.sources:
            if source not in nodes:
                raise TableDefinitionError(
                    f"{node.name} reads '{source}', which is not a table.{suggestion(source, nodes)}",
                    where=f"{node.module}:{node.line}",
                    fix="a bronze table needs a contract in conf/datasets, any other a module in jobs",
                )
    _check_reads(nodes)
    _check_one_reader_a_dataset(nodes)
    sorter = graphlib.TopologicalSorter({name: sorted(node.sources) for name, node in sorted(nodes.items())})
    try:
        return {name: nodes[name] for name in sorter.static_order()}
    except graphlib.CycleError as error:
        raise TableDefinitionError(
            f"tables read each other in a circle: {' -> '.join(error.args[1])}", fix="break the circle"
        ) from error


def _check_one_reader_a_dataset(nodes: Mapping[str, Node]) -> None:
    """A record must be rejected in exactly one place, so only a single table may read a bronze table."""
    for name in nodes:
        readers = [n for n in nodes.values() if name in n.sources]
        if name.startswith("bronze.") and len(readers) > 1:
            raise TableDefinitionError(
                f"{name} is read by {', '.join(n.name for n in readers)}: a dataset feeds one table",
                where=f"{readers[1].module}:{readers[1].line}",
                fix=f'read Affected("{readers[0].name}", by=[...]) instead',
            )


def _check_reads(nodes: Mapping[str, Node]) -> None:
    """`Changes` reads insert-only tables; the other reads need typed columns, which bronze does not have."""
    for node in nodes.values():
        for read in node.reads.values():
            source, where = nodes[read.table], f"{node.module}:{node.line}"
            insert_only = source.layer == "bronze" or isinstance(source.writes, Append)
            if isinstance(read, Changes) and not insert_only:
                raise TableDefinitionError(
                    f"{node.name}: Changes reads insert-only tables, and {read.table} is not insert-only",
                    where=where,
                    fix=f'read Affected("{read.table}", by=[...]) and write with Replace(by=[...])',
                )
            if not isinstance(read, Changes) and source.layer == "bronze":
                raise TableDefinitionError(
                    f"{node.name}: {type(read).__name__} cannot read {read.table}, whose records are not typed yet",
                    where=where,
                    fix=f'read Changes("{read.table}") and write with Merge(keys=[...]) or Append()',
                )


def _matches(node: Node, core: str) -> bool:
    if core.startswith("tag:"):
        return core.removeprefix("tag:") in node.tags
    return fnmatchcase(node.name, core)


#: The framework's own files that decide how a project's declarations are read, relative to the package.
_DECLARATION_SOURCES = (
    "table.py",
    "planning/graph.py",
    "contracts/contract.py",
    "contracts/table_contract.py",
    "contracts/odcs.py",
    "suites/suite.py",
    "suites/suite_document.py",
    "suites/suite_kwargs.py",
    "suites/expectation.py",
    "suites/expectations.json",
)


def _digest(project: Project) -> str:
    """A hash over every file that the graph depends on, and over the framework's own declarations."""
    digest = hashlib.sha256(f"{_MANIFEST_FORMAT}\n".encode())
    package = Path(headgate.__file__).parent
    own = [package / name for name in _DECLARATION_SOURCES]
    for path in [*own, *sorted(project.jobs.rglob("*.py")), *_contract_files(project), *suite_files(project)]:
        digest.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _contract_files(project: Project) -> list[Path]:
    return sorted([*project.datasets.glob("*.y*ml"), *project.tables.rglob("*.y*ml")])


def _read_manifest(project: Project, digest: str) -> Graph | None:
    try:
        content = json.loads((project.cache / "manifest.json").read_text())
        return graph_from(content) if content.get("digest") == digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def graph_from(content: Mapping[str, Any]) -> Graph:
    """The graph that `graph_content` wrote. Raises KeyError or TypeError for anything else."""
    contracts = {name: Contract.from_dict(value) for name, value in content["contracts"].items()}
    nodes = [_node_from(value) for value in content["nodes"]]
    return Graph({node.name: node for node in nodes}, contracts)


def graph_content(graph: Graph) -> dict[str, Any]:
    """The graph as JSON values: enough to plan without loading the tables' modules, or Spark."""
    return {
        "contracts": {name: contract.to_dict() for name, contract in graph.contracts.items()},
        "nodes": [_node_to(node) for node in graph.nodes.values()],
    }


def _write_manifest(project: Project, digest: str, graph: Graph) -> None:
    """Keeps the manifest where the project can be written; it is a cache, so a failure costs only time."""
    content = {"digest": digest, **graph_content(graph)}
    try:
        project.cache.mkdir(exist_ok=True)
        new = project.cache / "manifest.json.new"
        new.write_text(json.dumps(content))
        new.replace(project.cache / "manifest.json")
    except OSError:
        return


_KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (Changes, Affected, Snapshot, Append, Merge, Replace, History)
}


def _node_to(node: Node) -> dict[str, Any]:
    def tagged(value: Read | Write) -> dict[str, Any]:
        return {"kind": type(value).__name__, **{key: item for key, item in asdict(value).items() if item}}

    kept = ("name", "module", "line", "grain", "tags", "code_hash", "suite_hash", "fresh_within")
    plain = {key: getattr(node, key) for key in kept}
    reads = {name: tagged(read) for name, read in node.reads.items()}
    return {**plain, "reads": reads, "writes": tagged(node.writes) if node.writes else None}


def _node_from(value: dict[str, Any]) -> Node:
    def untagged(document: dict[str, Any]) -> Any:
        rest = {key: item for key, item in document.items() if key != "kind"}
        return _KINDS[document["kind"]](**rest)

    reads = {name: untagged(read) for name, read in value["reads"].items()}
    writes = untagged(value["writes"]) if value["writes"] else None
    return Node(**{**value, "tags": tuple(value["tags"]), "reads": reads, "writes": writes})
