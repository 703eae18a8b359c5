"""Replay of rejected records: passing records leave the quarantine, and the table equals a clean run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from headgate.cli import quarantine as verb
from headgate.cli.history import describe
from headgate.engine.verbs.replay import Replayed
from headgate.engine.verbs.rollback import roll_back
from headgate.errors import UsageError
from headgate.planning.plan import Kind
from headgate.testing.faults import Killed, killing_at
from headgate.views import quarantine
from headgate.views.status import status
from tests.engine.test_reconcile import findings as findings
from tests.engine.world import NOON, World, edit_project, sale

pytestmark = pytest.mark.long

SILVER, GOLD = "silver.transactions", "gold.daily_store_sales"
CONTRACT = "conf/datasets/transactions.yaml"
REQUIRED = "- name: currency\n        logicalType: string\n        required: true\n"
OPTIONAL = "- name: currency\n        logicalType: string\n"

# The third upload, and the result of each record after the currency became optional.
THIRD = [
    sale(9, day=2, currency=None),  # is inserted
    sale(10, day=2, currency=None, total="1.005", items=[]),  # stays, for its total alone
    sale(1, currency=None),  # is superseded: the second upload corrected it
    sale(11, day=2),  # was accepted
    sale(3, day=2, revised=1, currency=None, voided=True),  # deletes
]


@pytest.fixture(scope="module")
def three_runs(two_runs: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake of three runs, for copies only: four records of the last and one of the first are rejected."""
    world = two_runs.copy(tmp_path_factory.mktemp("three") / "lake")
    world.upload(THIRD, key="third")
    world.run_well()
    return world


@pytest.fixture
def waiting(three_runs: World, tmp_path: Path) -> World:
    return three_runs.copy(tmp_path / "lake")


@pytest.fixture
def corrected(waiting: World, tmp_path: Path) -> World:
    """Under a contract in which a currency may be missing."""
    return edit_project(waiting, tmp_path / "project", CONTRACT, REQUIRED, OPTIONAL)


def replayed(world: World, where: str = "", **how: Any) -> Replayed:
    """What became of the records in a replay that went well."""
    report, result = world.runner().replay(SILVER, where=where, **how)
    assert result is not None, report.error
    return result


def clean(world: World) -> World:
    """A copy of the lake with silver rebuilt by the current project, and its readers after that."""
    other = world.copy(world.lake.parent / "clean")
    other.project, other.graph = world.project, world.graph
    other.run(SILVER, rebuild=True)
    return other


def view(world: World, where: str = "") -> list[dict[str, Any]]:
    return quarantine.rejected(world.planner().ledger, world.graph.node(SILVER), where=where).to_pylist()


def statuses(world: World) -> dict[tuple[str, int], str]:
    """(upload, record) -> open or superseded."""
    return {(item["upload"], item["record"]): item["status"] for item in view(world)}


def test_passing_records_leave_the_quarantine_and_the_table_equals_a_clean_run(corrected: World) -> None:
    position = corrected.planner().ledger.head(SILVER).position
    result = replayed(corrected)
    assert (result.records, result.released, result.stay) == (5, 3, 2)
    assert {name: getattr(result.counts, name) for name in ("inserted", "deleted", "superseded")} == {
        "inserted": 1,
        "deleted": 1,
        "superseded": 1,
    }
    assert findings(corrected) == {}
    built = clean(corrected)
    assert corrected.contents([SILVER]) == built.contents([SILVER])
    assert corrected.planner().ledger.head(SILVER).position == position
    corrected.run_well()
    built.run_well()
    assert corrected.rows(GOLD) == built.rows(GOLD)


def test_a_replay_repeated_commits_nothing(corrected: World) -> None:
    replayed(corrected)
    version = corrected.version(SILVER)
    report, result = corrected.runner().replay(SILVER)
    assert (report.status, result and result.released, corrected.version(SILVER)) == ("current", 0, version)


def test_a_replay_without_a_correction_commits_nothing(waiting: World) -> None:
    version = waiting.version(SILVER)
    assert replayed(waiting).released == 0
    assert waiting.version(SILVER) == version


def test_a_rejected_record_keeps_its_key_its_version_and_the_run_that_rejected_it(waiting: World) -> None:
    [item] = view(waiting, "record = 1")
    assert (item["key"], item["sequence"]) == (f'k:["{THIRD[1]["transaction_id"]}"]', NOON.replace(hour=9))
    commit = waiting.planner().ledger.commit(SILVER, waiting.version(SILVER))
    assert item["run"] == commit.run
    assert f"{item['first_seen']:%Y%m%dT%H%M%S}" == item["run"].partition("-")[0]
    assert item["first_seen"] <= commit.time
    [broken] = view(waiting, "why LIKE 'unparsable%'")
    assert (broken["key"], broken["sequence"]) == (None, None)


def test_failing_records_stay_with_their_first_run_and_new_reasons(corrected: World) -> None:
    [before] = view(corrected, "record = 1 AND why LIKE '%total%'")
    assert before["why"] == "currency required; total type: decimal(12,2) (1.005)"
    replayed(corrected)
    [after] = view(corrected, "record = 1")
    changed = {"why": "total type: decimal(12,2) (1.005)", "reasons": before["reasons"][1:]}
    assert after == {**before, **changed}


def test_a_dry_run_counts_passing_records_gives_reasons_for_the_rest_and_writes_nothing(corrected: World) -> None:
    version = corrected.version(SILVER)
    result = replayed(corrected, dry_run=True)
    assert (result.records, result.released, result.stay, result.outcome) == (5, 3, 2, None)
    assert result.reasons == [
        {"column": "", "rule": "unparsable", "records": 1},
        {"column": "total", "rule": "type: decimal(12,2)", "records": 1},
    ]
    assert corrected.version(SILVER) == version


