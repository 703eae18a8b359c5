"""A run: builds each selected table that has work, in dependency order, several at a time, in one Spark application."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from headgate import faults
from headgate.contracts.environment import Environment
from headgate.contracts.table_contract import load_table_contracts
from headgate.engine.delta.commit import Committer
from headgate.engine.delta.partition_text import UnfitPartitionText
from headgate.engine.gate.rules import import_ahead
from headgate.engine.read import bronze
from headgate.engine.read.author_errors import cause_of
from headgate.engine.read.function import AuthoredFunction
from headgate.engine.read.records import Records, read_records
from headgate.engine.read.snapshots import moved_snapshot
from headgate.engine.read.table_reader import TableReader
from headgate.engine.runtime.materialize import stages
from headgate.engine.runtime.platform_errors import platform_error
from headgate.engine.steps import READ, Listener, listening, step
from headgate.engine.verbs.backfill import backfill_uploads
from headgate.engine.verbs.replay import Replayed, replay
from headgate.engine.verbs.table_report import Report, done, report_of, since, version_of
from headgate.engine.write.append import build_append
from headgate.engine.write.merge import build_merge
from headgate.engine.write.outcome import Job, Outcome, RecordJob
from headgate.engine.write.prepare import prepared
from headgate.engine.write.replace import build_replace
from headgate.errors import BatchRefused, ContractChanged, HeadgateError, InternalError, LostRace, StorageError
from headgate.ledger.record_table import STATE, State
from headgate.ledger.run_id import new_run_id
from headgate.logs import log_context, log_file
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import Kind, Planner, Work, contract_of_records
from headgate.project import Project
from headgate.suites.quality import Acceptance
from headgate.suites.suite import load_suites
from headgate.table import Append, Merge
from headgate.views import reports, results

log = logging.getLogger(__name__)

_TRIES = 3
#: The reason of a table that did not begin because the run was told to stop.
STOPPED = "the run was stopped before it"

_RECORD_BUILDERS: Mapping[type, Callable[[RecordJob, Records], Outcome]] = {Append: build_append, Merge: build_merge}

#: Up to so many bytes of sources and target a table is small, and its session has these settings.
SMALL_BYTES = 32 * 2**20
SMALL = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.leafNodeDefaultParallelism": "1",
    # To broadcast is a Spark job of its own.
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}


class Runner:
    """Builds tables in a Spark session. `tell` is called with a line of text as each table begins, `on_step` with a
    table and each of its steps, and with its status when it has ended; both from several threads.

    Once `stop` returns true no further table begins: those in progress end, and the others are skipped.
    """

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
        accepted: Iterable[Acceptance] = (),
        stop: Callable[[], bool] = lambda: False,
        on_step: Listener = lambda table, step: None,
    ) -> None:
        self._project, self._environment, self._graph = project, environment, graph
        self._session, self._tell, self._rebuild, self._stop = session, tell, rebuild, stop
        self._planner = planner or Planner(environment, graph)
        self._contracts = load_table_contracts(project)
        self._suites = load_suites(project)
        self._accepted = {acceptance.expectation: acceptance for acceptance in accepted}
        self._on_step = on_step
        self.run_id = new_run_id()
        #: The reports of the tables that this run has dealt with so far, in the order in which they ended.
        self.finished: list[Report] = []

    def run(self, names: Iterable[str]) -> list[Report]:
        """Builds each table; a failure stops the descendants of its table only. Keeps report and log in the lake."""
        with self._logged():
            started, names = datetime.now(UTC), list(names)
            log.info("run of %d tables begins", len(names))
            import_ahead([self._suites[name] for name in names if name in self._suites], self._project.cache)
            table_reports = self._run_all(names)
            self._keep(started, table_reports)
            self._record(table_reports)
        return table_reports

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Writes the block's log to a file, and puts it into the lake. The file stays where the lake refuses it."""
        path = self._project.cache / "logs" / f"{self.run_id}.log"
        try:
            with log_file(path), log_context(run=self.run_id):
                yield
        finally:
            try:
                reports.write_log(self._environment.object_store(), self.run_id, path.read_bytes())
                path.unlink()
            except (StorageError, OSError) as error:
                log.warning("the run's log stays in %s: %s", path, error)

    def _run_all(self, names: Iterable[str]) -> list[Report]:
        """Builds several tables at a time, each after its sources; returns the reports in the order of `names`."""
        order = list(names)
        waiting, ended = list(order), dict[str, Report]()
        running: dict[Future[Report], str] = {}
        at_a_time = self._environment.parallel_tables
        pool = ThreadPoolExecutor(at_a_time, thread_name_prefix="table")
        try:
            while waiting or running:
                if self._stop():
                    ended |= {name: Report(name, "skipped", reason=STOPPED) for name in waiting}
                    waiting.clear()
                for name in self._ready(waiting, running.values()):
                    if failed := self._failed_above(name, ended):
                        ended[name] = Report(name, "skipped", reason=f"{failed} failed")
                    elif len(running) < at_a_time:
                        running[pool.submit(self._run_table, name)] = name
                    else:  # it does not wait in the pool: a run that is stopped begins no further table
                        continue
                    waiting.remove(name)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    ended[running.pop(future)] = future.result()
        except BaseException:
            self._session.sparkContext.cancelAllJobs()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return [ended[name] for name in order]

    def _ready(self, waiting: list[str], running: Iterable[str]) -> list[str]:
        """The waiting tables none of whose sources is still to be done."""
        undone = {*waiting, *running}
        return [name for name in waiting if not undone & set(self._graph.node(name).sources)]

    def _failed_above(self, name: str, ended: Mapping[str, Report]) -> str:
        """The failed table above `name`, directly or through skipped ones; empty where there is none."""
        for source in self._graph.node(name).sources:
            report = ended.get(source)
            if report and report.status == "failed":
                return source
            if report and report.status == "skipped":
                return self._failed_above(source, ended)
        return ""

    def _keep(self, started: datetime, ended: Iterable[Report]) -> None:
        """Writes the run's report. The tables are committed, so a failure is logged and fails nothing."""
        report = reports.RunReport(self.run_id, started, datetime.now(UTC), [asdict(table) for table in ended])
        try:
            reports.write(self._environment.object_store(), report)
        except StorageError as error:
            log.warning("the run's report was not kept: %s", error)

    def _record(self, ended: Iterable[Report]) -> None:
        """Adds the results of suites to `quality.results`. The tables are committed, so a failure fails nothing."""
        refused = (table for table in ended if table.status == "failed" and table.quality)
        failed = [results.Failed(table.table, self.run_id, datetime.now(UTC), table.quality) for table in refused]
        try:
            results.record(self._environment, (name for name in self._graph.nodes if name in self._suites), failed)
        except Exception as error:  # the next run records the missing results
            log.warning("%s was not written: %s", results.TABLE, str(error).partition("\n")[0])

    def _run_table(self, name: str) -> Report:
        started = time.monotonic()
        with log_context(run=self.run_id, table=name), listening(self._on_step, name):
            try:
                report = self._try_table(name, started)
            except Exception as error:
                report = self._failed(name, error, started)
            self.finished.append(report)
            self._on_step(name, report.status)
            log.info("%s %s in %.1f s, version %s", report.status, report.work, report.seconds, report.version)
        return report

    def _try_table(self, name: str, started: float) -> Report:
        """Plans and builds; after a lost race it plans again, and may find the work done."""
        lost = ""
        for _ in range(_TRIES):
            work = self._plan(name)
            if work.kind is Kind.REFUSED:
                raise ContractChanged(
                    f"its contract changed: {work.reason}",
                    where=self._graph.node(name).module,
                    fix=f"revert the change, or rebuild the table: headgate run --rebuild -s {name}",
                )
            if not work.is_work:
                reason = lost or work.reason or work.kind.value
                return Report(name, "current", reason=reason, version=version_of(work), lost=lost)
            faults.point(f"planned:{name}")
            session = self._new_session(work)
            work = self._with_moved_snapshot(self._reader(session, work), work)
            self._tell(f"{name}: {work.kind.value} {work.reason}".rstrip())
            try:
                work, outcome = self._build_or_rebuild(session, work)
            except LostRace as error:
                lost = error.message
                log.info("lost a race, planning again: %s", lost)
                continue
            return done(work, outcome, started)
        raise LostRace(f"lost {_TRIES} races: {lost}", where=name, fix="run again when the other run has ended")

    def _plan(self, name: str) -> Work:
        work = self._planner.plan_table(name)
        if self._rebuild and self._graph.node(name).layer != "bronze" and work.head.exists:
            return self._planner.rebuilt(work, "requested by --rebuild")
        return work

    def _build_or_rebuild(self, session: SparkSession, work: Work) -> tuple[Work, Outcome]:
        """The work that was done, and its outcome.

        An increment with a text that no partition can hold becomes a rebuild, which keeps that column unpartitioned.
        """
        try:
            return work, self._build(session, work)
        except UnfitPartitionText as error:
            if work.whole:
                raise
            rebuilt = self._planner.rebuilt(work, f"{error.column} has a text that no partition can hold")
            if not rebuilt.whole:  # nothing is left to read
                raise
            self._tell(f"{work.table}: {rebuilt.kind.value} {rebuilt.reason}")
            return rebuilt, self._build(session, rebuilt)

    def _build(self, session: SparkSession, work: Work) -> Outcome:
        node = self._graph.node(work.table)
        step(READ)
        if node.layer == "bronze":
            return self._build_bronze(session, node, work)
        with self._job(session, node, work) as job:
            if isinstance(job, RecordJob):
                return _RECORD_BUILDERS[type(node.writes)](job, read_records(job))
            return build_replace(job)

    def backfill(self, name: str, *, uploads: Iterable[str] = (), condition: str = "") -> Report:
        """Computes the chosen uploads again, or the slices that meet `condition`, SQL on their columns."""
        started = time.monotonic()
        with self._logged(), log_context(table=name):
            try:
                work = self._planner.backfilled(name, Kind.BACKFILL)
                with self._job(self._new_session(work), self._graph.node(name), work, condition) as job:
                    outcome = build_replace(job) if condition else backfill_uploads(job, list(uploads))
            except Exception as error:
                return self._failed(name, error, started)
        return report_of(work, outcome, started)

    def replay(self, name: str, *, where: str = "", dry_run: bool = False) -> tuple[Report, Replayed | None]:
        """Replays the rejected records that meet `where`; returns no Replayed where that failed."""
        started = time.monotonic()
        with self._logged(), log_context(table=name):
            try:
                work = self._planner.backfilled(name, Kind.REPLAY)
                with self._job(self._new_session(work), self._graph.node(name), work) as job:
                    replayed = replay(job, where, dry_run=dry_run)
            except Exception as error:
                return self._failed(name, error, started), None
        return report_of(work, replayed.outcome, started), replayed

    def _new_session(self, work: Work) -> SparkSession:
        """A session of the table's own: MERGE takes its transaction from its session's settings."""
        session = self._session.newSession()
        if self._is_small(work):
            for key, value in SMALL.items():
                session.conf.set(key, value)
        return session

    def _reader(self, session: SparkSession, work: Work) -> TableReader:
        """Reads what is small without Delta's reader, where the work is small."""
        return TableReader(session, self._planner.ledger, local=self._is_small(work))

    @contextmanager
    def _job(self, session: SparkSession, node: Node, work: Work, condition: str = "") -> Iterator[Any]:
        """The prepared job of a table: a RecordJob for `Merge` and `Append`. Mistakes of its function name a line."""
        contract = contract_of_records(self._graph, node)
        committer = Committer(session, self._planner.ledger, node, work, self.run_id, contract)
        function = AuthoredFunction(self._project, node)
        reader = self._reader(session, work)
        with stages(local=reader.local) as scope:
            try:
                job = Job(
                    session=session,
                    project=self._project,
                    environment=self._environment,
                    graph=self._graph,
                    node=node,
                    work=work,
                    function=function,
                    committer=committer,
                    stages=scope,
                    reader=reader,
                    contract=self._contracts.get(node.name),
                    suite=self._suites.get(node.name),
                    accepted=self._accepted,
                    condition=condition,
                )
                yield prepared(job)
            except HeadgateError:
                raise
            except Exception as error:
                known = platform_error(error, self._environment) or function.errors.in_evaluation(error)
                if known is None:
                    raise
                raise known from error

    def _failed(self, name: str, error: Exception, started: float) -> Report:
        """The report of a table that failed. The log keeps the traceback unless the error is a mistake of the user."""
        known = error if isinstance(error, HeadgateError) else platform_error(error, self._environment)
        if known is None:
            known = InternalError(
                cause_of(error),
                where=name,
                fix=f"this is a fault of Headgate: report it with its traceback, in {reports.log_path(self.run_id)} "
                "of the lake",
            )
        # Only an error that Headgate raised by itself, without a cause, says all there is to know.
        says_all = error is known and error.__cause__ is None and not isinstance(known, InternalError)
        log.error("failed: [%s] %s", known.code, known, exc_info=None if says_all else error)
        quality = known.results if isinstance(known, BatchRefused) else ()
        return Report(
            name, "failed", reason=known.message, error=known.as_dict(), quality=quality, seconds=since(started)
        )

    def _with_moved_snapshot(self, reader: TableReader, work: Work) -> Work:
        """`work`, or a rebuild where a table that is read whole has other content than at the position."""
        node = self._graph.node(work.table)
        moved = "" if work.whole else moved_snapshot(reader, node, work)
        return self._planner.rebuilt(work, f"{moved} changed, which is read whole") if moved else work

    def _is_small(self, work: Work) -> bool:
        """Whether sources and target are small: then a single task per stage is fastest."""
        ledger = self._planner.ledger
        tables = {name: source.version for name, source in work.sources.items() if source.exists}
        if work.head.exists:
            tables[work.table] = work.head.version
        return sum(ledger.size(name, version) for name, version in tables.items()) <= SMALL_BYTES

    def _build_bronze(self, session: SparkSession, node: Node, work: Work) -> Outcome:
        committer = Committer(session, self._planner.ledger, node, work, self.run_id)
        contract = self._graph.contract_of(node.name)
        files = bronze.write_landed(session, self._environment, contract, node.name, work.landed)
        unreadable = sum(file.rows for file in files if file.partition[STATE] == State.UNREADABLE)
        counts = {"uploads": len(work.landed), "unreadable": unreadable}
        commit = committer.add_files(
            files, bronze.SCHEMA, bronze.PARTITION_BY, bronze.PROPERTIES, changes_rows=True, counts=counts
        )
        records = sum(file.rows for file in files) - len(work.landed)
        return Outcome(commit.version, len(work.landed), records, counts={**counts, "records": records})
