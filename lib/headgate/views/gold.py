"""The built gold tables as readers outside of Headgate see them: columns, comments, owner, grain and freshness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.contracts.environment import Environment
from headgate.contracts.table_contract import TableContract, load_table_contracts
from headgate.ledger.ledger import Ledger, schema_of
from headgate.planning.graph import Graph, Node
from headgate.project import Project
from headgate.suites.suite import load_suites

#: The layer whose tables analysts and programs read.
LAYER = "gold."


@dataclass(frozen=True)
class GoldColumn:
    """A column. `type` is as `ledger.schema_of` returns it; `comment` and `classification` come from the contract."""

    name: str
    type: Any
    comment: str = ""
    classification: str = ""


@dataclass(frozen=True)
class GoldTable:
    """A built gold table. `fresh_within` is what its suite promises, such as 26h; texts are empty where unknown."""

    name: str
    location: str
    columns: tuple[GoldColumn, ...]
    description: str = ""
    grain: str = ""
    owner: str = ""
    fresh_within: str = ""
    contract_version: str = ""
    partition_by: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """The name without its layer, as a Glue database has it."""
        return self.name.removeprefix(LAYER)


def gold_tables(project: Project, environment: Environment, graph: Graph) -> list[GoldTable]:
    """The gold tables that are built in the environment's lake, in order of name. Reads logs and contracts only."""
    contracts, suites, ledger = load_table_contracts(project), load_suites(project), Ledger(environment)
    freshness = {suite.table: suite.fresh_within for suite in suites.values()}
    results = []
    for name in sorted(graph.nodes):
        if name.startswith(LAYER) and (delta := ledger.open(name)) is not None:
            types = schema_of(delta.schema().to_json())
            partitions = tuple(delta.metadata().partition_columns)
            location = environment.table_uri(name)
            fresh_within = freshness.get(name, "")
            results.append(_table(graph.nodes[name], contracts.get(name), types, partitions, location, fresh_within))
    return results


def _table(
    node: Node,
    contract: TableContract | None,
    types: Mapping[str, Any],
    partition_by: tuple[str, ...],
    location: str,
    fresh_within: str,
) -> GoldTable:
    fields = {field.name: field for field in contract.fields} if contract else {}
    columns = (
        GoldColumn(name, kind, fields[name].description, fields[name].classification)
        if name in fields
        else GoldColumn(name, kind)
        for name, kind in types.items()
    )
    return GoldTable(
        name=node.name,
        location=location,
        columns=tuple(columns),
        description=contract.description if contract else node.grain,
        grain=node.grain,
        owner=contract.owner if contract else "",
        fresh_within=fresh_within,
        contract_version=contract.version if contract else "",
        partition_by=partition_by,
    )
