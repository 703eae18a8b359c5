"""`headgate lineage`: the sources of a table, the tables that read it, and the uploads behind a slice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table
from headgate.errors import UsageError
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import Graph, Node, load_graph
from headgate.project import Project
from headgate.views import lineage

if TYPE_CHECKING:
    from headgate.views.trace import Step

_SHOWN_COMMITS = 3


@click.command("lineage")
@click.argument("table")
@click.option("--up", is_flag=True, help="Only the sources of TABLE.")
@click.option("--down", is_flag=True, help="Only the tables that read TABLE.")
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Trace the rows with this value to their versions, runs, uploads and objects; may be repeated.",
)
@target_options
def command(target: Target, table: str, up: bool, down: bool, slices: tuple[str, ...]) -> None:
    """Show the sources of TABLE, down to the uploads, the tables that read it, and the origin of its columns."""
    graph = load_graph(target.project)
    node = graph.node(table)
    if slices:
        _trace(target, graph, node, _parsed(slices))
        return
    results = describe(target.project, graph, node, Ledger(target.environment))
    if up or down:
        results = {key: value for key, value in results.items() if key not in _left_out(up, down)}
    if target.as_json:
        print_json({k: [x.as_dict() for x in v] if k in ("up", "down") else v for k, v in results.items()})
    else:
        _print(results)


def _left_out(up: bool, down: bool) -> set[str]:
    return (set() if up else {"up"}) | (set() if down else {"down"})


def describe(project: Project, graph: Graph, node: Node, ledger: Ledger) -> dict[str, Any]:
    """A table's lineage: `up` and `down` as links, `columns` with their origin."""
    return {
        "table": node.name,
        "grain": node.grain,
        "writes": type(node.writes).__name__ if node.writes else "Append",
        "declared": lineage.declared_columns(node),
        "up": lineage.above(graph, node.name),
        "down": lineage.below(graph, node.name),
        "columns": _columns(project, graph, node, ledger),
    }


def _columns(project: Project, graph: Graph, node: Node, ledger: Ledger) -> list[dict[str, Any]]:
    """Returns each column with the source columns that it copies; None if they are unknown."""
    if node.layer == "bronze":
        return [{"column": field.name, "is": None} for field in graph.contract_of(node.name).fields]
    columns = lineage.columns(node, (project.root / node.module).read_text())
    head = ledger.head(node.name)
    names = ledger.schema(node.name, head.version) if head.exists else sorted(columns)
    return [{"column": name, "is": columns.get(name)} for name in names if not name.startswith("_")]


def _print(document: dict[str, Any]) -> None:
    click.echo(f"{document['table']}  {document['grain']}")
    for name, columns in document["declared"].items():
        click.echo(f"  {name}: {', '.join(columns)}")
    for name, heading, shown in (
        ("up", "made from", lambda link: link.upwards),
        ("down", "read by", lambda link: link.downwards),
    ):
        if name in document:
            click.echo(f"\n{heading}\n" + ("\n".join(lineage.tree(document[name], shown)) or "nothing"))
    click.echo()
    print_table(["column", "is"], [(c["column"], ", ".join(c["is"] or ()) or "unknown") for c in document["columns"]])


# --- a slice


def _parsed(slices: Iterable[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in slices]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise UsageError(f"'{name}' names no value", where="--slice", fix="write COLUMN=VALUE; COLUMN= for null")
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise UsageError("a column occurs twice", where="--slice", fix="use one value per column")
    return {name: value for name, _, value in pairs}


def _trace(target: Target, graph: Graph, node: Node, slices: dict[str, str]) -> None:
    from headgate.views.trace import Tracer

    def groups(node: Node) -> tuple[str, ...]:
        return lineage.groups(node, (target.project.root / node.module).read_text())

    trace = Tracer(Ledger(target.environment), graph, groups).trace(node.name, slices)
    if target.as_json:
        print_json({"table": node.name, "slice": slices, **asdict(trace)})
        return
    steps = [(s.table, s.version, s.run, s.rows, _how(s), _written(s.written_by)) for s in trace.steps]
    print_table(["table", "version", "run", "rows", "traced by", "written by"], steps, numeric=["version", "rows"])
    click.echo()
    if not trace.uploads:
        click.echo(_untraced(trace.steps))
        return
    uploads = [(u.upload, u.records, u.version, u.run, u.object) for u in trace.uploads]
    print_table(["upload", "records", "bronze", "run", "object"], uploads, numeric=["records", "bronze"])


def _untraced(steps: Sequence[Step]) -> str:
    """Why no upload is named."""
    if any(step.note for step in steps):
        return "no uploads: a source that is read whole is not traced by slice"
    empty = next((step for step in steps if step.rows == 0), steps[-1])
    return f"no uploads: {empty.table} has no such row at version {empty.version}"


def _how(step: Step) -> str:
    return step.note or ", ".join(step.by)


def _written(versions: Mapping[int, str | None]) -> str:
    details = [f"{version} ({run or 'unknown'})" for version, run in versions.items()]
    return ", ".join(details[:_SHOWN_COMMITS]) + (
        f", {len(details) - _SHOWN_COMMITS} more" * (len(details) > _SHOWN_COMMITS)
    )
