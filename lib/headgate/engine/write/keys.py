"""Keys of rows: how `_key` is made, and the range of a batch's keys, by which a target's files are skipped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.runtime.materialize import local_rows
from headgate.ledger.record_table import KEY, KEYED, STATE


def text_key(prefix: str, columns: tuple[str, ...]) -> Column:
    """Returns a row's `_key`: the prefix and the columns as a JSON array; null if any column is null."""
    text = F.concat(F.lit(prefix), F.to_json(F.array(*(F.col(name).cast("string") for name in columns))))
    return F.when(reduce(and_, (F.col(name).isNotNull() for name in columns)), text)


@dataclass(frozen=True)
class KeyRange:
    """The least and the greatest key of a batch; None where it has no row.

    Neither a join nor a MERGE skips files by the values of its other side; by literals both do.
    """

    least: str | None
    greatest: str | None

    def condition(self, prefix: str = "") -> Column:
        """Returns the condition that a row of the target, its columns below `prefix`, has a key within the range."""
        state, key = F.col(f"{prefix}{STATE}"), F.col(f"{prefix}{KEY}")
        return state.isin(*KEYED) & key.between(F.lit(self.least), F.lit(self.greatest))


def key_range(rows: DataFrame) -> KeyRange:
    """Returns the range of the keys of `rows`; one Spark job, and none where they are in the plan."""
    local = local_rows(rows.select(KEY))
    if local is not None:
        keys = sorted((row[0] for row in local if row[0] is not None), key=str.encode)  # Spark compares bytes
        return KeyRange(keys[0], keys[-1]) if keys else KeyRange(None, None)
    least, greatest = rows.agg(F.min(KEY), F.max(KEY)).collect()[0]
    return KeyRange(least, greatest)
