"""The steps of a table's build: a run listens to them, to show its progress.

Spark evaluates lazily: rows are read and computed in the step that needs them first, most often `function` or `gate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

READ, FUNCTION, GATE, COMMIT = "read", "function", "gate", "commit"

#: Called with the table and its step.
Listener = Callable[[str, str], None]
_CURRENT: ContextVar[tuple[Listener, str] | None] = ContextVar("headgate_steps", default=None)


@contextmanager
def listening(listener: Listener, table: str) -> Iterator[None]:
    """Within the block, the steps of this thread are those of `table`."""
    token = _CURRENT.set((listener, table))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def step(name: str) -> None:
    """Tells the listener, if there is one, that the table begins a step."""
    if current := _CURRENT.get():
        listener, table = current
        listener(table, name)
