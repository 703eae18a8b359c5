"""A table's lineage as an SVG picture: what it is made from to the left, what is made from it to the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from headgate.planning.graph import Graph

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 190, 34, 50, 14, 8
_PER_CHARACTER = 7.2  # pixels of a character at 12 px, monospaced


def lineage_svg(graph: Graph, table: str, href: Mapping[str, str]) -> str:
    """Returns an SVG with a box for each table above and below `table`; a box links to `href` of its table."""
    names = _related(graph, table)
    places = _places(graph, names)
    width = max(_MARGIN * 2 + x + _WIDTH for x, _ in places.values())
    height = max(_MARGIN * 2 + y + _HEIGHT for _, y in places.values())
    reads = [(source, name) for name in names for source in graph.node(name).sources if source in places]
    lines = [_line(places[source], places[name]) for source, name in reads]
    boxes = [_box(name, places[name], href.get(name, ""), current=name == table) for name in names]
    title = f"<title>Lineage of {escape(table)}</title>"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{title}{"".join(lines)}{"".join(boxes)}</svg>'


def _related(graph: Graph, table: str) -> Sequence[str]:
    """The table, all that it is made from and all that is made from it, in the graph's order."""
    above, below = {table}, {table}
    for name in reversed(list(graph.nodes)):
        if name in above:
            above.update(graph.node(name).sources)
    for name in graph.nodes:
        if below & set(graph.node(name).sources):
            below.add(name)
    return [name for name in graph.nodes if name in above | below]


def _places(graph: Graph, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Each table's place in pixels: a column further right than all of its sources."""
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = 1 + max((depth[source] for source in graph.node(name).sources if source in depth), default=-1)
    rows: dict[int, int] = {}
    places = {}
    for name in names:
        row = rows.get(depth[name], 0)
        rows[depth[name]] = row + 1
        places[name] = (_MARGIN + depth[name] * (_WIDTH + _GAP_X), _MARGIN + row * (_HEIGHT + _GAP_Y))
    return places


def _line(source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1 = source[0] + _WIDTH, source[1] + _HEIGHT // 2
    x2, y2 = target[0], target[1] + _HEIGHT // 2
    middle = (x1 + x2) // 2
    return f'<path class="line" d="M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}"/>'


def _box(name: str, place: tuple[int, int], href: str, *, current: bool) -> str:
    x, y = place
    layer = name.partition(".")[0]
    most = int((_WIDTH - 16) / _PER_CHARACTER)
    shown = name if len(name) <= most else f"{name[: most - 1]}…"
    box = f'<rect class="{escape(layer)}{" current" if current else ""}" x="{x}" y="{y}" width="{_WIDTH}" '
    box += f'height="{_HEIGHT}" rx="6"/><text x="{x + 8}" y="{y + 22}">{escape(shown)}</text>'
    return f'<a href="{escape(href)}"><title>{escape(name)}</title>{box}</a>' if href else box
