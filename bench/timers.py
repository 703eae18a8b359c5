"""Times inside a run, taken by wrapping functions from outside: the product knows nothing of it."""

from __future__ import annotations

import functools
import linecache
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from common import cpu_seconds

from headgate.engine.delta import commit
from headgate.engine.delta.commit import Committer
from headgate.engine.gate import gate
from headgate.engine.read.function import AuthoredFunction
from headgate.engine.runtime.materialize import Stages
from headgate.engine.verbs.run import Runner
from headgate.engine.write import merge, prepare, receipts, replace
from headgate.planning.plan import Planner

# The wrapped functions and their labels; missing functions are ignored.
_WRAPPED = (
    (Planner, "plan_table", "plan"),
    (AuthoredFunction, "check", "check function"),
    (prepare, "require_same_or_added", "check schema"),
    (replace, "require_same_or_added", "check schema"),
    (replace, "read_affected", "find affected"),
    (gate, "require_one_row_a_record", "gate: one row a record"),
    (gate, "require_inside", "gate: inside slices"),
    (receipts, "receipts_of", "receipts"),
    (receipts, "totals", "totals"),
    (merge, "key_range", "key bounds"),
    (Committer, "merge", "commit: merge"),
    (Committer, "add_files", "commit: add files"),
    (Committer, "overwrite", "commit: overwrite"),
    (Committer, "append", "commit: append"),
    (Committer, "replace", "commit: replace partitions"),
    (Committer, "advance", "commit: advance"),
    (commit, "write_batch", "write files"),
)


class Timers:
    """Wall and processor seconds by path: a table, then its work, then parts of that."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._path: list[str] = []

    @contextmanager
    def timed(self, label: str) -> Iterator[None]:
        """Adds the block's time to the path that is open."""
        self._path.append(label)
        wall, cpu = time.perf_counter(), cpu_seconds()
        try:
            yield
        finally:
            spent = self.seconds[tuple(self._path)]
            spent[0] += time.perf_counter() - wall
            spent[1] += cpu_seconds() - cpu
            self._path.pop()

    def wrap(self, owner: Any, name: str, label: Callable[..., str]) -> None:
        """Replaces `owner.name` by itself with its time taken."""
        inner = getattr(owner, name, None)
        if inner is None:
            return

        @functools.wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.timed(label(sys._getframe(1), *args)):
                return inner(*args, **kwargs)

        setattr(owner, name, timed)

    def parts(self) -> dict[str, dict[str, list[float]]]:
        """Table -> part -> [wall seconds, processor seconds]; `other` is the rest."""
        tables = {path[0]: total for path, total in self.seconds.items() if len(path) == 1}
        return {table: self._parts_of(table, total) for table, total in tables.items()}

    def _parts_of(self, table: str, total: list[float]) -> dict[str, list[float]]:
        own = {path[1]: s for path, s in self.seconds.items() if len(path) == 2 and path[0] == table}
        other = [total[n] - sum(spent[n] for spent in own.values()) for n in (0, 1)]
        return {name: [round(s, 3) for s in spent] for name, spent in {"all": total, **own, "other": other}.items()}


def instrument_headgate() -> Timers:
    """Wraps the parts of a run."""
    timers = Timers()
    timers.wrap(Runner, "_run_table", lambda _, runner, name: name)
    timers.wrap(Stages, "stage", lambda caller, *_: f"stage: {_assigned(caller)}")
    for owner, name, label in _WRAPPED:
        timers.wrap(owner, name, lambda *_, label=label: label)
    return timers


def instrument_hand() -> Timers:
    """Wraps the step that makes a table by hand."""
    import hand

    timers = Timers()
    timers.wrap(hand, "make", lambda _, table, *__: table)
    return timers


def _assigned(caller: FrameType) -> str:
    """The variable that takes a call's result, by the line that makes it."""
    line = linecache.getline(caller.f_code.co_filename, caller.f_lineno)
    match = re.match(r"\s*(\w+) = ", line)
    return match.group(1) if match else caller.f_code.co_name
