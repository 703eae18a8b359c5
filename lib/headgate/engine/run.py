"""One run: each selected table that has work, in dependency order, in one Spark application."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from headgate.engine import bronze
from headgate.engine.commit import Committer
from headgate.engine.function import AuthoredFunction, cause_of
from headgate.engine.merge import build_merge
from headgate.engine.outcome import Job, Outcome
from headgate.engine.replace import build_replace
from headgate.engine.stage import stages
from headgate.environment import Environment
from headgate.errors import HeadgateError, LostRace, TableError
from headgate.graph import Graph, Node
from headgate.plan import Planner, Work
from headgate.project import Project
from headgate.table import Merge

_TRIES = 3

#: Up to so many bytes of sources and target a table is small, and its session has these settings.
SMALL_BYTES = 32 * 2**20
SMALL = {"spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "1"}


@dataclass(frozen=True)
class Report:
    """What a run did to one table. `status` is done, current, failed or skipped; `seconds` are wall time."""

    table: str
    status: str
    work: str = ""
    reason: str = ""
    rows_in: int = 0
    written: int = 0
    quarantined: int = 0
    version: int | None = None
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    error: dict[str, str] | None = None


class Runner:
    """Builds tables with a session that it is given. `tell` hears of each table as it begins."""

    def __init__(
        self,
        project: Project,
        environment: Environment,
        graph: Graph,
        session: SparkSession,
        tell: Callable[[str], None] = lambda _: None,
        *,
        rebuild: bool = False,
        planner: Planner | None = None,
    ) -> None:
        self._project, self._environment, self._graph = project, environment, graph
        self._session, self._tell, self._rebuild = session, tell, rebuild
        self._planner = planner or Planner(environment, graph)
        # Not the process's id: two containers often have the same, and a race is told by this name alone.
        self.run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"

    def run(self, names: Iterable[str]) -> list[Report]:
        """Builds each table; one that fails stops its descendants, not its siblings."""
        reports: list[Report] = []
        stopped: dict[str, str] = {}  # table -> the failed table that stopped it: itself, or one above it
        for name in names:
            above = next((stopped[source] for source in self._graph.node(name).sources if source in stopped), None)
            report = Report(name, "skipped", reason=f"{above} failed") if above else self._run_table(name)
            if report.status in ("failed", "skipped"):
                stopped[name] = above or name
            reports.append(report)
        return reports

    def _run_table(self, name: str) -> Report:
        started = time.monotonic()
        try:
            return self._try_table(name, started)
        except HeadgateError as error:
            failure = error.as_dict()
        except Exception as error:
            failure = TableError(cause_of(error), where=name).as_dict()
        return Report(name, "failed", reason=failure["what"], error=failure, seconds=_since(started))

    def _try_table(self, name: str, started: float) -> Report:
        """Plans and builds; after a lost race it plans again, and may find the work done."""
        lost = ""
        for _ in range(_TRIES):
            work = self._plan(name)
            if not work.is_work:
                return Report(name, "current", reason=lost or work.reason or work.kind.value, version=_version(work))
            self._tell(f"{name}: {work.kind.value} {work.reason}".rstrip())
            try:
                outcome = self._build(work)
            except LostRace as error:
                lost = error.what
                continue
            return _done(work, outcome, started)
        raise LostRace(f"lost {_TRIES} races: {lost}", where=name, fix="run again when the other run has ended")

    def _plan(self, name: str) -> Work:
        work = self._planner.plan_table(name)
        if self._rebuild and self._graph.node(name).layer != "bronze" and work.head.exists:
            return self._planner.rebuilt(work, "asked for by --rebuild")
        return work

    def _build(self, work: Work) -> Outcome:
        node = self._graph.node(work.table)
        # MERGE takes its transaction from its session's settings, so each table has a session of its own.
        session = self._session.newSession()
        if self._is_small(work):
            for key, value in SMALL.items():
                session.conf.set(key, value)
        committer = Committer(session, self._planner.ledger, node, work, self.run_id)
        if node.layer == "bronze":
            return self._build_bronze(session, node, work, committer)
        function = AuthoredFunction(self._project, node)
        with stages() as scope:
            job = Job(session, self._environment, self._graph, node, work, function, committer, scope)
            try:
                return build_merge(job) if isinstance(node.writes, Merge) else build_replace(job)
            except Exception as error:
                function.refuse(error)

    def _is_small(self, work: Work) -> bool:
        """Whether all that the work can touch is little: one task a stage is then faster than planning for more."""
        ledger = self._planner.ledger
        tables = {name: source.version for name, source in work.sources.items()}
        if work.head.exists:
            tables[work.table] = work.head.version
        return sum(ledger.size(name, version) for name, version in tables.items()) <= SMALL_BYTES

    def _build_bronze(self, session: SparkSession, node: Node, work: Work, committer: Committer) -> Outcome:
        contract = self._graph.contract_of(node.name)
        files = bronze.write_landed(session, self._environment, contract, node.name, work.landed)
        counts = {"uploads": len(work.landed)}
        commit = committer.add_files(
            files, bronze.SCHEMA, bronze.PARTITION_BY, bronze.PROPERTIES, changes_rows=True, counts=counts
        )
        records = sum(file.rows for file in files) - len(work.landed)
        return Outcome(commit.version, len(work.landed), records, counts={**counts, "records": records})


def _done(work: Work, outcome: Outcome, started: float) -> Report:
    return Report(
        work.table, "done", work.kind.value, work.reason, outcome.rows_in, outcome.written, outcome.quarantined,
        outcome.version, _since(started), dict(outcome.counts),
    )  # fmt: skip


def _version(work: Work) -> int | None:
    return work.head.version if work.head.exists else None


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)
