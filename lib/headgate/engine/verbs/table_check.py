"""Checks a current table with its whole suite, scopes `batch` and `table`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession

from headgate.contracts.environment import Environment
from headgate.engine.gate.rules import judge_batch
from headgate.engine.read.changes import live
from headgate.engine.read.snapshots import shape_of
from headgate.engine.read.table_reader import read_at
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import Graph
from headgate.project import Project
from headgate.suites.quality import Result
from headgate.suites.suite import Suite, require_columns


@dataclass(frozen=True)
class TableCheck:
    """The results of a table's suite for the live rows of `version`."""

    table: str
    version: int
    results: tuple[Result, ...]

    @property
    def fails(self) -> bool:
        """Whether an expectation that is critical fails."""
        return any(not result.success and result.severity == "critical" for result in self.results)


def check_table(
    session: SparkSession, project: Project, environment: Environment, graph: Graph, suite: Suite
) -> TableCheck:
    """Judges the live rows of a built table at its head, by GX's own engine; its rows are not kept meanwhile.

    Raises SuiteError where the suite does not fit the table.
    """
    ledger = Ledger(environment)
    version = ledger.head(suite.table).version
    rows = live(read_at(session, environment.table_uri(suite.table), version))
    require_columns(suite, rows.columns)
    whole = replace(
        suite, expectations=tuple(replace(expectation, scope="table") for expectation in suite.expectations)
    )
    views = _views(session, project, environment, graph, suite)
    return TableCheck(suite.table, version, tuple(judge_batch(whole, rows, views, table=True)))


def _views(
    session: SparkSession, project: Project, environment: Environment, graph: Graph, suite: Suite
) -> Mapping[str, DataFrame]:
    """The live rows at the heads of the tables that the suite's queries read, without tables that are not built yet."""
    ledger, result = Ledger(environment), {}
    for name in suite.relations:
        head = ledger.head(name)
        if head.exists:
            result[name] = live(read_at(session, head.uri, head.version))
        else:
            result[name] = shape_of(project, graph, session, name)
    return result
