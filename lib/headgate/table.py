"""`@table`: how a table is declared. Declarations only: nothing here reads, writes or imports Spark.

Two pairs of a driving read and a write are legal here, each by the reason architecture gives:
`Changes` feeds `Merge`, because only an insert-only source tells every change by its new rows;
`Affected` feeds `Replace`, because a slice is recomputed whole, so a row that left it is gone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from types import CodeType
from typing import Any

from headgate.errors import TableDefinitionError

#: The column that functions over `Changes` carry through: which upload and record a row came from.
SOURCE = "_source"

LAYERS = ("silver", "gold")


@dataclass(frozen=True)
class Changes:
    """Each new row of an insert-only table (a bronze table), exactly once."""

    table: str


@dataclass(frozen=True)
class Affected:
    """All live rows of `table` whose values of `by` were touched by a net change of content."""

    table: str
    by: tuple[str, ...]

    def __init__(self, table: str, by: Sequence[str]) -> None:
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "by", _names("by", by))


@dataclass(frozen=True)
class Merge:
    """The newest version of a key wins. At most one row per record.

    `sequence_by` is the record's version (a revision number, `revised_at`), never the event's
    time; without it the time an upload was received decides. `delete_when` is an SQL condition
    on the function's columns: a row that meets it deletes its key.
    """

    keys: tuple[str, ...]
    sequence_by: str | None = None
    delete_when: str | None = None
    partition_by: tuple[str, ...] = ()

    def __init__(
        self,
        keys: Sequence[str],
        sequence_by: str | None = None,
        delete_when: str | None = None,
        partition_by: Sequence[str] = (),
    ) -> None:
        object.__setattr__(self, "keys", _names("keys", keys))
        object.__setattr__(self, "sequence_by", sequence_by)
        object.__setattr__(self, "delete_when", delete_when)
        object.__setattr__(self, "partition_by", _names("partition_by", partition_by, or_none=True))


@dataclass(frozen=True)
class Replace:
    """The output owns each slice of `by`: what is computed for a slice replaces what was there."""

    by: tuple[str, ...]
    partition_by: tuple[str, ...] = ()

    def __init__(self, by: Sequence[str], partition_by: Sequence[str] = ()) -> None:
        object.__setattr__(self, "by", _names("by", by))
        object.__setattr__(self, "partition_by", _names("partition_by", partition_by, or_none=True))

    @property
    def by_partition(self) -> bool:
        """Whether a slice is a partition of the output, so that it is replaced by its files."""
        return set(self.by) == set(self.partition_by)


Read = Changes | Affected
Write = Merge | Replace


class Table:
    """A declared table: calling it calls its function, so that a test can."""

    def __init__(
        self, name: str, reads: Mapping[str, Read], writes: Write, tags: tuple[str, ...], function: Callable[..., Any]
    ) -> None:
        self.name, self.reads, self.writes, self.tags, self.function = name, dict(reads), writes, tags, function
        update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def code(self) -> CodeType:
        return self.function.__code__


def table(
    name: str, *, reads: Mapping[str, Read], writes: Write, tags: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Table]:
    """Declares the table `name` (`layer.table`), built by the decorated function.

    `reads` names the function's parameters and what each is given. Raises TableDefinitionError,
    with file and line, where the declaration is not legal.
    """
    where = _caller()

    def declare(function: Callable[..., Any]) -> Table:
        _check_name(name, where)
        _check_parameters(name, reads, function, where)
        _check_pair(name, reads, writes, where)
        return Table(name, reads, writes, tuple(tags), function)

    return declare


def _names(what: str, value: Sequence[str], *, or_none: bool = False) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise TableDefinitionError(f"{what} takes a list of column names, not {value!r}", fix=f'write {what}=["..."]')
    if not value and not or_none:
        raise TableDefinitionError(f"{what} is empty", fix="name at least one column")
    return tuple(value)


def _check_name(name: str, where: str) -> None:
    layer, _, rest = name.partition(".")
    if layer not in LAYERS or not rest.isidentifier() or not rest.islower():
        raise TableDefinitionError(
            f"'{name}' is no table's name", where=where, fix="write silver.<name> or gold.<name>, in small letters"
        )


def _check_parameters(name: str, reads: Mapping[str, Read], function: Callable[..., Any], where: str) -> None:
    code = function.__code__
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if set(parameters) != set(reads):
        raise TableDefinitionError(
            f"{name}: the function takes ({', '.join(parameters)}), reads names ({', '.join(reads)})",
            where=where,
            fix="give each read the name of one parameter",
        )
    if not (function.__doc__ or "").strip():
        raise TableDefinitionError(f"{name}: no docstring", where=where, fix='say the grain: """One row per ..."""')


def _check_pair(name: str, reads: Mapping[str, Read], writes: Write, where: str) -> None:
    """Refuses every pair but Changes-Merge and Affected-Replace, and names the right one."""
    changes = [r for r in reads.values() if isinstance(r, Changes)]
    affected = [r for r in reads.values() if isinstance(r, Affected)]
    if len(reads) != 1:
        raise TableDefinitionError(f"{name}: {len(reads)} reads; one drives a table", where=where, fix="keep one read")
    if changes and not isinstance(writes, Merge):
        raise TableDefinitionError(
            f"{name}: Changes cannot feed Replace: new rows alone do not tell what a slice is now",
            where=where,
            fix=f'write with Merge(keys=[...]), or read Affected("{changes[0].table}", by={list(writes.by)})',
        )
    if affected and not isinstance(writes, Replace):
        raise TableDefinitionError(
            f"{name}: Affected cannot feed Merge: a row that is missing from a slice would stay",
            where=where,
            fix=f"write with Replace(by={list(affected[0].by)})",
        )
    if changes and not changes[0].table.startswith("bronze."):
        raise TableDefinitionError(
            f"{name}: Changes reads insert-only tables, and {changes[0].table} is not one",
            where=where,
            fix=f'read Affected("{changes[0].table}", by=[...]) and write with Replace(by=[...])',
        )
    if isinstance(writes, Replace) and affected and set(affected[0].by) != set(writes.by):
        raise TableDefinitionError(
            f"{name}: reads the slices {list(affected[0].by)} and writes the slices {list(writes.by)}",
            where=where,
            fix="give Affected and Replace the same columns",
        )


def _caller() -> str:
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
