"""`headgate new table`: proposes the module of a table and its test."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from headgate.cli.new.writing import check_new, write_new
from headgate.cli.options import Target, print_json, target_options
from headgate.contracts.contract import Contract
from headgate.errors import UsageError, suggestion
from headgate.planning.graph import Graph, load_graph
from headgate.project import Project
from headgate.propose.columns import measures, slice_column
from headgate.propose.proposed_test import gold_test, silver_test
from headgate.propose.table_text import gold_module, silver_module

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Proposal:
    """The files of a proposed table, and its full name."""

    table: str
    module: str
    test: str

    def paths(self, project: Project) -> tuple[Path, Path]:
        """Returns where the module and its test are written."""
        layer, _, name = self.table.partition(".")
        return project.jobs / layer / f"{name}.py", project.root / "tests" / f"test_{layer}_{name}.py"


@click.command()
@click.argument("name")
@click.option("--from", "source", required=True, help="A dataset, or a silver table that reads a dataset.")
@click.option(
    "--by",
    multiple=True,
    help="For a gold table: the column with one row per value. Repeat it for one row per value of several.  "
    "[default: a day, else a category]",
)
@click.option("--dry-run", is_flag=True, help="Print the module and the test; write nothing.")
@target_options
def table(target: Target, name: str, source: str, by: tuple[str, ...], dry_run: bool) -> None:
    """Propose the table NAME: its module, and a test with made-up records.

    From a dataset it is a silver table with the newest version of each key; from a silver table it is a gold table with
    counts and sums. NAME may have its layer before it, such as gold.daily_sales. Files are never overwritten.
    """
    graph = load_graph(target.project)
    proposal = propose(target.project, graph, name, source, by)
    module, test = proposal.paths(target.project)
    shown = [target.project.relative(path) for path in (module, test)]
    if not dry_run:
        check_new(module)
        check_new(test)
        write_new(module, proposal.module)
        write_new(test, proposal.test)
    following = [f"python -m pytest {shown[1]}", "headgate run", f"headgate show {proposal.table}"]
    if target.as_json:
        print_json({"table": proposal.table, "files": shown, "written": not dry_run, "next": following})
    elif dry_run:
        for path, text in zip(shown, (proposal.module, proposal.test), strict=True):
            click.echo(f"# {path}\n{text}")
    else:
        for path in shown:
            click.echo(f"created  {path}")
        click.echo("\nRead both files and correct them. Then:")
        for line in following:
            click.echo(f"  {line}")


def propose(project: Project, graph: Graph, name: str, source: str, by: Sequence[str]) -> Proposal:
    """Returns the table NAME made from a dataset or a silver table. Raises UsageError where that is not possible."""
    if source in graph.contracts or source.removeprefix("bronze.") in graph.contracts:
        contract = graph.contracts[source.removeprefix("bronze.")]
        table = _table_name(name, "silver")
        if by:
            raise UsageError("--by is for a gold table", where="new table", fix="leave it out")
        return Proposal(f"silver.{table}", silver_module(table, contract), silver_test(table, contract))
    return _gold(project, graph, _table_name(name, "gold"), source, by)


def _table_name(name: str, layer: str) -> str:
    """The name without its layer. Raises UsageError for another layer or an impossible name."""
    named_layer, dot, table = name.rpartition(".")
    if dot and named_layer != layer:
        raise UsageError(
            f"'{name}' is not in the layer {layer}",
            where="new table",
            fix=f"name it {layer}.{table}: a dataset becomes a silver table, a silver table becomes a gold table",
        )
    if not _NAME.fullmatch(table) or keyword.iskeyword(table):
        raise UsageError(
            f"'{table}' is not a table's name",
            where="new table",
            fix="use lower-case letters, digits and _, beginning with a letter; not a word of Python",
        )
    return table


def _gold(project: Project, graph: Graph, table: str, source: str, by: Sequence[str]) -> Proposal:
    if source not in graph.nodes:
        known = [*graph.contracts, *(name for name in graph.nodes if name.startswith("silver."))]
        raise UsageError(
            f"no dataset or table '{source}'.{suggestion(source, known)}",
            where="--from",
            fix=f"there are: {', '.join(known) or 'none'}",
        )
    contract = _contract_behind(graph, source)
    columns = _columns_named_in(project.root / graph.node(source).module)
    proposed = slice_column(contract, columns)
    chosen = tuple(dict.fromkeys(by)) or (() if proposed is None else (proposed,))
    if not chosen:
        raise UsageError(
            f"no column of {source} is a day or a category", where="new table", fix="name a column: --by COLUMN"
        )
    for name in chosen:
        if name not in columns:
            raise UsageError(
                f"{source} has no column '{name}'.{suggestion(name, columns)}", where="--by", fix="name another column"
            )
    summed = measures(contract, columns, chosen)
    module = gold_module(table, source, chosen, summed)
    return Proposal(f"gold.{table}", module, gold_test(table, contract, chosen, summed))


def _contract_behind(graph: Graph, source: str) -> Contract:
    bronze = graph.node(source).bronze
    if bronze is None:
        raise UsageError(
            f"{source} does not read a dataset",
            where="--from",
            fix="use a silver table that reads a dataset by Changes, or write the module yourself (docs/tables.md)",
        )
    return graph.contract_of(bronze)


def _columns_named_in(module: Path) -> list[str]:
    """The texts in a table's module that can be names of columns: without Spark its columns are not known."""
    tree = ast.parse(module.read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in dict.fromkeys(texts) if text.isidentifier()]
