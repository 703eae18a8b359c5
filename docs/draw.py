"""Draws docs/architecture.svg from the project's own graph: `python docs/draw.py`. A test holds the two together."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

from headgate.planning.graph import Graph, Node, load_graph
from headgate.project import Project

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"

_WIDTH, _HEIGHT, _GAP, _ROW, _TOP = 188, 54, 44, 76, 64
_FILL = {"outside": "#f4f4f2", "landing": "#e8eef7", "bronze": "#f3e3d3", "silver": "#e7e9ec", "gold": "#fbf0c9"}


class Box(NamedTuple):
    """A box of the picture: its column and row, two lines of text, and the boxes that lead to it."""

    name: str
    line: str
    kind: str
    column: int
    row: float
    sources: tuple[str, ...] = ()

    @property
    def x(self) -> int:
        return 16 + self.column * (_WIDTH + _GAP)

    @property
    def y(self) -> float:
        return _TOP + self.row * _ROW


def boxes(graph: Graph) -> list[Box]:
    """Stores and landing, every table of the graph by layer, and the readers of gold."""
    columns = {layer: [n for n in graph.nodes.values() if n.layer == layer] for layer in ("bronze", "silver", "gold")}
    tallest = max(len(nodes) for nodes in columns.values())
    middle = (tallest - 1) / 2
    results = [
        Box("stores", "POST an upload", "outside", 0, middle),
        Box("receiver", "exact bytes, receipt", "landing", 1, middle, ("stores",)),
    ]
    for column, (layer, nodes) in enumerate(columns.items(), start=2):
        first = (tallest - len(nodes)) / 2
        results += [_table(node, layer, column, first + row) for row, node in enumerate(nodes)]
    readers = tuple(node.name for node in columns["gold"])
    return [*results, Box("analysts, programs", "headgate show, Athena", "outside", 5, middle, readers)]


def _table(node: Node, layer: str, column: int, row: float) -> Box:
    how = " -> ".join([*(type(read).__name__ for read in node.reads.values()), type(node.writes).__name__])
    return Box(
        node.name, how if node.writes else "raw records, receipts", layer, column, row, node.sources or ("receiver",)
    )


def draw(graph: Graph) -> str:
    """The picture as SVG."""
    results = {box.name: box for box in boxes(graph)}
    width = max(box.x for box in results.values()) + _WIDTH + 16
    height = max(box.y for box in results.values()) + _HEIGHT + 40
    arrows = [_arrow(results[source], box) for box in results.values() for source in box.sources]
    titles = [_title(text, column) for column, text in enumerate(("", "landing", "bronze", "silver", "gold", ""))]
    note = (
        f'<text x="16" y="{height - 14}" class="small">Each table is one Delta table, one module, one pure function; '
        "its log is the ledger: position, counts and provenance are in the commit of its rows.</text>"
    )
    body = "\n".join([*titles, *arrows, *map(_drawn, results.values()), note])
    return f"{_HEAD.format(width=width, height=height)}\n{body}\n</svg>\n"


_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"
font-size="14"> <style>.small{{font-size:11.5px;fill:#444}} .title{{font-size:13px;fill:#666}}</style> <rect
width="100%" height="100%" fill="white"/>
<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0 0 8 4 0 8z"
fill="#888"/></marker></defs>"""


def _title(text: str, column: int) -> str:
    x = 16 + column * (_WIDTH + _GAP) + _WIDTH / 2
    return f'<text x="{x}" y="36" text-anchor="middle" class="title">{escape(text)}</text>'


def _drawn(box: Box) -> str:
    centre = box.x + _WIDTH / 2
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="7" stroke="#999" '
        f'fill="{_FILL[box.kind]}"/>'
        f'<text x="{centre}" y="{box.y + 23}" text-anchor="middle">{escape(box.name)}</text>'
        f'<text x="{centre}" y="{box.y + 41}" text-anchor="middle" class="small">{escape(box.line)}</text>'
    )


def _arrow(source: Box, target: Box) -> str:
    if source.column == target.column:
        middle = source.x + _WIDTH / 2
        down = (
            f"M{middle} {source.y + _HEIGHT}V{target.y - 2}"
            if target.y > source.y
            else f"M{middle} {source.y}V{target.y + _HEIGHT + 2}"
        )
        return f'<path d="{down}" fill="none" stroke="#888" marker-end="url(#tip)"/>'
    start, end = (source.x + _WIDTH, source.y + _HEIGHT / 2), (target.x - 2, target.y + _HEIGHT / 2)
    bend = (start[0] + end[0]) / 2
    path = f"M{start[0]} {start[1]}C{bend} {start[1]} {bend} {end[1]} {end[0]} {end[1]}"
    return f'<path d="{path}" fill="none" stroke="#888" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(load_graph(Project(ROOT))))
