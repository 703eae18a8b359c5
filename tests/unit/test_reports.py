"""Run reports: kept in the lake, read newest first, and never in a run's way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from headgate.contracts.environment import Environment, load_environment
from headgate.engine.verbs.run import Runner
from headgate.engine.verbs.table_report import Report
from headgate.errors import StorageError
from headgate.planning.graph import load_graph
from headgate.project import Project
from headgate.views import reports

DAY = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


def report(run: str, ended: datetime = DAY, **statuses: str) -> reports.RunReport:
    tables = [{"table": f"silver.{name}", "status": status} for name, status in statuses.items()]
    return reports.RunReport(run, ended - timedelta(seconds=5), ended, tables)


@pytest.fixture(params=[MemoryStore, None], ids=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    return request.param() if request.param else LocalStore(tmp_path)


def test_a_report_is_read_as_it_was_written(store) -> None:
    reports.write(store, report("r-1", sales="done"))
    assert reports.newest(store, 5) == [report("r-1", sales="done")]


def test_a_report_stands_under_the_day_on_which_its_run_ended(store) -> None:
    reports.write(store, report("r-1"))
    assert list(reports.paths(store)) == ["runs/dt=2026-03-01/r-1.json"]


def test_the_newest_come_first_across_days_and_no_more_than_asked_for(store) -> None:
    for run, ended in (("20260301T1", DAY), ("20260301T2", DAY), ("20260302T1", DAY + timedelta(days=1))):
        reports.write(store, report(run, ended))
    assert [result.run for result in reports.newest(store, 2)] == ["20260302T1", "20260301T2"]


def test_a_lake_without_runs_has_no_reports(store) -> None:
    assert reports.newest(store, 5) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"run": "x"}'])
def test_a_report_that_cannot_be_read_is_passed_over(store, content: bytes) -> None:
    reports.write(store, report("r-1"))
    obstore.put(store, "runs/dt=2026-03-01/r-2.json", content)
    assert [result.run for result in reports.newest(store, 5)] == ["r-1"]


def test_a_tables_outcome_is_that_of_the_newest_run_it_took_part_in() -> None:
    last_outcomes = reports.last_outcomes([report("r-2", sales="done"), report("r-1", sales="failed", stock="failed")])
    assert {table: (item["status"], item["run"]) for table, item in last_outcomes.items()} == {
        "silver.sales": ("done", "r-2"),
        "silver.stock": ("failed", "r-1"),
    }


# --- the run that writes it; its tables are replaced, so that no session is needed


@pytest.fixture
def environment(repository: Project, tmp_path: Path) -> Environment:
    return load_environment(repository, environ={"HEADGATE_LAKE": str(tmp_path / "lake")})


class FixedReports(Runner):
    """A runner whose first table fails and whose others are done."""

    def _run_all(self, names: Iterable[str]) -> list[Report]:
        first, *rest = names
        return [Report(first, "failed", error={"code": "table", "what": "no"}), *(Report(n, "done") for n in rest)]


def test_a_run_keeps_what_it_did_to_each_table_also_where_one_failed(repository, environment) -> None:
    runner = FixedReports(repository, environment, load_graph(repository), None)
    runner.run(["silver.a", "silver.b"])
    (kept,) = reports.newest(environment.object_store(), 5)
    assert kept.run == runner.run_id and kept.started <= kept.ended
    assert [table["status"] for table in kept.tables] == ["failed", "done"]
    assert (kept.tables[0]["table"], kept.tables[0]["error"]["what"]) == ("silver.a", "no")


def test_a_report_that_cannot_be_written_is_a_warning_and_no_failure(repository, environment, caplog) -> None:
    environment.folder.mkdir()
    (environment.folder / "runs").write_text("a file in place of the folder")
    run = FixedReports(repository, environment, load_graph(repository), None).run(["silver.a", "silver.b"])
    assert [item.status for item in run] == ["failed", "done"]
    assert "the run's report was not kept: runs/dt=" in caplog.text


def test_what_cannot_be_written_is_a_storage_error(tmp_path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        reports.write(LocalStore(tmp_path), report("r-1"))
