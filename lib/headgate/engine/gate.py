"""The gate: what decides, before anything is committed, whether a record or a batch may pass.

A record is accepted or rejected as a unit, with every reason. Its contract judges it when it is read
(`typed`), its table's declaration here. A suite's row rules belong beside `keyless`: each is a
condition on the function's rows that names a reason.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.typed import REASON
from headgate.errors import BatchRefused
from headgate.graph import Node
from headgate.table import Merge


def no_reasons() -> Column:
    """The reasons of a row with which nothing is wrong: an empty array."""
    return F.array().cast(f"array<{REASON}>")


def keyless(writes: Merge) -> Column:
    """The reasons for which a row cannot be placed: a null key or a null sequence. An empty array where it can."""
    needed = [*((name, "key") for name in writes.keys)]
    if writes.sequence_by:
        needed.append((writes.sequence_by, "sequence"))
    reasons = [_null_reason(name, rule) for name, rule in needed]
    return F.filter(F.array(*reasons), lambda reason: reason.isNotNull())


def _null_reason(name: str, rule: str) -> Column:
    reason = F.struct(F.lit(name).alias("column"), F.lit(f"{rule} is null").alias("rule"), F.lit(None).alias("value"))
    return F.when(F.col(name).isNull(), reason.cast(REASON))


def require_one_row_a_record(rows: DataFrame, node: Node) -> None:
    """Raises BatchRefused where a record gave more than one row: it could not be accepted or rejected as a unit."""
    twice = rows.groupBy("_source.upload", "_source.record").count().filter("count > 1").head()
    if twice:
        raise BatchRefused(
            f"record {twice['record']} of upload {twice['upload']} gave {twice['count']} rows; Merge takes one",
            where=f"{node.module}:{node.line}",
            fix="keep the parts nested, and explode them in a second table that reads this one by Affected",
        )


def require_inside(outside: DataFrame, by: tuple[str, ...], node: Node) -> None:
    """Raises BatchRefused where the output holds a row of a slice that is not being recomputed."""
    row = outside.head()
    if row is not None:
        slice_ = ", ".join(f"{name}={row[name]}" for name in by)
        raise BatchRefused(
            f"gave a row of the slice {slice_}, which none of its input rows belongs to",
            where=f"{node.module}:{node.line}",
            fix=f"carry {list(by)} through from the input as they are",
        )


def require_all_placed(unplaced: DataFrame | None, node: Node) -> None:
    """Raises BatchRefused where a row without a key came from a table that has no records to reject."""
    row = unplaced.head() if unplaced is not None else None
    if row is not None:
        raise BatchRefused(
            f"record {row['_source']['record']} of upload {row['_source']['upload']}: "
            f"{row['_reasons'][0]['column']} {row['_reasons'][0]['rule']}",
            where=f"{node.module}:{node.line}",
            fix=f"leave such a row out here, or reject its record in {node.sources[0]}, which reads the upload",
        )


def require_balance(counts: dict[str, int], node: Node) -> None:
    """The two counting equations, over a run; an accepted record has one row, or with `Append` more.

    Raises BatchRefused: a record that is nowhere is a fault of Headgate.
    """
    records = ("unparsable", "rejected", "no_row", "accepted")
    rows = ("inserted", "updated", "deleted", "superseded", "unchanged")
    whole = counts["records"] == reduce(lambda total, name: total + counts[name], records, 0)
    parts = counts["rows"] == reduce(lambda total, name: total + counts[name], rows, 0)
    if not whole or not parts or counts["no_row"] < 0 or counts["unread"] != 0:
        raise BatchRefused(f"the counts do not balance: {counts}", where=node.name, fix="report this with the counts")
