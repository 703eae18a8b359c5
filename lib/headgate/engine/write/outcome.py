"""What building a table is given, and what it tells afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from headgate.contracts.environment import Environment
from headgate.contracts.table_contract import TableContract
from headgate.engine.delta.commit import Committer
from headgate.engine.read.function import AuthoredFunction
from headgate.engine.runtime.materialize import Stages
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import Work
from headgate.project import Project
from headgate.suites.quality import Acceptance
from headgate.suites.suite import Suite
from headgate.table import Write

W = TypeVar("W", bound=Write)


@dataclass(frozen=True)
class Job:
    """One table's work, with everything that does it."""

    session: SparkSession
    project: Project
    environment: Environment
    graph: Graph
    node: Node
    work: Work
    function: AuthoredFunction
    committer: Committer
    stages: Stages
    contract: TableContract | None = None  # what the table's readers may rely on
    suite: Suite | None = None  # what is expected of the table's rows
    accepted: Mapping[str, Acceptance] = field(default_factory=dict)  # by expectation
    asked: str = ""  # of a backfill: an SQL condition on the columns of the slices to compute again

    def writes_as(self, *kinds: type[W]) -> W:
        """The table's write, which is one of `kinds`."""
        writes = self.node.writes
        if not isinstance(writes, kinds):
            raise TypeError(f"{self.node.name} is not written by {' or '.join(kind.__name__ for kind in kinds)}")
        return writes


@dataclass(frozen=True)
class Outcome:
    """What a commit did. Counts are rows; `version` is the table's new version."""

    version: int
    rows_in: int
    written: int
    quarantined: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    quality: Sequence[Mapping[str, Any]] = ()  # what the table's suite found, as plain values
