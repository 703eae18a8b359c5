"""A change of a few rows in a small table as new files in place of those that have the old rows.

One commit removes and adds the files. It needs one Spark job where a MERGE needs about seven. The rows that stay are
deleted and inserted again in the change feed, so the files must be small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate.engine.delta.actions import Removal
from headgate.engine.read.local_files import FILE
from headgate.engine.read.output_schema import content_hash, with_columns_of
from headgate.engine.runtime.materialize import count_rows, local_rows
from headgate.engine.write.outcome import Job
from headgate.ledger.ledger import Commit

#: More rows are changed by a MERGE, whose change feed names the changed rows alone.
_MOST_ROWS = 5_000


@dataclass(frozen=True)
class Rewrite:
    """The files to remove, and the `rows` in their place."""

    removal: Removal
    rows: DataFrame

    def commit(self, job: Job, facts: Mapping[str, Any]) -> Commit:
        """Writes the rows, and commits them in place of the files."""
        spread = self.rows.hint("rebalance", *job.committer.partition_by)
        with job.committer.writing(spread) as batch:
            pass  # the gate has passed the new rows
        return job.committer.rewrite(batch, self.removal, **facts)


def rewrite_of(job: Job, target: DataFrame, gone: DataFrame, inserts: DataFrame) -> Rewrite | None:
    """Returns how to replace the rows `gone` of `target` by `inserts`; None where a MERGE has to do it.

    target: all rows of the table in this process, with their `_file`. gone: for each content its `_hash` and `_files`.
    """
    changed = local_rows(gone.select("_hash", "_files"))
    if changed is None:
        return None
    files = frozenset(file for row in changed for file in row["_files"])
    present = with_columns_of(target.filter(F.col(FILE).isin(*files)), inserts)
    if count_rows(present) > _MOST_ROWS:
        return None
    removal = job.committer.removal_for_rewrite(files, inserts.schema)
    if removal is None:
        return None
    stay = present.filter(~content_hash(inserts).isin(*(row["_hash"] for row in changed)))
    return Rewrite(removal, stay.unionByName(inserts))
