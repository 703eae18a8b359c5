"""What a table's function is given: changed bronze rows, or the live rows of the affected slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce

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
    """The affected slices of a source, and their live rows.

    `values` are the slices' values of `by` (None: every slice). `within` gives a literal SQL condition
    that every affected slice meets, its columns under a prefix; where `exact`, no other slice meets it.
    """

    by: tuple[str, ...]
    rows: DataFrame
    values: DataFrame | None = None
    within: Callable[[str], str] = lambda _: "true"
    exact: bool = True
    none: bool = False
    rows_in: int | None = None


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
        return Slices(by, everything)
    net = stages.stage(_net_changes(_feed(session, uri, source.since, source.version)))
    if set(by) <= set(partitions):
        return _by_partitions(everything, net.select(*by).distinct(), by)
    values = stages.stage(net.select(*by).distinct())
    bounds, came = _bounds(net, by)
    within = partial(_between, bounds)
    if set(by) == set(keys):
        rows = net.filter("_sign > 0").select(everything.columns)
        return Slices(by, rows, values, within, exact=False, none=not bounds, rows_in=came)
    rows = in_slices(everything.filter(within("")), values)
    return Slices(by, rows, values, within, exact=False, none=not bounds)


def _by_partitions(everything: DataFrame, values: DataFrame, by: tuple[str, ...]) -> Slices:
    points = _points(values)
    within = partial(_one_of, points)
    return Slices(by, everything.filter(within("")), values, within, none=not points)


def _feed(session: SparkSession, uri: str, since: int, version: int) -> DataFrame:
    reader = session.read.format("delta").option("readChangeFeed", "true")
    return reader.option("startingVersion", since + 1).option("endingVersion", version).load(uri)


def _net_changes(feed: DataFrame) -> DataFrame:
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


# A value as Spark prints it, and its type: what a literal is made of.
Literal = tuple[str | None, str]


def _points(values: DataFrame) -> list[dict[str, Literal]]:
    """Each slice as literals, in a stable order."""
    rows = _as_text(values).collect()
    types = _types(values)
    return [{name: (row[name], types[name]) for name in values.columns} for row in sorted(rows, key=str)]


def _bounds(net: DataFrame, by: tuple[str, ...]) -> tuple[dict[str, tuple[Literal, Literal, int]], int]:
    """Least and greatest value and number of nulls of each column of `by` (empty without rows); the rows that came."""
    sides = [
        f(name).cast("string").alias(f"{label}_{name}") for name in by for label, f in (("lo", F.min), ("hi", F.max))
    ]
    nulls = [F.count_if(F.col(name).isNull()).alias(f"nulls_{name}") for name in by]
    came = F.sum(F.when(F.col("_sign") > 0, F.col("_sign"))).alias("came")
    row = net.agg(*sides, *nulls, F.count("*").alias("rows"), came).collect()[0]
    if not row["rows"]:
        return {}, 0
    types = _types(net)
    sides_of = {name: ((row[f"lo_{name}"], types[name]), (row[f"hi_{name}"], types[name])) for name in by}
    return {name: (*sides_of[name], row[f"nulls_{name}"]) for name in by}, int(row["came"] or 0)


def _one_of(points: list[dict[str, Literal]], prefix: str) -> str:
    """Exactly these slices, so that other partitions are neither read nor replaced."""
    slices = (
        "(" + " AND ".join(_equals(prefix + name, value) for name, value in point.items()) + ")" for point in points
    )
    return " OR ".join(slices) or "false"


def _between(bounds: dict[str, tuple[Literal, Literal, int]], prefix: str) -> str:
    """A condition by which files without an affected slice are skipped."""
    sides = []
    for name, (lo, hi, nulls) in bounds.items():
        column = _quoted(prefix + name)
        between = f"{column} BETWEEN {_literal(lo)} AND {_literal(hi)}" if lo[0] is not None else "false"
        sides.append(f"({between} OR {column} IS NULL)" if nulls else between)
    return " AND ".join(sides) or "false"


def _equals(column: str, value: Literal) -> str:
    return f"{_quoted(column)} IS NULL" if value[0] is None else f"{_quoted(column)} = {_literal(value)}"


def _literal(value: Literal) -> str:
    escaped = (value[0] or "").replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'" if value[1] == "string" else f"CAST('{escaped}' AS {value[1]})"


def _quoted(column: str) -> str:
    return ".".join(f"`{part}`" for part in column.split("."))


def _as_text(rows: DataFrame) -> DataFrame:
    return rows.select(*(F.col(name).cast("string").alias(name) for name in rows.columns))


def _types(rows: DataFrame) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in rows.schema}
