"""backfill, rollback and maintain as an operator types them: dry runs, refusals, and one real rollback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from headgate.cli.main import run_command
from tests.engine.world import World

pytestmark = pytest.mark.long

SILVER, ITEMS, GOLD = "silver.transactions", "silver.transaction_items", "gold.daily_store_sales"


@pytest.fixture
def headgate(two_runs: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Runs a verb that starts no Spark; returns its exit code and output."""
    monkeypatch.setenv("HEADGATE_LAKE", str(two_runs.lake))

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            run_command([*arguments, "--project", str(two_runs.project.root)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return run


def json_of(text: str) -> dict[str, Any]:
    return json.loads(text)


def test_a_dry_run_of_a_backfill_names_the_uploads_that_it_would_take(headgate, two_runs: World) -> None:
    code, details = headgate("backfill", SILVER, "--store", "store-1", "--from", "2026-03-02", "--dry-run", "--json")
    assert code == 0
    assert {upload["upload"]: upload["records"] for upload in json_of(details)["uploads"]} == {
        sent.id: len(sent.lines) for sent in two_runs.sent
    }
    assert json_of(headgate("backfill", SILVER, "--to", "2026-03-01", "--dry-run", "--json")[1])["uploads"] == []


def test_a_dry_run_of_a_backfill_by_slices_says_its_condition(headgate) -> None:
    chosen = ("--by", "sale_date=2026-03-01..2026-03-03", "--by", "sale_date=")
    code, details = headgate("backfill", GOLD, *chosen, "--dry-run")
    assert code == 0
    assert "`sale_date` BETWEEN '2026-03-01' AND '2026-03-03' OR `sale_date` IS NULL" in details


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backfill", SILVER], "nothing is chosen"),
        (["backfill", GOLD, "--store", "store-1"], "is not computed by upload"),
        (["backfill", GOLD, "--by", "sale_dat=2026-03-01"], "Did you mean 'sale_date'?"),
        (["backfill", SILVER, "--by", "store_id=store-1"], "has slices of no columns"),
        (["backfill", SILVER, "--upload", "transactions.2026030212.store-1." + "0" * 32], "has read no upload"),
        (["backfill", SILVER, "--store", "store-9"], "no upload is chosen"),
        (["backfill", "bronze.transactions", "--store", "store-1"], "has the raw records"),
        (["rollback", SILVER, "--to", "7"], "nothing to take back"),
        (["rollback", SILVER, "--to", "20260101T000000-ffffffff"], "was made by run"),
        (["rollback", "bronze.stores", "--to", "0"], "is not built yet"),
        (["run", "--as-of", "2026-03-01"], "--as-of and --into belong together"),
        (["run", "--as-of", "2020-01-01", "--into", "elsewhere"], "there was no version yet"),
    ],
)
def test_wrong_use_is_reported_before_spark_starts(headgate, arguments: list[str], message: str) -> None:
    code, details = headgate(*arguments)
    assert code == 2
    assert message in details
    assert "to do: " in details


def test_a_dry_run_of_a_rollback_shows_the_commits_and_the_readers(headgate, two_runs: World) -> None:
    before = two_runs.versions()
    code, details = headgate("rollback", SILVER, "--to", "0", "--dry-run", "--json")
    assert code == 0
    assert json_of(details) == {
        "table": SILVER,
        "to": 0,
        "taken_back": [1],
        "version": None,
        "descendants": [GOLD, ITEMS],
    }
    assert two_runs.versions() == before


def test_a_dry_run_of_maintenance_shows_kept_versions_with_the_reason(headgate, two_runs: World) -> None:
    before = two_runs.versions()
    code, details = headgate("maintain", "--dry-run", "--json")
    assert code == 0
    kept = {table["table"]: table["needed_by"] for table in json_of(details)["tables"]}
    assert kept == dict.fromkeys((SILVER, ITEMS, GOLD, "bronze.transactions"), "time travel")
    assert two_runs.versions() == before


def test_a_rollback_prints_json_and_nothing_else_on_standard_output(grown: World) -> None:
    variables = {
        "HEADGATE_LAKE": str(grown.lake),
        "HEADGATE_SPARK": json.dumps({"spark.master": "local[2]", "spark.driver.memory": "1g"}),
    }
    command = [sys.executable, "-m", "headgate.cli", "rollback", SILVER, "--to", "0", "--json"]
    done = subprocess.run(
        [*command, "--project", str(grown.project.root)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert json_of(done.stdout)["version"] == grown.version(SILVER) == 2
    assert grown.kinds()[SILVER] == "increment"