def test_only_the_records_that_meet_a_condition_go_through(corrected: World) -> None:
    result = replayed(corrected, "record = 0 AND why LIKE 'currency%'")
    assert (result.records, result.released) == (1, 1)
    third = corrected.sent[-1].id
    assert [record for upload, record, _ in corrected.rejected() if upload == third] == [1, 2, 4]
    counts = corrected.receipts()[third]
    assert counts == {"records": 5, "unparsable": 0, "rejected": 3, "no_row": 0, "accepted": 2}
    assert replayed(corrected, "record = 77").records == 0


def test_a_record_is_superseded_once_its_key_has_a_newer_row(waiting: World) -> None:
    third = waiting.sent[-1].id
    of_third = {record: details for (upload, record), details in statuses(waiting).items() if upload == third}
    assert of_third == {0: "open", 1: "open", 2: "superseded", 4: "open"}
    waiting.upload([sale(10, day=2, revised=1, total="2.00"), sale(9, day=2)], key="correction", at=waiting.now)
    waiting.run_well()
    of_third = {record: details for (upload, record), details in statuses(waiting).items() if upload == third}
    assert of_third[1] == "superseded"


def test_a_rollback_brings_the_quarantine_back_and_it_can_be_replayed_again(corrected: World) -> None:
    ledger, before = corrected.planner().ledger, corrected.contents([SILVER])
    seen = view(corrected)
    replayed(corrected)
    after = corrected.contents([SILVER])
    head = ledger.head(SILVER)
    roll_back(corrected.spark, ledger, head, head.version - 1)
    assert corrected.contents([SILVER]) == before
    assert view(corrected) == seen
    assert describe(ledger.commit(SILVER, head.version + 1))["replay"] is None
    replayed(corrected)
    assert corrected.contents([SILVER]) == after


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_replay_that_is_killed_while_another_bad_upload_arrives_is_whole_once_it_is_repeated(
    corrected: World, when: str
) -> None:
    with pytest.raises(Killed), killing_at(f"{when}_commit:{SILVER}", corrected.graph):
        corrected.runner().replay(SILVER)
    corrected.upload([sale(12, day=2, total="3.001"), sale(9, day=2, revised=1), "{worse"], key="fourth")
    corrected.run_well()
    replayed(corrected)
    assert corrected.contents([SILVER]) == clean(corrected).contents([SILVER])
    waiting = [(upload, record) for upload, record, _ in corrected.rejected()]
    first, _, third, fourth = (sent.id for sent in corrected.sent)
    assert sorted(waiting) == sorted([(first, 3), (third, 1), (fourth, 0), (fourth, 2)])


def test_history_shows_the_records_released_by_each_replay(corrected: World) -> None:
    last_batch = status(corrected.environment, corrected.graph, corrected.planner())["quarantine"]
    where = "why LIKE 'currency%'"
    report, _ = corrected.runner().replay(SILVER, where=where)
    details = describe(corrected.planner().ledger.commit(SILVER, report.version))
    assert details["replay"] == {"where": where, "released": 3, "uploads": {corrected.sent[-1].id: 3}}
    assert (details["counts"]["records"], details["counts"]["quarantined"]) == (4, 1)
    after = status(corrected.environment, corrected.graph, corrected.planner())["quarantine"]
    assert [item.get("last") for item in after] == [item.get("last") for item in last_batch]


def test_a_contract_that_old_rows_do_not_follow_is_refused(waiting: World, tmp_path: Path) -> None:
    changed = edit_project(waiting, tmp_path / "project", CONTRACT, "decimal(12,2)", "decimal(12,3)")
    with pytest.raises(UsageError, match="its contract changed: total"):
        changed.planner().backfilled(SILVER, Kind.REPLAY)


# --- the command line


@pytest.fixture
def headgate(corrected: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Calls `headgate quarantine replay` with the tests' own session; gives exit code and output."""

    @contextmanager
    def session(*_: Any, **__: Any) -> Iterator[SparkSession]:
        yield corrected.spark

    monkeypatch.setattr(verb, "spark_at_work", session)
    monkeypatch.setattr(verb, "spark_that_looks", session)

    def call(*arguments: str) -> tuple[int, str]:
        where = ["--project", str(corrected.project.root)]
        environ = {"HEADGATE_LAKE": str(corrected.lake)}
        result = CliRunner(env=environ).invoke(verb.command, ["replay", SILVER, *arguments, *where])
        return result.exit_code, result.output

    return call


def test_the_command_prints_released_records_and_reasons_of_the_rest(headgate, corrected: World) -> None:
    code, details = headgate("--dry-run")
    assert code == 0
    assert "5 records: 3 would leave the quarantine, 2 would stay" in details
    assert "type: decimal(12,2)        1" in details
    assert "nothing was written" in details
    code, details = headgate("--json")
    result = json.loads(details.splitlines()[-1])
    assert (code, result["records"], result["released"], result["stay"]) == (0, 5, 3, 2)
    assert result["tables"][0]["work"] == "replay"
    assert result["tables"][0]["version"] == corrected.version(SILVER)
    code, details = headgate()
    assert (code, details.splitlines()[-1]) == (0, "nothing was written: nothing differs")
    code, details = headgate("--where", "record = 77")
    assert (code, details) == (0, f"nothing to do: {SILVER} holds no such record in quarantine\n")
