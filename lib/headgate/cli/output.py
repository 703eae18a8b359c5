"""How verbs print: tables for a person, on standard output; progress on standard error, on a terminal only."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], numeric: Iterable[str] = ()) -> None:
    """A plain table, columns as wide as their content; numbers with thousands' separators, to the right."""
    right = set(numeric)
    shown = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(len(str(c)), *(len(r[i]) for r in shown)) if shown else len(c) for i, c in enumerate(columns)]

    def line(cells: Sequence[str]) -> str:
        aligned = (c.rjust(w) if n in right else c.ljust(w) for c, w, n in zip(cells, widths, columns, strict=True))
        return "  ".join(aligned).rstrip()

    click.echo(line(list(columns)))
    click.echo("  ".join("-" * width for width in widths))
    for row in shown:
        click.echo(line(row))


def _shown(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def json_text(value: Any, indent: int | None = None) -> str:
    """`value` as JSON text. What JSON has no form for is text, NaN and the infinities as records may have them."""
    return json.dumps(_finite(value), default=str, ensure_ascii=False, indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def progress(text: str) -> None:
    """A progress line for a terminal."""
    if sys.stderr.isatty():
        click.echo(f"... {text}", err=True)
