"""The work on one table as a value, `Job`, and its result, `Outcome`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pyspark.sql import DataFrame, SparkSession

from headgate.contracts.environment import Environment
from headgate.contracts.table_contract import TableContract
from headgate.engine.delta.commit import Committer
from headgate.engine.gate.marks import Marks
from headgate.engine.read.function import AuthoredFunction, CheckedFunction
from headgate.engine.read.table_reader import TableReader
from headgate.engine.runtime.materialize import Stages
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import Work
from headgate.project import Project
from headgate.suites.quality import Acceptance, Result
from headgate.suites.suite import Suite
from headgate.table import Write

W = TypeVar("W", bound=Write)


@dataclass(frozen=True, kw_only=True)
class Job:
    """The work on one table, with everything that it needs.

    contract, suite: the table's public schema and its expectations; None if the table has none.
    accepted: the failures that a person accepts, by expectation. condition: of a backfill by slices, an SQL condition
    on the columns of the slices to compute again. inputs: the live rows of the tables that the function reads by
    `Snapshot`, by parameter. relations: the live rows of the tables that the suite compares with, by name.
    """

    session: SparkSession
    project: Project
    environment: Environment
    graph: Graph
    node: Node
    work: Work
    function: AuthoredFunction
    committer: Committer
    stages: Stages
    reader: TableReader
    contract: TableContract | None = None
    suite: Suite | None = None
    accepted: Mapping[str, Acceptance] = field(default_factory=dict)
    condition: str = ""
    inputs: Mapping[str, DataFrame] = field(default_factory=dict)
    relations: Mapping[str, DataFrame] = field(default_factory=dict)

    def writes_as(self, *kinds: type[W]) -> W:
        """Returns the table's write, whose type is in `kinds`."""
        writes = self.node.writes
        if not isinstance(writes, kinds):
            raise TypeError(f"{self.node.name} is not written by {' or '.join(kind.__name__ for kind in kinds)}")
        return writes


@dataclass(frozen=True, kw_only=True)
class RecordJob(Job):
    """The work on a `Merge` or `Append` table. marks: the rules that judge each row of its function."""

    checked_function: CheckedFunction
    marks: Marks


@dataclass(frozen=True)
class Outcome:
    """The result of a commit. Counts are rows; `version` is the table's new version; `quality` the suite's results."""

    version: int
    rows_in: int
    written: int
    quarantined: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    quality: tuple[Result, ...] = ()
