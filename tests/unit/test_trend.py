"""How batches did by their suites, in `status` and `history`: from the commits' metadata, without Spark."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from headgate.cli import history, status
from headgate.suites.quality import Acceptance, Result
from headgate.views.trend import trend
from tests.unit.lake import Lake

SUITE = {
    "name": "silver.sales",
    "expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "shop"}}],
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake on which silver.sales has a suite, and no batch was judged yet."""
    lake = Lake(tmp_path)
    lake.write("conf/expectations/silver/sales.json", json.dumps(SUITE))
    lake.built()
    return lake


def result(name: str, failing: int = 0, judged: int | None = 100, severity: str = "warning", kind: str = "row") -> dict:
    return Result(name, "expect_x", ("id",), kind, severity, not failing, judged, failing).as_dict()


def judged(lake: Lake, *results: dict, **own: list) -> int:
    return lake.sales([], quality=list(results), **own)


def invoke(verb: click.Command, lake: Lake, *arguments: str) -> str:
    done = CliRunner().invoke(verb, ["--project", str(lake.project.root), *arguments])
    assert done.exit_code == 0, done.exception
    return done.output


def test_a_batch_is_shown_in_numbers(lake: Lake) -> None:
    accepted = [Acceptance("c", "ann", "known").as_dict()]
    results = [
        result("a"),
        result("b", 5),
        result("c", 2, severity="critical"),
        result("rows", 90, kind="batch"),
        result("none", 0, 0),
    ]
    version = judged(lake, *results, accepted=accepted, run="r")
    (batch,) = trend(lake.ledger, "silver.sales")
    assert {**batch, "at": ""} == {
        "version": version,
        "run": "r",
        "at": "",
        "ok": 2,
        "failed": {"critical": 1, "warning": 2, "info": 0},
        "accepted": 1,
        "failing": 0.05,
    }


def test_commits_that_judged_nothing_are_no_batches(lake: Lake) -> None:
    judged(lake, result("a", 1))
    lake.sales([])
    judged(lake, result("a", 2))
    assert [batch["failing"] for batch in trend(lake.ledger, "silver.sales")] == [0.02, 0.01]


def test_only_the_newest_batches_are_shown(lake: Lake) -> None:
    for failing in range(8):
        judged(lake, result("a", failing))
    assert [batch["failing"] for batch in trend(lake.ledger, "silver.sales")] == [0.07, 0.06, 0.05, 0.04, 0.03, 0.02]


def test_status_shows_the_last_batch_and_those_before_in_a_row(lake: Lake) -> None:
    assert "quality" not in invoke(status.command, lake)
    judged(lake, result("rows", kind="batch", judged=None))
    judged(lake, result("a", 1), result("b"))
    judged(lake, result("a", 25), result("b", 1, severity="critical"), accepted=[Acceptance("b", "ann", "x").as_dict()])
    (line,) = [line for line in invoke(status.command, lake).splitlines() if line.startswith("quality")]
    assert line == (
        "quality       silver.sales: 0 of 2 expectations ok, 1 critical failed, 1 warning failed, 1 accepted; "
        "rows failing 25.0%, before 1.0% -"
    )
    (details,) = json.loads(invoke(status.command, lake, "--json"))["quality"]
    assert (details["table"], len(details["batches"])) == ("silver.sales", 3)


def test_a_table_whose_suite_was_removed_has_no_trend(lake: Lake) -> None:
    judged(lake, result("a", 1))
    (lake.project.expectations / "silver" / "sales.json").unlink()
    assert json.loads(invoke(status.command, lake, "--json"))["quality"] == []


def test_history_shows_failures_and_who_accepted_them(lake: Lake) -> None:
    judged(lake, result("a"), result("b"))
    accepted = [Acceptance("b", "ann", "known since May").as_dict()]
    judged(lake, result("a", 1), result("b", 2), accepted=accepted)
    newest, older, oldest = invoke(history.command, lake, "silver.sales").splitlines()[2:]
    assert newest.endswith("a failed; b failed (accepted by ann: known since May)")
    assert older.endswith("2 ok") and oldest.endswith("accepted=1")
    details = json.loads(invoke(history.command, lake, "silver.sales", "--json"))["commits"]
    assert [[item["success"] for item in commit["quality"]] for commit in details] == [[False, False], [True, True], []]
    assert details[0]["accepted"] == accepted


def test_history_of_a_table_that_was_never_judged_has_no_such_column(lake: Lake) -> None:
    assert "expectations" not in invoke(history.command, lake, "gold.daily")
