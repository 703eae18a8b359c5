"""`@table`: how a table is declared. Declarations only: nothing here reads, writes or imports Spark.

A read *drives* a table: one `Changes` feeds `Append` or `Merge`, because only for an insert-only source are the new
rows all of the changes; `Affected` (one or more, with the same slices) feeds `Replace` or `History`, because a slice
is recomputed as a whole, so deleted rows disappear. `Snapshot` can be added to them, or be alone with `Replace()`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from types import CodeType
from typing import Any, NoReturn

from headgate.errors import TableDefinitionError

#: The column that functions over `Changes` carry through: which upload and record a row came from.
SOURCE = "_source"

LAYERS = ("silver", "gold")


@dataclass(frozen=True)
class Changes:
    """Each new row of an insert-only table (a bronze table, or one written by `Append`), exactly once."""

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
class Snapshot:
    """All live rows of `table`, at the same version during a run.

    If its content changed since the last run, the reading table is rebuilt, so that late rows
    are included. `frozen` keeps rows as computed with an older version; then the result depends on the order of
    uploads.
    """

    table: str
    frozen: bool = False


@dataclass(frozen=True)
class Append:
    """Insert-only: each record's rows, as many as the function gives."""

    partition_by: tuple[str, ...] = ()

    def __init__(self, partition_by: Sequence[str] = ()) -> None:
        object.__setattr__(self, "partition_by", _names("partition_by", partition_by, or_none=True))


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
    """The output owns each slice of `by`: the computed rows of a slice replace its existing rows.

    Without `by` the whole table is a single slice.
    """

    by: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()

    def __init__(self, by: Sequence[str] | None = None, partition_by: Sequence[str] = ()) -> None:
        object.__setattr__(self, "by", () if by is None else _names("by", by))
        object.__setattr__(self, "partition_by", _names("partition_by", partition_by, or_none=True))

    @property
    def by_partition(self) -> bool:
        """Whether a slice is a partition of the output, so that it is replaced by its files."""
        return bool(self.by) and set(self.by) == set(self.partition_by)


@dataclass(frozen=True)
class History:
    """Slowly changing dimension, type 2: a row for each time a key's content was the same.

    The function gives every version of a key; `sequence_by` is when a version began. Headgate adds `valid_from`,
    `valid_to` (null where open; half-open intervals) and `is_current`, and leaves out the column of `sequence_by`
    and those that only `delete_when` needs. Only a change in `track` (default: every column) opens a row; of the
    other columns the latest value counts. A version that meets `delete_when` closes the row before it.
    """

    keys: tuple[str, ...]
    sequence_by: str
    track: tuple[str, ...] | None = None
    delete_when: str | None = None
    partition_by: tuple[str, ...] = ()

    def __init__(
        self,
        keys: Sequence[str],
        sequence_by: str,
        track: Sequence[str] | None = None,
        delete_when: str | None = None,
        partition_by: Sequence[str] = (),
    ) -> None:
        object.__setattr__(self, "keys", _names("keys", keys))
        object.__setattr__(self, "sequence_by", sequence_by)
        object.__setattr__(self, "track", None if track is None else _names("track", track))
        object.__setattr__(self, "delete_when", delete_when)
        object.__setattr__(self, "partition_by", _names("partition_by", partition_by, or_none=True))


Read = Changes | Affected | Snapshot
Write = Append | Merge | Replace | History

#: What `History` adds to the function's columns.
VALID_FROM, VALID_TO, IS_CURRENT = "valid_from", "valid_to", "is_current"


def slices_of(writes: Write) -> tuple[str, ...]:
    """The columns whose values are the slices that a write recomputes; empty for writes without slices."""
    if isinstance(writes, History):
        return writes.keys
    return writes.by if isinstance(writes, Replace) else ()


