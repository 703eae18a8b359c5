"""Reproduces a report: bronze as it stood at a time, in another lake, where the tables above it are then built."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from headgate.contracts.environment import Environment
from headgate.engine.delta.commit import Committer
from headgate.engine.read import bronze
from headgate.engine.read.table_reader import read_at
from headgate.errors import UsageError
from headgate.ledger.ledger import Ledger
from headgate.ledger.run_id import new_run_id
from headgate.ledger.travel import version_at
from headgate.planning.graph import Graph
from headgate.planning.plan import Kind, Work


def versions_at(ledger: Ledger, graph: Graph, names: Iterable[str], moment: datetime) -> dict[str, int]:
    """Bronze table -> its version at a time, for each that the tables `names` come from. Raises UsageError for none."""
    above = {table for name in names for table in {name, *graph.ancestors(name)} if table.startswith("bronze.")}
    now = datetime.now(UTC)
    built = sorted(table for table in above if ledger.open(table) is not None)
    if not built:
        raise UsageError("there is no bronze table yet", fix="headgate run")
    return {table: version_at(ledger, table, moment, now) for table in built}


def copy_bronze(
    session: SparkSession, graph: Graph, source: Environment, target: Environment, versions: dict[str, int]
) -> None:
    """Copies bronze tables at their versions into another lake. Raises UsageError if it has any of them already."""
    read, written, run = Ledger(source), Ledger(target), new_run_id()
    for table, version in versions.items():
        head = written.head(table)
        if head.exists:
            raise UsageError(f"{table} exists there already", where=target.lake, fix="use an empty folder with --into")
        owner, _ = read.position_at(table, version)
        position = owner.metadata.position if owner and owner.metadata else None
        listed_at = (position.listed_at if position else None) or datetime.now(UTC)
        work = Work(table, Kind.FIRST, "", head, listed_at=listed_at)
        rows = read_at(session, source.table_uri(table), version)
        committer = Committer(session, written, graph.node(table), work, run)
        with committer.writing(rows, bronze.PARTITION_BY, bronze.PROPERTIES) as batch:
            pass  # the source's own runs judged it
        committer.overwrite(batch, bronze.PARTITION_BY, bronze.PROPERTIES, changes_rows=True, copied_version=version)
