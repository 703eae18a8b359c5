"""A write into a Delta table whose files are there before its commit: what was written can be judged in between.

`jvm/TableWrite.java` holds Delta's own writer and its transaction.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from headgate.engine.delta.statistics import statistics


class TableWrite:
    """Files that no reader sees yet."""

    def __init__(self, rows: DataFrame, files: Any) -> None:
        self._session, self._files = rows.sparkSession, files

    @property
    def rows(self) -> DataFrame:
        """What was written, read from its files."""
        return DataFrame(self._files.rows(), self._session)

    def commit(self, metadata: str) -> None:
        """Shows the files. Raises what Delta raises where another commit came in between."""
        indexed = self._files.indexed()
        columns = None if indexed is None else frozenset(indexed)
        footers = {path: pq.read_metadata(io.BytesIO(end)) for path, end in self._files.footers().items()}
        # A task that was given no rows writes a file all the same: no version needs it.
        told = {path: statistics(footer, columns) for path, footer in footers.items() if footer.num_rows}
        self._files.commit(told, metadata)

    def discard(self) -> None:
        """Removes the files, which are not to be committed."""
        self._files.discard()


def write_files(
    rows: DataFrame,
    uri: str,
    mode: str,
    options: Mapping[str, str],
    properties: Mapping[str, str],
    partition_by: Sequence[str],
) -> TableWrite | None:
    """Writes the files of `rows`, and commits nothing.

    mode, options: as Spark's writer takes them; properties: of a table that is made or made anew. None where the table
    has a commit of the `txnVersion` in `options` already.
    """
    jvm: Any = rows.sparkSession._jvm
    begin = jvm.headgate.TableWrite.begin
    files = begin(rows._jdf, uri, mode.capitalize(), dict(options), dict(properties), list(partition_by))
    return TableWrite(rows, files) if files is not None else None
