"""Reads Delta tables for a run: the only place that decides which reader does it."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.engine.read import local_files
from headgate.engine.read.local_files import CHANGE_TYPE, LocalRows
from headgate.engine.runtime.materialize import local_frame
from headgate.ledger.ledger import Ledger
from headgate.planning.plan import Source

_FEED_COLUMNS = (CHANGE_TYPE, "_commit_version", "_commit_timestamp")


@dataclass(frozen=True)
class TableReader:
    """Reads tables of an environment. local: what is small is read by this process, and not by Delta's reader."""

    session: SparkSession
    ledger: Ledger
    local: bool = False

    def at(self, table: str, version: int) -> DataFrame:
        """All rows of a version, of every state."""
        rows = local_files.snapshot(self.ledger, table, version) if self.local else None
        return self._frame(rows) if rows else read_at(self.session, self._uri(table), version)

    def at_with_file(self, table: str, version: int) -> DataFrame | None:
        """All rows of a version with the path of their file, `_file`; None where this process does not read them."""
        rows = local_files.snapshot(self.ledger, table, version, with_file=True) if self.local else None
        return self._frame(rows) if rows else None

    def feed(self, table: str, since: int, version: int) -> DataFrame:
        """The change feed of (since, version], with `_change_type`; from the beginning where `since` is -1."""
        rows = local_files.feed(self.ledger, table, since, version) if self.local else None
        if rows:
            return self._frame(rows)
        reader = self.session.read.format("delta").option("readChangeFeed", "true")
        return reader.option("startingVersion", since + 1).option("endingVersion", version).load(self._uri(table))

    def changes(self, table: str, source: Source) -> DataFrame:
        """The rows of an insert-only table that came in (since, version]; all of them where `since` is None."""
        if source.since is None:
            return self.at(table, source.version)
        if not source.moved:
            return self.at(table, source.version).limit(0)
        feed = self.feed(table, source.since, source.version)
        return feed.filter(F.col(CHANGE_TYPE) == "insert").drop(*_FEED_COLUMNS)

    def _frame(self, rows: LocalRows) -> DataFrame:
        return local_frame(self.session, rows.rows, rows.schema)

    def _uri(self, table: str) -> str:
        return self.ledger.environment.table_uri(table)


def read_at(session: SparkSession, uri: str, version: int) -> DataFrame:
    """All rows of a version by Delta's reader."""
    return session.read.format("delta").option("versionAsOf", version).load(uri)
