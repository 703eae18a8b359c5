"""The input of a table's function: changed bronze rows, or the live rows of the affected slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StructField, StructType

from headgate.engine.read.slice_conditions import (
    EXACT_AS_TEXT,
    between,
    bounds_of,
    exact_rows,
    one_of,
    one_of_as_sql,
    points_of,
)
from headgate.engine.read.table_reader import TableReader
from headgate.engine.runtime.materialize import Stages, local_frame, local_rows, table_of
from headgate.ledger.record_table import live_condition
from headgate.planning.plan import Source

_ADDED = ("insert", "update_postimage")
#: Up to so many slices of a small work are named one by one; more are told by their bounds.
_MOST_POINTS = 200


def live(frame: DataFrame) -> DataFrame:
    """The live rows, without Headgate's own columns."""
    rows = frame.filter(live_condition(frame.columns))
    return rows.drop(*(name for name in rows.columns if name.startswith("_")))


@dataclass(frozen=True)
class AffectedRead:
    """A read by `Affected`: the function's parameter, the table as this run sees it, and how it is laid out.

    `unique`: `by` are unique keys of the live rows. `partitioned`: a slice is whole partitions.
    """

    parameter: str
    table: str
    source: Source
    everything: DataFrame
    unique: bool
    partitioned: bool


@dataclass(frozen=True)
class Slices:
    """The affected slices, and for each read their live rows.

    `values` are the slices' values of `by` (None: every slice). `within` returns a condition of literals that every
    affected slice meets, its columns under a prefix; where `exact`, no other slice meets it, and `predicate` is the
    same as SQL.
    """

    by: tuple[str, ...]
    rows: Mapping[str, DataFrame]
    values: DataFrame | None = None
    within: Callable[[str], Column] = lambda _: F.lit(True)
    predicate: str = "true"
    exact: bool = True
    none: bool = False


def read_affected(
    reader: TableReader,
    reads: Sequence[AffectedRead],
    by: tuple[str, ...],
    *,
    whole: bool,
    by_partition: bool,
    stages: Stages,
    requested: DataFrame | None = None,
) -> Slices:
    """The slices of `by` in which content of any read changed on net, with all of their live rows in each read.

    `requested` are additional slices to recompute. If slices are partitions of the output (`by_partition`) or of
    every read, they are listed, so that only their partitions are read. If `by` are the unique keys of the only read,
    the net inserted rows are complete, and the source is not scanned.
    """
    everything = {read.parameter: read.everything for read in reads}
    if whole:
        return Slices(by, everything)
    nets = {read.parameter: stages.stage(_net_changes_of(reader, read)) for read in reads if read.source.moved}
    parts = [net.select(*by) for net in nets.values()] + ([requested.select(*by)] if requested is not None else [])
    if not parts:
        return Slices(by, everything, none=True)
    values = _distinct(parts, stages)
    came: dict[str, DataFrame] | None = None
    if len(reads) == 1 and reads[0].unique and requested is None:
        came = {name: net.filter("_sign > 0").select(everything[name].columns) for name, net in nets.items()}
    if by_partition or all(read.partitioned for read in reads) or _are_few(values):
        points = points_of(values)
        within = partial(one_of, points)
        rows = came if came is not None and not by_partition else _filtered(everything, within(""))
        return Slices(by, rows, values, within, one_of_as_sql(points), none=not points)
    bounds = bounds_of(values, by)
    within = partial(between, bounds)
    if came is None:
        came = {name: in_slices(frame, values) for name, frame in _filtered(everything, within("")).items()}
    return Slices(by, came, values, within, exact=False, none=not bounds)


def _distinct(parts: Sequence[DataFrame], stages: Stages) -> DataFrame:
    """The different rows of all parts, staged."""
    kinds = {tuple(field.dataType for field in part.schema) for part in parts}
    if len(kinds) == 1 and all(isinstance(field.dataType, EXACT_AS_TEXT) for field in parts[0].schema):
        rows = [local_rows(part) for part in parts]
        if all(part is not None for part in rows):
            unique = {tuple(row): row.asDict() for part in rows for row in part or ()}
            wanted = _nullable(parts[0].schema)
            return local_frame(parts[0].sparkSession, table_of(list(unique.values()), wanted), wanted)
    return stages.stage(reduce(DataFrame.union, parts).distinct())


def _nullable(schema: StructType) -> StructType:
    return StructType([StructField(field.name, field.dataType) for field in schema])


def _are_few(values: DataFrame) -> bool:
    """Whether the slices are in the plan, few, and of types that literals name exactly."""
    rows = exact_rows(values)
    return rows is not None and len(rows) <= _MOST_POINTS


def _filtered(frames: Mapping[str, DataFrame], condition: Column) -> dict[str, DataFrame]:
    return {name: frame.filter(condition) for name, frame in frames.items()}


def moved_on_net(reader: TableReader, table: str, since: int, version: int) -> bool:
    """Whether the live content of a table is another one at `version` than it was at `since`."""
    return not _net_changes(reader.feed(table, since, version)).isEmpty()


def _net_changes_of(reader: TableReader, read: AffectedRead) -> DataFrame:
    since = -1 if read.source.since is None else read.source.since
    return _net_changes(reader.feed(read.table, since, read.source.version))


def _net_changes(feed: DataFrame) -> DataFrame:
    """The live rows that came (`_sign` > 0) or went (< 0) on net. A row that went and came back is none."""
    signed = feed.withColumn("_sign", F.when(F.col("_change_type").isin(*_ADDED), 1).otherwise(-1))
    rows = signed.filter(live_condition(feed.columns))
    business = [name for name in feed.columns if not name.startswith("_")]
    groups = {name: _groupable(rows, name) for name in business}
    grouped = rows.groupBy(*(column.alias(f"_group_{name}") for name, column in groups.items()))
    net = grouped.agg(F.sum("_sign").alias("_sign"), *(F.first(name).alias(name) for name in business))
    return net.filter("_sign <> 0").select(*business, "_sign")


def _groupable(rows: DataFrame, name: str) -> Column:
    """A column that Spark can group by: a map as its sorted entries."""
    if isinstance(rows.schema[name].dataType, MapType):
        return F.array_sort(F.map_entries(name))
    return F.col(name)


def in_slices(rows: DataFrame, values: DataFrame) -> DataFrame:
    """The rows whose slice is in `values`; null is a value like any other."""
    return _by_slices(rows, values, "left_semi")


def outside_slices(rows: DataFrame, values: DataFrame) -> DataFrame:
    """The rows whose slice is none of `values`."""
    return _by_slices(rows, values, "left_anti")


def row_outside(rows: DataFrame, values: DataFrame) -> Row | None:
    """A row whose slice is none of `values`; None where there is none.

    One Spark job, and none where both are in the plan.
    """
    slices, wanted = exact_rows(rows.select(values.columns)), exact_rows(values)
    if slices is None or wanted is None:
        return outside_slices(rows, values).head()
    known = {tuple(row) for row in wanted}
    return next((row for row in slices if tuple(row) not in known), None)


def _by_slices(rows: DataFrame, values: DataFrame, how: str) -> DataFrame:
    wanted = values.select(*(F.col(name).alias(f"_slice_{name}") for name in values.columns))
    matches = (F.col(name).eqNullSafe(F.col(f"_slice_{name}")) for name in values.columns)
    return rows.join(wanted, reduce(lambda a, b: a & b, matches), how)
