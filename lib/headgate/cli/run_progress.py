"""What a run shows while it works: for each table in work its step and the elapsed time, on standard error.

On a terminal one line per table changes in place. Elsewhere, such as in the log of a scheduler, each step is one line.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table

#: Called with a table and its step, or its status once it has ended.
Show = Callable[[str, str], None]
_ENDS = ("done", "current", "failed")


@contextmanager
def shown_progress(as_json: bool) -> Iterator[Show]:
    """A function that shows the steps of tables until the block ends. It shows nothing with `as_json`."""
    if as_json:
        yield _nothing
    elif not sys.stderr.isatty():
        yield Lines().show
    else:
        lines = LiveLines()
        with Live(lines, console=Console(stderr=True), refresh_per_second=4, transient=True):
            yield lines.show


def _nothing(table: str, step: str) -> None:
    """Shows nothing."""


class Lines:
    """A plain line per step: `silver.sales: gate, 12 s`, with the seconds since the table began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
        self._last: dict[str, str] = {}

    def show(self, table: str, step: str) -> None:
        """Prints the step of a table, unless it is in it already. A table without work is left out."""
        if self._last.get(table) == step or step == "current":
            return
        self._last[table] = step
        began = self._began.setdefault(table, self._clock())
        click.echo(f"... {table}: {step}, {self._clock() - began:.0f} s", err=True)


class LiveLines:
    """The tables in work, as rich draws them four times a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._tables: dict[str, tuple[str, float]] = {}

    def show(self, table: str, step: str) -> None:
        """Sets the step of a table; its line goes away when it has ended."""
        with self._lock:
            if step in _ENDS:
                self._tables.pop(table, None)
            else:
                _, began = self._tables.get(table, ("", self._clock()))
                self._tables[table] = (step, began)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = Table.grid(padding=(0, 2))
        with self._lock:
            tables = dict(self._tables)
        for table, (step, began) in tables.items():
            grid.add_row(table, step, f"{self._clock() - began:.0f} s")
        yield grid
