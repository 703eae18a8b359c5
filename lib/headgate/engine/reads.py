"""What a table's function is given: changed bronze rows, or the live rows of the affected slices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from headgate.engine.stage import Stages
from headgate.plan import Source

_FEED_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")
_ADDED = ("insert", "update_postimage")


def read_changes(session: SparkSession, uri: str, source: Source) -> DataFrame:
    """The rows of an insert-only table that came in (since, version]; all of them where `since` is None."""
    if source.since is None:
        return read_at(session, uri, source.version)
    feed = _feed(session, uri, source.since, source.version)
    return feed.filter(F.col("_change_type") == "insert").drop(*_FEED_COLUMNS)


def read_at(session: SparkSession, uri: str, version: int) -> DataFrame:
    return session.read.format("delta").option("versionAsOf", version).load(uri)


def live(frame: DataFrame) -> DataFrame:
    """The live rows, without Headgate's own columns."""
    rows = frame.filter(F.col("_state") == "live") if "_state" in frame.columns else frame
    return rows.drop(*(name for name in rows.columns if name.startswith("_")))


@dataclass(frozen=True)
class Slices:
    """The affected slices of a source: their values of `by` (None: every slice), and their live rows."""

    by: tuple[str, ...]
    values: DataFrame | None
    rows: DataFrame

    @property
    def none(self) -> bool:
        return self.values is not None and self.values.isEmpty()


def read_affected(
    session: SparkSession,
    uri: str,
    source: Source,
    by: tuple[str, ...],
    *,
    keys: tuple[str, ...],
    partitions: tuple[str, ...],
    stages: Stages,
) -> Slices:
    """The slices of `by` in which content changed on net in (since, version], with all of their live rows.

    Where `by` are the source's `keys`, what came in on net is all there is, and the source is not
    scanned; where they are its `partitions`, only those are read.
    """
    everything = live(read_at(session, uri, source.version))
    if source.since is None:
        return Slices(by, None, everything)
    net = stages.stage(_net_changes(_feed(session, uri, source.since, source.version), by))
    values = stages.stage(net.select(*by).distinct())
    if set(by) == set(keys):
        return Slices(by, values, net.filter("_sign > 0").drop("_sign").select(everything.columns))
    if set(by) <= set(partitions):
        return Slices(by, values, everything.filter(slices_sql(values)))
    return Slices(by, values, in_slices(everything.filter(within_bounds(values)), values))


def _feed(session: SparkSession, uri: str, since: int, version: int) -> DataFrame:
    reader = session.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", since + 1).option("endingVersion", version).load(uri)


def _net_changes(feed: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """The live rows that came (`_sign` > 0) or went (< 0) on net. A row that went and came back is none."""
    signed = feed.withColumn("_sign", F.when(F.col("_change_type").isin(*_ADDED), 1).otherwise(-1))
    rows = signed.filter(F.col("_state") == "live") if "_state" in feed.columns else signed
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
    """The rows whose slice is one of `values`; null is a value like any other."""
    return _by_slices(rows, values, "left_semi")


def outside_slices(rows: DataFrame, values: DataFrame) -> DataFrame:
    """The rows whose slice is none of `values`."""
    return _by_slices(rows, values, "left_anti")


def _by_slices(rows: DataFrame, values: DataFrame, how: str) -> DataFrame:
    wanted = values.select(*(F.col(name).alias(f"_slice_{name}") for name in values.columns))
    matches = (F.col(name).eqNullSafe(F.col(f"_slice_{name}")) for name in values.columns)
    return rows.join(wanted, reduce(lambda a, b: a & b, matches), how)


def slices_sql(values: DataFrame) -> str:
    """`values` as a literal SQL condition, so that other partitions are neither read nor replaced."""
    types = {field.name: field.dataType.simpleString() for field in values.schema}
    as_text = values.select(*(F.col(name).cast("string").alias(name) for name in values.columns))

    def one(name: str, value: str | None) -> str:
        if value is None:
            return f"`{name}` IS NULL"
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"`{name}` = CAST('{escaped}' AS {types[name]})"

    rows = sorted(as_text.collect(), key=str)
    return " OR ".join("(" + " AND ".join(one(name, row[name]) for name in values.columns) + ")" for row in rows)


def within_bounds(values: DataFrame, prefix: str = "") -> Column:
    """A literal condition that every slice of `values` meets, so that other files are skipped."""
    sides = [f(name).alias(f"{label}_{name}") for name in values.columns for label, f in (("lo", F.min), ("hi", F.max))]
    nulls = [F.count_if(F.col(name).isNull()).alias(f"nulls_{name}") for name in values.columns]
    bounds = values.agg(*sides, *nulls).collect()[0]

    def bound(name: str) -> Column:
        column = F.col(f"{prefix}{name}")
        between = column.between(F.lit(bounds[f"lo_{name}"]), F.lit(bounds[f"hi_{name}"]))
        return between | column.isNull() if bounds[f"nulls_{name}"] else between

    return reduce(lambda a, b: a & b, (bound(name) for name in values.columns))
