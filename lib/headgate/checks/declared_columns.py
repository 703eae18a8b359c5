"""Whether the columns that a table's declaration names can exist, as far as that is known without Spark."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from headgate.document import Place, Problem
from headgate.errors import suggestion
from headgate.planning.graph import Graph, Node
from headgate.project import Project
from headgate.table import Affected, Changes, Merge


def declaration_problems(
    project: Project, graph: Graph, columns: Callable[[str], Collection[str]]
) -> Iterator[Problem]:
    """Yields a problem for each column of `Affected(by=)` that its source lacks, and each key that nothing names.

    columns: the columns of a table, empty where they are not known.
    """
    for node in graph.nodes.values():
        yield from _by(node, columns)
        if isinstance(node.writes, Merge):
            yield from _keys(project, graph, node)


def _by(node: Node, columns: Callable[[str], Collection[str]]) -> Iterator[Problem]:
    for parameter, read in node.reads.items():
        known = columns(read.table) if isinstance(read, Affected) else ()
        for name in getattr(read, "by", ()) if known else ():
            if name not in known:
                message = f"{read.table} has no column '{name}'.{suggestion(name, known)}"
                fix = f"name one of {', '.join(sorted(known))}"
                yield Problem(Place(node.module, node.line), f"{node.name} reads.{parameter}.by", message, fix)


def _keys(project: Project, graph: Graph, node: Node) -> Iterator[Problem]:
    """Keys and sequence that are no column of the contract, and that the module names nowhere else."""
    read = next((read for read in node.reads.values() if isinstance(read, Changes)), None)
    if read is None or not read.table.startswith("bronze.") or not isinstance(node.writes, Merge):
        return
    fields = [field.name for field in graph.contract_of(read.table).fields]
    source = (project.root / node.module).read_text("utf-8")
    for name in filter(None, (*node.writes.keys, node.writes.sequence_by)):
        if name not in fields and len(re.findall(rf"\b{re.escape(name)}\b", source)) < 2:
            message = f"no column of {read.table} and nothing in the function is named '{name}'."
            fix = f"correct the name, or return a column {name} from the function"
            text = f"{message}{suggestion(name, fields)}"
            yield Problem(Place(node.module, node.line), f"{node.name} writes", text, fix)
