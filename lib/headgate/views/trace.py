"""Traces a slice of a table to the versions, runs, uploads and objects that its rows came from.

It follows the positions in the commits, and the declarations: a row of a table that reads
`Affected(t, by=K)` is made from the rows of `t` with the same K, at the version that the table's position names, and
a row over `Changes` keeps in `_source` the upload it came from. So K is the grain, plus the columns of a plain
`groupBy`: a slice within the grain is traced exactly, and for any other slice the grain of its rows is traced, with all
that has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from headgate.errors import UsageError, suggestion
from headgate.lake.dataset import dataset_of
from headgate.lake.upload_identity import parse_upload_id
from headgate.ledger.ledger import Head, Ledger
from headgate.ledger.record_table import State, live_filter, state_filter
from headgate.ledger.travel import checked_version, moment_of, vacuumed
from headgate.planning.graph import Graph, Node
from headgate.planning.state import is_older
from headgate.table import SOURCE, Changes, Read

_FILE = "__filename"


@dataclass(frozen=True)
class Slices:
    """The rows whose `columns` are in `values`."""

    columns: tuple[str, ...]
    values: frozenset[tuple[Any, ...]]


@dataclass(frozen=True)
class Step:
    """A source as its reader saw it: its rows of the slices, and the commits that wrote their files.

    `written_by` maps a version to its run, None where it is not known; empty where no row was read.
    """

    table: str
    version: int
    run: str | None
    by: tuple[str, ...]
    rows: int | None
    written_by: Mapping[int, str | None] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Origin:
    """An upload that rows came from: how many of its records, its object, and how bronze took it in."""

    upload: str
    records: int
    object: str | None
    version: int | None
    run: str | None


@dataclass(frozen=True)
class Trace:
    """What a slice came from: the tables from the top down, and the uploads."""

    steps: list[Step]
    uploads: list[Origin]


class Tracer:
    """Follows a slice through the tables of a graph. `groups` returns the columns of `lineage.groups`."""

    def __init__(self, ledger: Ledger, graph: Graph, groups: Callable[[Node], tuple[str, ...]] = lambda _: ()) -> None:
        self._ledger, self._graph, self._groups = ledger, graph, groups
        self._steps: list[Step] = []
        self._records: dict[str, set[tuple[str, int]]] = {}  # bronze table -> (upload, record)
        self._bronze: dict[str, int] = {}  # bronze table -> the newest version that was read

    def trace(self, table: str, wanted: Mapping[str, str]) -> Trace:
        """Traces the rows of the newest version of `table` whose columns have the wanted values, as text.

        Raises UsageError where the table is not built, a column or a value is none of it, or files are gone.
        """
        head = self._ledger.head(table)
        if not head.exists:
            raise UsageError(f"{table} is not built yet", fix="headgate run")
        self._visit(self._graph.node(table), head, self._typed(head, wanted))
        uploads = [origin for bronze in self._records for origin in self._origins(bronze)]
        return Trace(self._steps, sorted(uploads, key=lambda origin: origin.upload))

    def _typed(self, head: Head, wanted: Mapping[str, str]) -> Slices:
        schema = self._data(head).schema
        types = {name: schema.field(name).type for name in schema.names if not name.startswith("_")}
        for name in wanted:
            if name not in types:
                raise UsageError(f"{head.table} has no column '{name}'.{suggestion(name, types)}", where="--slice")
        return Slices(tuple(wanted), frozenset({tuple(_typed(name, wanted[name], types[name]) for name in wanted)}))

    def _visit(self, node: Node, head: Head, slices: Slices) -> None:
        changes = next((read for read in node.reads.values() if isinstance(read, Changes)), None)
        if node.layer == "bronze":
            raise UsageError(f"{node.name} has no slices: its rows are uploads", fix="headgate receipt UPLOAD")
        groups = () if changes or is_older(node, head) else self._groups(node)
        rows = self._read(head, slices, (SOURCE,) if changes else {*_grains(node), *groups})
        self._step(head, slices, rows)
        if changes:
            upload, record = (pc.struct_field(rows[SOURCE], part).to_pylist() for part in ("upload", "record"))
            self._follow_changes(changes, head, set(zip(upload, record, strict=True)))
            return
        for read in node.reads.values():
            self._follow(read, head, slices, rows, groups)

    def _step(self, head: Head, slices: Slices, rows: pa.Table) -> None:
        written = self._written_by(head, set(rows[_FILE].to_pylist()))
        self._steps.append(Step(head.table, head.version, _run(head), slices.columns, rows.num_rows, written))

    def _follow(self, read: Read, head: Head, slices: Slices, rows: pa.Table, groups: Iterable[str]) -> None:
        source = self._source(read.table, head)
        if source is None:
            return
        by = tuple(dict.fromkeys((*getattr(read, "by", ()), *groups)))
        if not by:
            note = "read whole: any of its rows may be in the slice"
            self._steps.append(Step(read.table, source.version, _run(source), (), None, note=note))
        elif set(slices.columns) <= set(by):
            self._visit(self._graph.node(read.table), source, slices)
        elif rows.num_rows:
            values = zip(*(rows[name].to_pylist() for name in by), strict=True)
            self._visit(self._graph.node(read.table), source, Slices(by, frozenset(values)))

    def _follow_changes(self, read: Changes, head: Head, records: set[tuple[str, int]]) -> None:
        """Goes down to bronze: every table on the way keeps the upload in `_source`."""
        source = self._source(read.table, head)
        if source is None:
            return
        node = self._graph.node(read.table)
        if node.layer == "bronze":
            self._records.setdefault(read.table, set()).update(records)
            self._bronze[read.table] = max(source.version, self._bronze.get(read.table, 0))
        self._steps.append(Step(read.table, source.version, _run(source), ("upload",), None))
        for inner in node.reads.values():
            if isinstance(inner, Changes):
                self._follow_changes(inner, source, records)

    def _source(self, table: str, head: Head) -> Head | None:
        """The table at the version that a commit read up to; None where it was not built yet then.

        Raises UsageError where that is not known or cannot be read any more.
        """
        if head.position is None:
            raise UsageError(f"the position of version {head.version} is unknown: {head.lost}", where=head.table)
        at = head.position.get(table)
        if at is None:
            raise UsageError(
                f"version {head.version} was built before the table read {table}", where=head.table, fix="headgate run"
            )
        if not at.exists:
            return None
        return self._ledger.head(table, checked_version(self._ledger, table, at.version))

    def _data(self, head: Head) -> ds.Dataset:
        return dataset_of(self._ledger.open(head.table, head.version))

    def _read(self, head: Head, slices: Slices, columns: Iterable[str]) -> pa.Table:
        """The live rows of the slices: these columns, and the file of each."""
        data = self._data(head)
        wanted = _condition(slices, data.schema)
        if (only_live := live_filter(data.schema.names)) is not None:
            wanted = wanted & only_live
        names = list(dict.fromkeys([*slices.columns, *columns, _FILE]))
        try:
            rows = data.scanner(columns=names, filter=wanted).to_table()
        except FileNotFoundError:
            raise vacuumed(head.table, head.version) from None
        if len(slices.columns) < 2:
            return rows
        values = zip(*(rows[name].to_pylist() for name in slices.columns), strict=True)
        return rows.filter(pa.array([value in slices.values for value in values], pa.bool_()))

    def _written_by(self, head: Head, files: set[str]) -> dict[int, str | None]:
        """The commits that wrote these files of a version, each with its run, the newest first."""
        runs: dict[int, str | None] = {}
        for version in range(head.version, -1, -1):
            commit = self._ledger.commit(head.table, version) if files else None
            if commit is None:
                break
            added = {unquote(action["add"]["path"]) for action in commit.actions if "add" in action}
            if added & files:
                runs[version] = commit.run
                files = files - added
        return runs

    def _origins(self, bronze: str) -> list[Origin]:
        """Each upload with its object, and the commit that took it in: bronze only gains rows."""
        head = self._ledger.head(bronze, self._bronze[bronze])
        records = Counter(upload for upload, _ in self._records[bronze])
        days = {parsed.hour.date() for upload in records if (parsed := parse_upload_id(upload))}
        if not records:
            return []
        wanted = state_filter(State.RECEIPT) & ds.field("dt").isin(sorted(days))
        scanner = self._data(head).scanner(columns=["upload", "object", _FILE], filter=wanted)
        receipts = {row["upload"]: row for row in scanner.to_table().to_pylist() if row["upload"] in records}
        taken: dict[str, tuple[int | None, str | None]] = {}
        for file in {row[_FILE] for row in receipts.values()}:
            taken[file] = next(iter(self._written_by(head, {file}).items()), (None, None))
        return [_origin(upload, count, receipts.get(upload), taken) for upload, count in records.items()]


def _origin(
    upload: str, records: int, receipt: Mapping[str, Any] | None, taken: Mapping[str, tuple[int | None, str | None]]
) -> Origin:
    if receipt is None:
        return Origin(upload, records, None, None, None)
    return Origin(upload, records, receipt["object"], *taken[receipt[_FILE]])


def _grains(node: Node) -> set[str]:
    return {name for read in node.reads.values() for name in getattr(read, "by", ())}


def _condition(slices: Slices, schema: pa.Schema) -> ds.Expression:
    """A condition that all rows of the slices meet; exact where the slices have one column."""
    condition = ds.scalar(True)
    for index, name in enumerate(slices.columns):
        values = {value[index] for value in slices.values}
        some = [value for value in values if value is not None]
        known = ds.field(name).isin(pa.array(some, schema.field(name).type))
        condition = condition & (known | ds.field(name).is_null() if None in values else known)
    return condition


def _typed(name: str, text: str, kind: pa.DataType) -> Any:
    """A value as its column has it; an empty text is null. Raises UsageError."""
    if text == "":
        return None
    try:
        if pa.types.is_timestamp(kind):
            return moment_of(text) if kind.tz else moment_of(text).replace(tzinfo=None)
        return pa.scalar(text).cast(kind).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UsageError):
        raise UsageError(
            f"'{text}' is not a value of {name}, which is {kind}", where="--slice", fix=f"use {name}=VALUE of that type"
        ) from None


def _run(head: Head) -> str | None:
    return head.commit.run if head.commit else None
