"""The status screen: failed, behind, stale, quarantined, waiting, and the next command."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli import status
from headgate.lake.landing import newest_received
from headgate.views import reports
from tests.unit.lake import DAILY, NOON, Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.built()
    return lake


def invoke(lake: Lake, *arguments: str) -> str:
    result = CliRunner().invoke(status.command, ["--project", str(lake.project.root), *arguments])
    assert result.exit_code == 0, result.exception
    return result.output


def status_of(lake: Lake) -> dict[str, Any]:
    return json.loads(invoke(lake, "--json"))


def ran(lake: Lake, run: str, ended: datetime = NOON, **statuses: str) -> None:
    tables = [
        {"table": name.replace("__", "."), "status": status, "reason": "no such column" if status == "failed" else ""}
        for name, status in statuses.items()
    ]
    reports.write(lake.environment.object_store(), reports.RunReport(run, ended, ended, tables))


def test_where_all_is_well_there_is_nothing_to_do(lake: Lake) -> None:
    details = status_of(lake)
    assert [details[key] for key in ("failed", "behind", "stale", "undeclared", "next")] == [[], [], [], [], None]
    assert invoke(lake).endswith("\nnothing to do\n")


def test_an_empty_lake_asks_for_an_upload(tmp_path: Path) -> None:
    details = status_of(Lake(tmp_path))
    assert (details["run"], details["quarantine"], details["next"]) == (
        None,
        [],
        "headgate upload FILE --dataset sales",
    )


def test_waiting_uploads_put_bronze_and_its_readers_behind(lake: Lake) -> None:
    for key in ("second", "third"):
        lake.land(key, datetime.now(UTC))
    details = status_of(lake)
    assert [(item["table"], item["work"], item["uploads"]) for item in details["behind"]] == [
        ("bronze.sales", "increment", 2),
        ("silver.sales", "after", 0),
        ("gold.daily", "after", 0),
        ("silver.lines", "after", 0),
    ]
    assert details["landing"][0]["waiting"] == 2
    assert details["next"] == "headgate run"


def test_the_newest_run_is_shown_with_the_results_of_its_tables(lake: Lake) -> None:
    ran(lake, "20260301T1", gold__daily="done")
    ran(lake, "20260302T1", silver__sales="failed", gold__daily="skipped", silver__lines="skipped")
    assert status_of(lake)["run"] == {
        "run": "20260302T1",
        "ended": "2026-03-02 12:00:00",
        "tables": {"failed": 1, "skipped": 2},
    }


def test_a_failed_table_is_shown_with_its_reason_until_it_succeeds(lake: Lake) -> None:
    ran(lake, "20260301T1", silver__sales="failed", silver__lines="failed")
    ran(lake, "20260302T1", silver__lines="done")
    assert [(item["table"], item["reason"], item["run"]) for item in status_of(lake)["failed"]] == [
        ("silver.sales", "no such column", "20260301T1")
    ]
    assert "failed        silver.sales: no such column (run 20260301T1)" in invoke(lake)


def test_a_table_by_older_code_is_stale_and_next_is_its_rebuild(lake: Lake) -> None:
    lake.write("jobs/gold/daily.py", DAILY + "\n# changed\n")
    details = status_of(lake)
    assert [item["table"] for item in details["stale"]] == ["gold.daily"]
    assert details["next"] == "headgate run --rebuild -s gold.daily"


def test_a_changed_declaration_is_behind_as_a_rebuild(lake: Lake) -> None:
    lake.write("jobs/gold/daily.py", DAILY.replace('by=["day"], partition_by=["day"]', 'by=["day"]'))
    (item,) = status_of(lake)["behind"]
    assert (item["table"], item["work"]) == ("gold.daily", "rebuild") and "declaration changed" in item["reason"]


def test_the_quarantined_share_is_shown_for_the_last_batch_and_for_all(lake: Lake) -> None:
    lake.sales([(f"s-{number}", "north", 1, "u") for number in range(6)], rejected=2)
    (item,) = status_of(lake)["quarantine"]
    assert item == {
        "table": "silver.sales",
        "last": {"records": 8, "rejected": 2},
        "all": {"records": 9, "rejected": 2},
        "whole": {"uploads": 0, "bytes": 0, "records": 0, "uncounted": 0},
    }
    assert "silver.sales: 2 of 8 records (25.0%) in the last batch, 2 of 9 records (22.2%) in all" in invoke(lake)


def test_a_batch_without_records_divides_by_nothing(lake: Lake) -> None:
    lake.sales([])
    assert "silver.sales: 0 of 0 records in the last batch, 0 of 1 records (0.0%) in all" in invoke(lake)


def test_a_commit_that_took_in_no_records_is_no_batch(lake: Lake) -> None:
    lake.sales([("s-2", "north", 1, "u")], rejected=1)
    lake.sales([], counts={})
    assert status_of(lake)["quarantine"][0]["last"] == {"records": 2, "rejected": 1}


def test_a_table_that_nothing_declares_is_named(lake: Lake) -> None:
    (lake.project.jobs / "silver" / "lines.py").unlink()
    assert status_of(lake)["undeclared"] == ["silver.lines"]


def test_the_newest_upload_is_that_of_the_newest_hour(lake: Lake) -> None:
    store = lake.environment.object_store()
    assert newest_received(store, "sales") is not None
    assert newest_received(store, "stock") is None
    lake.land("older", NOON - timedelta(days=2))
    (path,) = (lake.environment.folder / "landing" / "sales" / f"dt={NOON:%Y-%m-%d}").rglob("*.jsonl")
    assert newest_received(store, "sales").timestamp() == int(path.stat().st_mtime)


def test_neither_spark_nor_pandas_is_imported(lake: Lake) -> None:
    """Pandas alone takes longer to import than all of the rest."""
    code = (
        "import sys; from click.testing import CliRunner; from headgate.cli import status; "
        "done = CliRunner().invoke(status.command, ['--project', sys.argv[1]]); assert done.exit_code == 0; "
        "sys.exit('pyspark' in sys.modules or 'pandas' in sys.modules)"
    )
    lake.graph  # noqa: B018 - the manifest is written, which spares the import of modules
    assert subprocess.run([sys.executable, "-c", code, str(lake.project.root)], check=False).returncode == 0
