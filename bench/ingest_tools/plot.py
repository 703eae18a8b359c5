"""Draws bench/results/ingest.svg: requests per second and P99 of both sides."""

from pathlib import Path
from typing import Any

_COLORS = {"headgate": "#1f6f8b", "peer": "#c9a26b"}
_BAR, _GAP, _LEFT, _WIDTH = 12, 14, 250, 420


def write_plot(rows: list[dict[str, Any]], path: Path) -> None:
    """One pair of bars for each case, scaled to the longest; the text next to a bar is rate and P99."""
    cases: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        key = (row["latency_ms"], row["items"], row["connections"], row["keys"])
        cases.setdefault(key, {})[row["side"]] = row
    most = max((row["per_second"] for row in rows), default=1)
    lines, y = [], 40
    for (latency, items, connections, keys), sides in cases.items():
        label = f"{latency} ms, {items} items, {connections} conn." + (" (plain key)" if keys == "plain" else "")
        lines.append(f'<text x="{_LEFT - 8}" y="{y + _BAR + 2}" text-anchor="end">{label}</text>')
        for side, row in sorted(sides.items()):
            width = row["per_second"] / most * _WIDTH
            text = f"{side}: {row['per_second']:,.0f}/s, P99 {row['p99_ms']:,.0f} ms {row['void']}"
            lines.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{_COLORS[side]}"/>')
            lines.append(f'<text x="{_LEFT + width + 6:.1f}" y="{y + _BAR - 2}">{text}</text>')
            y += _BAR + 1
        y += _GAP
    size = f'width="{_LEFT + _WIDTH + 260}" height="{y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
    title = '<text x="10" y="20" font-size="14">Uploads acknowledged per second (bench/ingest.py)</text>'
    path.write_text(f'{head}font-size="11">{title}{"".join(lines)}</svg>\n')