def unique_keys(writes: Write | None) -> tuple[str, ...]:
    """The unique key of the live rows; empty without a key."""
    if isinstance(writes, History):
        return (*writes.keys, VALID_FROM)
    return writes.keys if isinstance(writes, Merge) else ()


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

    `reads` maps the function's parameters to their sources. Raises
    TableDefinitionError, with file and line, if the declaration is invalid.
    """
    where = _caller()

    def declare(function: Callable[..., Any]) -> Table:
        _check_name(name, where)
        _check_parameters(name, reads, function, where)
        _check_pair(name, reads, writes, where)
        return Table(name, reads, writes, tuple(tags), function)

    return declare


def _names(argument: str, value: Sequence[str], *, or_none: bool = False) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise TableDefinitionError(
            f"{argument} takes a list of column names, not {value!r}", fix=f'write {argument}=["..."]'
        )
    if not value and not or_none:
        raise TableDefinitionError(f"{argument} is empty", fix="name at least one column")
    return tuple(value)


def _check_name(name: str, where: str) -> None:
    layer, _, rest = name.partition(".")
    if layer not in LAYERS or not rest.isidentifier() or not rest.islower():
        raise TableDefinitionError(
            f"'{name}' is an invalid table name", where=where, fix="use silver.<name> or gold.<name>, in lower case"
        )


def _check_parameters(name: str, reads: Mapping[str, Read], function: Callable[..., Any], where: str) -> None:
    code = function.__code__
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if set(parameters) != set(reads):
        raise TableDefinitionError(
            f"{name}: the function takes ({', '.join(parameters)}), reads names ({', '.join(reads)})",
            where=where,
            fix="name each read after a parameter",
        )
    if not (function.__doc__ or "").strip():
        raise TableDefinitionError(f"{name}: no docstring", where=where, fix='say the grain: """One row per ..."""')


def _check_pair(name: str, reads: Mapping[str, Read], writes: Write, where: str) -> None:
    """Refuses every pair of driving read and write that would give wrong rows, and names a correct pair."""

    def refuse(message: str, fix: str) -> NoReturn:
        raise TableDefinitionError(f"{name}: {message}", where=where, fix=fix)

    changes = [r for r in reads.values() if isinstance(r, Changes)]
    affected = [r for r in reads.values() if isinstance(r, Affected)]
    if changes and affected:
        refuse(
            f"{changes[0].table} by Changes and {affected[0].table} by Affected cannot both drive a table",
            f'read the other table whole: Snapshot("{affected[0].table}"), or make two tables',
        )
    if len(changes) > 1:
        refuse(
            "two reads by Changes: rows that arrive later in one source would never be joined with the other",
            "write each into its own table, and read both by Affected with the same columns",
        )
    if changes:
        _check_changes(changes[0], writes, refuse)
    elif affected:
        _check_affected(affected, writes, refuse)
    else:
        _check_snapshots(reads, writes, refuse)


def _check_changes(read: Changes, writes: Write, refuse: Callable[[str, str], NoReturn]) -> None:
    if not isinstance(writes, Append | Merge):
        refuse(
            f"Changes cannot feed {type(writes).__name__}: new rows alone do not determine the current slice",
            f'write with Append() or Merge(keys=[...]), or read Affected("{read.table}", by={list(slices_of(writes))})',
        )


def _check_affected(reads: list[Affected], writes: Write, refuse: Callable[[str, str], NoReturn]) -> None:
    by = reads[0].by
    if not isinstance(writes, Replace | History):
        refuse(
            f"Affected cannot feed {type(writes).__name__}: a row that is missing from a slice would stay",
            f"write with Replace(by={list(by)}) or History(keys={list(by)}, sequence_by=...)",
        )
    if any(set(read.by) != set(by) for read in reads):
        text = ", ".join(f"{read.table} by {list(read.by)}" for read in reads)
        refuse(f"the reads by Affected have different slices: {text}", "give each the same columns")
    if set(slices_of(writes)) != set(by):
        owns = "keys" if isinstance(writes, History) else "by"
        refuse(
            f"reads the slices {list(by)} and writes the slices {list(slices_of(writes))}",
            f"give Affected's by and {type(writes).__name__}'s {owns} the same columns",
        )


def _check_snapshots(reads: Mapping[str, Read], writes: Write, refuse: Callable[[str, str], NoReturn]) -> None:
    if not reads:
        refuse("reads nothing", 'add its sources: reads={"rows": Affected("silver.x", by=[...])}')
    if not isinstance(writes, Replace) or writes.by:
        refuse(
            f"Snapshot alone cannot feed {type(writes).__name__}"
            + (f"(by={list(writes.by)})" if isinstance(writes, Replace) else "")
            + ": no read determines the changes",
            "write the whole table with Replace(), or read the driving source by Changes or Affected",
        )
    if all(isinstance(read, Snapshot) and read.frozen for read in reads.values()):
        refuse("every read is frozen: nothing would ever rebuild it", "remove frozen=True from one read")


def _caller() -> str:
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
