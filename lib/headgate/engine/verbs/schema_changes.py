"""Compares the output columns of functions with the current tables, without reading rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import SparkSession

from headgate.contracts import table_contract
from headgate.contracts.environment import Environment
from headgate.contracts.table_contract import TableContract, load_table_contracts
from headgate.engine.read.output_schema import differences
from headgate.engine.read.snapshots import shape_of
from headgate.errors import HeadgateError
from headgate.ledger.ledger import Ledger, schema_of
from headgate.planning.graph import Graph
from headgate.project import Project


@dataclass(frozen=True)
class SchemaChange:
    """What the next run of a table would find: columns changed or gone (it would refuse them), columns added.

    `columns` are all columns of a table that is not built yet.
    """

    table: str
    changed: tuple[str, ...] = ()
    unlike_contract: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    error: str = ""
    columns: tuple[str, ...] = ()


def schema_changes(
    session: SparkSession, project: Project, environment: Environment, graph: Graph, names: Iterable[str]
) -> list[SchemaChange]:
    """Returns the differences per table. The error of a function is reported; the other tables are still compared."""
    ledger, contracts = Ledger(environment), load_table_contracts(project)
    built = [name for name in names if graph.node(name).layer != "bronze"]
    return [_change(session, project, ledger, graph, contracts.get(name), name) for name in built]


def _change(
    session: SparkSession, project: Project, ledger: Ledger, graph: Graph, contract: TableContract | None, name: str
) -> SchemaChange:
    head = ledger.head(name)
    try:
        values = schema_of(shape_of(project, graph, session, name).schema.json())
    except HeadgateError as error:
        return SchemaChange(name, error=str(error))
    unlike = tuple(table_contract.differences(contract, values)) if contract else ()
    if not head.exists:
        _, columns = differences({}, values)
        return SchemaChange(name, unlike_contract=unlike, columns=tuple(columns))
    changed, added = differences(ledger.schema(name, head.version), values)
    return SchemaChange(name, tuple(changed), unlike, tuple(added))
