"""`History`: a slowly changing dimension of type 2, computed from every version of a key, never patched.

The rules are those that Lakeflow publishes for AUTO CDC: intervals are half-open, only tracked columns open a
row, equal neighbours are coalesced, a delete closes. Patching a table of coalesced rows would make the rows depend on
the order in which versions arrive, so a key's whole history is computed from all of its versions.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from headgate.engine.read.output_schema import content_hash
from headgate.engine.runtime.jvm_access import names_in
from headgate.errors import BatchRefused
from headgate.planning.graph import Node
from headgate.table import IS_CURRENT, VALID_FROM, VALID_TO, History


def versions(rows: DataFrame, writes: History) -> DataFrame:
    """One row for each time a key's tracked columns were the same, from one row for each version of the key.

    Adds `valid_from`, `valid_to` (null where open) and `is_current`; leaves out `sequence_by` and the columns that
    only `delete_when` names. Two equal versions at the same instant count once; a delete at the instant of another
    version does not count, as the key is there at that instant.
    """
    columns = kept_columns(rows, writes)
    tracked = F.struct(*(F.col(name) for name in columns if writes.track is None or name in writes.track))
    marked = rows.select(
        *columns,
        F.col(writes.sequence_by).alias("_at"),
        _deleted(writes).alias("_deleted"),
        tracked.alias("_tracked"),
    )
    in_time = Window.partitionBy(*writes.keys).orderBy("_at")
    one_each = Window.partitionBy(*writes.keys, "_at").orderBy("_deleted")
    single = marked.withColumn("_copy", F.row_number().over(one_each)).filter("_copy = 1")
    opens = single.withColumn("_opens", _opens(in_time))
    stretches = opens.withColumn("_stretch", F.sum(F.col("_opens").cast("int")).over(in_time))
    return _rows_of(stretches, columns, writes)


def _opens(in_time: WindowSpec) -> Column:
    """Whether a version opens a row: the first, a change of a tracked column, a delete, or a version after a delete."""
    before = F.lag("_tracked").over(in_time)
    deleted_before = F.lag("_deleted").over(in_time)
    same = (F.col("_deleted") & deleted_before) | (
        ~F.col("_deleted") & ~deleted_before & F.col("_tracked").eqNullSafe(before)
    )
    return ~F.coalesce(same, F.lit(False))


def _rows_of(stretches: DataFrame, columns: list[str], writes: History) -> DataFrame:
    """One row a stretch: the columns as its last version has them, from its first instant to the next stretch's."""
    stretch = Window.partitionBy(*writes.keys, "_stretch").orderBy("_at")
    newest = Window.partitionBy(*writes.keys, "_stretch").orderBy(F.col("_at").desc())
    began = stretches.withColumn("_from", F.min("_at").over(stretch))
    last = began.withColumn("_last", F.row_number().over(newest)).filter("_last = 1")
    ended = last.withColumn("_to", F.lead("_from").over(Window.partitionBy(*writes.keys).orderBy("_stretch")))
    return ended.filter("NOT _deleted").select(
        *columns,
        F.col("_from").alias(VALID_FROM),
        F.col("_to").alias(VALID_TO),
        F.col("_to").isNull().alias(IS_CURRENT),
    )


def kept_columns(rows: DataFrame, writes: History) -> list[str]:
    """The function's columns that the table keeps."""
    named = {*writes.keys, *(writes.track or ()), *writes.partition_by}
    dropped = {writes.sequence_by, *_columns_of(rows, writes.delete_when)} - named
    return [name for name in rows.columns if name not in dropped]


def _columns_of(rows: DataFrame, condition: str | None) -> set[str]:
    """The columns that an SQL condition names."""
    return names_in(rows, condition) if condition is not None else set()


def _deleted(writes: History) -> Column:
    return F.coalesce(F.expr(writes.delete_when), F.lit(False)) if writes.delete_when else F.lit(False)


def require_no_ties(rows: DataFrame, writes: History, node: Node) -> None:
    """Raises BatchRefused where a version has no instant, or two versions of a key differ at one instant.

    Deletes are not compared: at one instant any other version takes precedence over them.
    """
    by = [*writes.keys, writes.sequence_by]
    hashed = rows.select(*by, F.when(~_deleted(writes), content_hash(rows)).alias("_content"))
    odd = hashed.groupBy(*by).agg(F.min("_content").alias("lo"), F.max("_content").alias("hi"))
    version = odd.filter(F.col(writes.sequence_by).isNull() | (F.col("lo") != F.col("hi"))).head()
    if version is None:
        return
    key = ", ".join(f"{name}={version[name]}" for name in writes.keys)
    if version[writes.sequence_by] is None:
        raise BatchRefused(
            f"a version of {key} has no {writes.sequence_by}",
            where=f"{node.module}:{node.line}",
            fix=f"declare {writes.sequence_by} as required in the contract, so that such a record is quarantined",
        )
    raise BatchRefused(
        f"two versions of {key} at {writes.sequence_by}={version[writes.sequence_by]} differ: neither is later",
        where=f"{node.module}:{node.line}",
        fix="use a finer sequence_by, or keep a single version in the function",
    )
