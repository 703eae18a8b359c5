"""Freshness: `plan` and `status` show a table whose last update is older than its SLA."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from headgate.cli import plan, status
from headgate.errors import SuiteError
from headgate.planning import freshness
from headgate.planning.freshness import Overdue, overdue
from headgate.planning.plan import Planner
from headgate.suites.suite import duration_of, load_suites
from headgate.views.status import status as status_of
from tests.unit.lake import SALES, Lake

HOUR = timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose silver.sales is promised to have something new within 26 hours."""
    lake = Lake(tmp_path)
    promised(lake, "26h")
    lake.built()
    return lake


def promised(lake: Lake, time: str, key: str = "fresh_within") -> None:
    suite = {"name": "silver.sales", "expectations": [], "meta": {"headgate": {key: time}, "owner": "ann"}}
    lake.write("conf/expectations/silver/sales.json", json.dumps(suite))


def after(lake: Lake, time: timedelta) -> Overdue | None:
    return overdue(lake.ledger, lake.graph.node("silver.sales"), datetime.now(UTC) + time)


def said(lake: Lake, time: timedelta) -> str | None:
    late = after(lake, time)
    return late.said if late else None


def arrived(lake: Lake, **own: Any) -> int:
    """Takes in one more upload, by silver.sales too."""
    lake.bronze(lake.land(f"more-{lake.ledger.head('bronze.sales').version}"))
    return lake.sales([("s-9", "north", 1, "u")], **own)


def test_a_table_is_fresh_for_as_long_as_is_promised(lake: Lake) -> None:
    assert said(lake, 25 * HOUR) is None
    assert said(lake, 31 * HOUR) == "nothing new for 31 h, 26h is promised"


def test_a_table_without_a_promise_is_never_overdue(lake: Lake) -> None:
    assert overdue(lake.ledger, lake.graph.node("gold.daily"), datetime.now(UTC) + 9999 * HOUR) is None


def test_a_table_that_is_not_built_yet_is_not_overdue(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    promised(lake, "1m")
    assert said(lake, 31 * HOUR) is None


def shifted(lake: Lake, version: int, hours: int) -> None:
    """Makes the commit of a version of silver.sales look that many hours older."""
    path = lake.environment.folder / "silver" / "sales" / "_delta_log" / f"{version:020d}.json"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "commitInfo" in line:
            line["commitInfo"]["timestamp"] -= hours * 3_600_000
    path.write_text("\n".join(map(json.dumps, lines)))


def test_a_commit_with_new_data_resets_freshness(lake: Lake) -> None:
    shifted(lake, 0, 40)
    assert said(lake, 0 * HOUR) == "nothing new for 40 h, 26h is promised"
    arrived(lake)
    assert said(lake, 0 * HOUR) is None


@pytest.mark.parametrize("own", [{"changes_rows": False}, {"rolled_back": [1, 0]}])
def test_a_commit_that_brings_no_rows_does_not_end_it(lake: Lake, own: dict) -> None:
    shifted(lake, 0, 40)
    arrived(lake, **own)
    assert said(lake, 0 * HOUR) == "nothing new for 40 h, 26h is promised"


def test_neither_do_a_rebuild_from_the_same_sources_and_the_commits_of_others(lake: Lake) -> None:
    shifted(lake, 0, 40)
    lake.sales([("s-1", "north", 1, "u")])
    DeltaTable(lake.environment.table_uri("silver.sales")).optimize.compact()
    lake.sales([("s-1", "north", 1, "u")])
    assert said(lake, 0 * HOUR) == "nothing new for 40 h, 26h is promised"


def test_an_update_older_than_the_searched_commits_is_reported(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "_COMMITS", 2)
    for _ in range(2):
        lake.sales([], changes_rows=False)
    assert said(lake, 96 * HOUR) == "nothing new for more than 4 d, 26h is promised"


def test_plan_and_status_show_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    details = status_of(lake.environment, lake.graph, Planner(lake.environment, lake.graph, lambda: late_clock()))
    assert [(table["table"], table["reason"]) for table in details["overdue"]] == [
        ("silver.sales", "nothing new for 31 h, 26h is promised")
    ]
    monkeypatch.setattr(Planner, "now", lambda _: late_clock())
    arguments = ["--project", str(lake.project.root)]
    line = "silver.sales: overdue: nothing new for 31 h, 26h is promised"
    assert line in CliRunner().invoke(plan.command, arguments).output.splitlines()
    assert "overdue       " + line.replace("overdue: ", "") in CliRunner().invoke(status.command, arguments).output
    tables = json.loads(CliRunner().invoke(plan.command, [*arguments, "--json"]).output)["tables"]
    assert {table["table"]: table["overdue"] for table in tables if table["overdue"]} == {
        "silver.sales": "nothing new for 31 h, 26h is promised"
    }


def late_clock() -> datetime:
    return datetime.now(UTC) + 31 * HOUR


def test_where_all_is_fresh_nothing_is_said(lake: Lake) -> None:
    arguments = ["--project", str(lake.project.root)]
    assert "overdue" not in CliRunner().invoke(status.command, arguments).output
    assert "overdue" not in CliRunner().invoke(plan.command, arguments).output


@pytest.mark.parametrize(
    ("text", "time"), [("90m", timedelta(minutes=90)), ("26h", timedelta(hours=26)), ("2d", timedelta(days=2))]
)
def test_a_time_is_a_number_and_its_unit(text: str, time: timedelta) -> None:
    assert duration_of(text) == time


@pytest.mark.parametrize("time", ["26", "0h", "1w", "", "1.5h", "-3h"])
def test_another_time_is_refused(lake: Lake, time: str) -> None:
    promised(lake, time)
    with pytest.raises(SuiteError, match='such as "26h"'):
        load_suites(lake.project)


def test_a_key_that_there_is_not_is_refused_with_the_one_that_was_meant(lake: Lake) -> None:
    promised(lake, "26h", key="fresh_withn")
    with pytest.raises(SuiteError, match="Did you mean 'fresh_within'"):
        load_suites(lake.project)


def test_the_sla_is_not_part_of_the_checks_of_a_batch(lake: Lake) -> None:
    before = load_suites(lake.project)["silver.sales"].hash
    promised(lake, "27h")
    assert load_suites(lake.project)["silver.sales"].hash == before
    assert lake.graph.node("silver.sales").fresh_within == "27h"
    lake.write("jobs/silver/sales.py", SALES)
    assert lake.graph.node("silver.sales").fresh_within == "27h"  # from the manifest
