"""What the pages of tables show, gathered from contracts, suites, logs and run reports. No JVM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headgate.contracts.contract import Contract, Field
from headgate.contracts.environment import Environment
from headgate.contracts.table_contract import TableContract, load_table_contracts
from headgate.ledger.ledger import Head, Ledger
from headgate.planning.graph import Graph, Node, load_graph
from headgate.project import Project
from headgate.suites.suite import Suite, load_suites
from headgate.table import SOURCE
from headgate.views import quarantine, reports

#: How many runs a table's page shows.
RUNS = 10


@dataclass(frozen=True)
class ColumnDoc:
    """A column: its type as text, whether uploads must have it, and what the contract says of it."""

    name: str
    type: str
    required: bool = False
    description: str = ""
    classification: str = ""


@dataclass(frozen=True)
class TableDoc:
    """A table's page. version, built_at: None where it is not built. runs: rows of run reports, the newest first.

    quarantine: as `views.quarantine.totals`; None where the table rejects no records.
    """

    node: Node
    description: str
    owner: str
    contract: str
    columns: Sequence[ColumnDoc]
    writes: str
    suite: Suite | None
    version: int | None
    built_at: str | None
    runs: Sequence[Mapping[str, Any]]
    quarantine: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        return self.node.name


@dataclass(frozen=True)
class SiteContent:
    """Everything that the site shows. `tables` are in dependency order; `at` is when it was made, in UTC."""

    project: str
    environment: str
    at: str
    graph: Graph
    tables: Sequence[TableDoc]


def site_content(project: Project, environment: Environment) -> SiteContent:
    """Returns the content of the site for an environment's lake. Raises what contracts, suites and the lake raise."""
    graph, ledger = load_graph(project), Ledger(environment)
    contracts, suites = load_table_contracts(project), load_suites(project)
    runs = reports.newest(environment.object_store(), reports.RUNS)
    tables = [
        _table(project, graph, ledger, node, contracts.get(node.name), suites.get(node.name), runs)
        for node in graph.nodes.values()
    ]
    return SiteContent(project.root.name, environment.name, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", graph, tables)


def _table(
    project: Project,
    graph: Graph,
    ledger: Ledger,
    node: Node,
    published: TableContract | None,
    suite: Suite | None,
    runs: Sequence[reports.RunReport],
) -> TableDoc:
    head = ledger.head(node.name)
    contract: Contract | TableContract | None = graph.contract_of(node.name) if node.layer == "bronze" else published
    built = head.commit.time if head.commit else None
    rejects = node.has_quarantine and head.exists
    return TableDoc(
        node=node,
        description=contract.description if contract else "",
        owner=contract.owner if contract else "",
        contract=f"{project.relative(contract.path)}, version {contract.version}" if contract else "",
        columns=_columns(ledger, head, node, contract),
        writes=_writes(node),
        suite=suite,
        version=head.version if head.exists else None,
        built_at=f"{built:%Y-%m-%d %H:%M} UTC" if built else None,
        runs=_runs(node.name, runs),
        quarantine=quarantine.totals(ledger, node) if rejects else None,
    )


def _columns(ledger: Ledger, head: Head, node: Node, contract: Contract | TableContract | None) -> Sequence[ColumnDoc]:
    """The columns of the log with what the contract says; of bronze and unbuilt tables the contract's."""
    fields = {field.name: field for field in contract.fields} if contract else {}
    if node.layer == "bronze" or not head.exists:
        return [_column(field) for field in fields.values()]
    columns = []
    for name, kind in ledger.schema(node.name, head.version).items():
        if not name.startswith("_"):
            field = fields.get(name)
            described = (field.description, field.classification) if field else ("", "")
            columns.append(ColumnDoc(name, type_text(kind), False, *described))
    return columns


def _column(field: Field) -> ColumnDoc:
    kind = f"decimal({field.precision},{field.scale})" if field.type == "decimal" else field.type
    return ColumnDoc(field.name, kind, field.required, field.description, field.classification)


def type_text(kind: Any) -> str:
    """Returns a type of a Delta log as text, such as array<struct<line: integer>>."""
    if not isinstance(kind, dict):
        return str(kind)
    if kind["type"] == "struct":
        inner = ", ".join(f"{field['name']}: {type_text(field['type'])}" for field in kind["fields"])
        return f"struct<{inner}>"
    if kind["type"] == "array":
        return f"array<{type_text(kind['elementType'])}>"
    return f"map<{type_text(kind['keyType'])}, {type_text(kind['valueType'])}>"


def _writes(node: Node) -> str:
    """The write as the module declares it: Merge(keys: sale_id; sequence_by: revised_at)."""
    if node.writes is None:
        return "each record once, as it was sent"
    values = {name: value for name, value in vars(node.writes).items() if value and name != SOURCE}
    texts = {name: ", ".join(value) if isinstance(value, tuple | list) else value for name, value in values.items()}
    return f"{type(node.writes).__name__}({'; '.join(f'{name}: {text}' for name, text in texts.items())})"


def _runs(table: str, runs: Sequence[reports.RunReport]) -> Sequence[Mapping[str, Any]]:
    rows = [
        {**report, "run": run.run, "ended": f"{run.ended:%Y-%m-%d %H:%M}"}
        for run in runs
        for report in run.tables
        if report["table"] == table and report["status"] != "current"
    ]
    return rows[:RUNS]
