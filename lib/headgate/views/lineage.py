"""Lineage: the declared sources and readers of a table.

The origin of a column is returned only if it is certain: from the declaration, and from a function
that is a plain `select` or `groupBy`. Otherwise it is unknown: there is no guess.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.planning.graph import Graph, Node
from headgate.table import SOURCE, History, Read

#: How the columns that a declaration names are shown, in this order.
_DECLARED = ("keys", "sequence_by", "by", "track", "partition_by")


@dataclass(frozen=True)
class Link:
    """A read, followed in a direction: `table` is the next table, `links` continue from there."""

    table: str
    kind: str
    by: tuple[str, ...] = ()
    frozen: bool = False
    links: tuple[Link, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        links = [link.as_dict() for link in self.links]
        return {"table": self.table, "read": self.kind, "by": list(self.by), "frozen": self.frozen, "links": links}

    @property
    def upwards(self) -> str:
        """How it reads from the table that reads: `Affected(silver.sales by day)`."""
        if self.kind == "uploads":
            return f"uploads of {self.table}, landing/{self.table}/"
        return f"{self.kind}({self.table}{self._how})"

    @property
    def downwards(self) -> str:
        """How it reads from the table that is read: `gold.daily: Affected by day`."""
        return f"{self.table}: {self.kind}{self._how}"

    @property
    def _how(self) -> str:
        return (f" by {', '.join(self.by)}" if self.by else "") + (", frozen" if self.frozen else "")


def above(graph: Graph, name: str) -> tuple[Link, ...]:
    """The sources of the table, down to the datasets' uploads; a table that is read twice is listed twice."""
    node = graph.node(name)
    if node.layer == "bronze":
        contract = graph.contract_of(name)
        return (Link(contract.dataset, "uploads"),)
    return tuple(_link(read, read.table, above(graph, read.table)) for read in node.reads.values())


def below(graph: Graph, name: str) -> tuple[Link, ...]:
    """The tables that read the table, and their readers."""
    return tuple(
        _link(read, node.name, below(graph, node.name))
        for node in graph.readers(name)
        for read in node.reads.values()
        if read.table == name
    )


def declared_columns(node: Node) -> dict[str, list[str]]:
    """The columns that the table's write names, by purpose."""
    named = {name: getattr(node.writes, name, None) for name in _DECLARED}
    return {name: [value] if isinstance(value, str) else list(value) for name, value in named.items() if value}


def columns(node: Node, source: str) -> dict[str, list[str]]:
    """Output column -> the source columns that it copies, if they are known.

    For the columns of slices this follows from `Affected`; for others it is read from `source`, the module's text.
    """
    promised: dict[str, list[str]] = {}
    for read in node.reads.values():
        for name in getattr(read, "by", ()):
            promised.setdefault(name, []).append(f"{read.table}.{name}")
    plain = column_sources(source, node.name) or {}
    gone = node.writes.sequence_by if isinstance(node.writes, History) else None
    details = {new: [f"{node.sources[0]}.{old}"] for new, old in plain.items() if new != gone}
    return details | promised


def groups(node: Node, source: str) -> tuple[str, ...]:
    """The columns that group both a table's rows and the rows of its only read: a row is computed from its group.

    So it is where the function does nothing but `parameter.groupBy(...).agg(...)`. `source` as in `columns`.
    """
    if len(node.reads) != 1 or not _is_grouped(source, node.name):
        return ()
    return tuple(new for new, old in (column_sources(source, node.name) or {}).items() if new == old)


def _is_grouped(source: str, table: str) -> bool:
    returned = _only_return(ast.parse(source), table)
    return returned is not None and _is_call(returned[1], "agg")


def column_sources(source: str, table: str) -> dict[str, str] | None:
    """Output column -> the column of the only read that it copies; None if the function is not plain enough.

    `source` is the text of the table's module. The function must have a single parameter and consist of a single
    `return` of `parameter.select(...)` or `parameter.groupBy(...).agg(...)`, and in it only `"a"`, `F.col("a")` and
    `F.col("a").alias("b")`: these copy a column for any data. Other columns are unknown.
    """
    module = ast.parse(source)
    returned = _only_return(module, table)
    if returned is None:
        return None
    parameter, call = returned
    if _is_call(call, "agg"):
        call = call.func.value
    if not (_is_call(call, "select") or _is_call(call, "groupBy")):
        return None
    if not (isinstance(call.func.value, ast.Name) and call.func.value.id == parameter):
        return None
    functions = _functions_names(module)
    pairs = [pair for argument in call.args if (pair := _renamed(argument, functions))]
    return {new: old for new, old in pairs if new != SOURCE and "." not in new and new != "*"}


def _link(read: Read, table: str, links: tuple[Link, ...]) -> Link:
    by, frozen = tuple(getattr(read, "by", ())), bool(getattr(read, "frozen", False))
    return Link(table, type(read).__name__, by, frozen, links)


def tree(links: Sequence[Link], shown: Callable[[Link], str], indent: str = "") -> Iterator[str]:
    """The lines of links as a text tree."""
    for number, link in enumerate(links, 1):
        last = number == len(links)
        yield f"{indent}{'└─' if last else '├─'} {shown(link)}"
        yield from tree(link.links, shown, indent + ("   " if last else "│  "))


def _only_return(module: ast.Module, table: str) -> tuple[str, Any] | None:
    """The only parameter and the returned expression of the table's function, if it only returns."""
    results = [part for part in module.body if isinstance(part, ast.FunctionDef) and _declares(part, table)]
    if len(results) != 1 or len(results[0].args.args) != 1:
        return None
    body = [part for part in results[0].body if not _is_text(part)]
    if len(body) != 1 or not isinstance(body[0], ast.Return):
        return None
    return results[0].args.args[0].arg, body[0].value


def _declares(function: ast.FunctionDef, table: str) -> bool:
    """Whether `@table("<table>", ...)` is the only decorator: another decorator could change the rows."""
    if len(function.decorator_list) != 1 or not isinstance(function.decorator_list[0], ast.Call):
        return False
    return _text(function.decorator_list[0].args) == table


def _functions_names(module: ast.Module) -> set[str]:
    """The names under which the module imports `pyspark.sql.functions`."""
    imports = (part for part in module.body if isinstance(part, ast.ImportFrom) and part.module == "pyspark.sql")
    return {alias.asname or alias.name for part in imports for alias in part.names if alias.name == "functions"}


def _is_text(part: ast.stmt) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)


def _is_call(node: Any, method: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method


def _renamed(argument: Any, functions: set[str]) -> tuple[str, str] | None:
    """(new name, column) of `"a"`, `F.col("a")` or `F.col("a").alias("b")`; None for anything else."""
    if _is_call(argument, "alias"):
        inner, new = _column(argument.func.value, functions), _text(argument.args)
        return (new, inner) if inner and new else None
    name = _column(argument, functions) or _text([argument])
    return (name, name) if name else None


def _column(argument: Any, functions: set[str]) -> str | None:
    """The name in `F.col("a")`."""
    if not _is_call(argument, "col") or not isinstance(argument.func.value, ast.Name):
        return None
    return _text(argument.args) if argument.func.value.id in functions else None


def _text(arguments: Sequence[ast.expr]) -> str | None:
    if len(arguments) == 1 and isinstance(arguments[0], ast.Constant) and isinstance(arguments[0].value, str):
        return arguments[0].value
    return None
