"""`quality.results`: filled from the commits' metadata and the failed batches, without gaps and without duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake

from headgate.cli import history, show
from headgate.errors import StorageError, UsageError
from headgate.suites.quality import Acceptance, Result
from headgate.views import results
from headgate.views.results import TABLE, Failed, record
from tests.unit.lake import NOON, Lake

TABLES = ("silver.sales", "gold.daily")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.built()
    return lake


def judgements(*names: str, fails: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The results of a batch as its commit tells them."""
    return [
        Result(name, "expect_x", ("id",), "row", "warning", name not in fails, 10, int(name in fails)).as_dict()
        for name in names
    ]


def judged(lake: Lake, *names: str, **own: Any) -> int:
    """Commits a batch of silver.sales that was judged."""
    return lake.sales([("s-2", "north", 1, "u")], quality=judgements(*names), **own)


def rows(lake: Lake) -> list[dict[str, Any]]:
    return results.newest(lake.ledger, None).to_pylist()


def recorded(lake: Lake) -> list[tuple[str, int | None, str]]:
    return sorted((row["table"], row["version"], row["expectation"]) for row in rows(lake))


def test_a_row_says_whose_result_it_is(lake: Lake) -> None:
    accepted = [Acceptance("b", "ann", "known").as_dict()]
    version = lake.sales([], quality=judgements("a", "b", fails="b"), accepted=accepted, run="r")
    assert record(lake.environment, TABLES, []) == 2
    first, second = rows(lake)
    commit = lake.ledger.commit("silver.sales", version)
    assert first == {
        "run": "r",
        "table": "silver.sales",
        "table_id": lake.ledger.head("silver.sales").id,
        "version": version,
        "at": commit.time,
        "expectation": "a",
        "type": "expect_x",
        "columns": ["id"],
        "kind": "row",
        "severity": "warning",
        "success": True,
        "judged": 10,
        "unexpected": 0,
        "observed": None,
        "examples": [],
        "accepted_by": None,
        "reason": None,
    }
    assert (second["success"], second["accepted_by"], second["reason"]) == (False, "ann", "known")


def test_results_lost_in_a_crash_are_recorded_later_and_none_twice(lake: Lake) -> None:
    first = judged(lake, "a")
    record(lake.environment, TABLES, [])
    second, third = judged(lake, "a", "b"), judged(lake, "a")
    record(lake.environment, TABLES, [])
    assert record(lake.environment, TABLES, []) == 0
    wanted = [(first, "a"), (second, "a"), (second, "b"), (third, "a")]
    assert recorded(lake) == [("silver.sales", version, name) for version, name in wanted]


def test_with_nothing_new_nothing_is_committed(lake: Lake) -> None:
    assert record(lake.environment, TABLES, []) == 0
    assert lake.ledger.open(TABLE) is None
    judged(lake, "a")
    record(lake.environment, TABLES, [])
    record(lake.environment, TABLES, [])
    assert lake.ledger.open(TABLE).version() == 0


def test_only_commits_after_the_last_recorded_one_are_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    judged(lake, "a")
    record(lake.environment, TABLES, [])
    judged(lake, "a")
    read: list[tuple[str, int]] = []
    commit = results.Ledger.commit

    def noted(self: Any, table: str, version: int) -> Any:
        read.append((table, version))
        return commit(self, table, version)

    monkeypatch.setattr(results.Ledger, "commit", noted)
    record(lake.environment, TABLES, [])
    assert read == [(TABLE, 0), ("silver.sales", 2)]


def test_commits_without_results_are_not_looked_through_for_ever(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_MOST_AGAIN", 2)
    for _ in range(3):
        lake.sales([])
    record(lake.environment, TABLES, [])
    recorded = lake.ledger.head(TABLE).position
    assert recorded["silver.sales"].version == 3 and rows(lake) == []


def test_a_restore_of_the_table_makes_neither_gaps_nor_duplicates(lake: Lake) -> None:
    first = judged(lake, "a")
    record(lake.environment, TABLES, [])
    second = judged(lake, "b")
    DeltaTable(lake.environment.table_uri("silver.sales")).restore(0)
    third = judged(lake, "c")
    record(lake.environment, TABLES, [])
    assert recorded(lake) == [("silver.sales", first, "a"), ("silver.sales", second, "b"), ("silver.sales", third, "c")]


def test_a_table_that_was_created_again_is_recorded_from_its_first_version(lake: Lake) -> None:
    judged(lake, "a")
    judged(lake, "a")
    record(lake.environment, TABLES, [])
    folder = lake.environment.folder / "silver" / "sales"
    folder.rename(folder.with_name("moved"))
    assert judged(lake, "b") == 0
    record(lake.environment, TABLES, [])
    assert recorded(lake)[0] == ("silver.sales", 0, "b")
    assert len({row["table_id"] for row in rows(lake)}) == 2


def test_a_restore_of_the_results_is_recorded_again(lake: Lake) -> None:
    judged(lake, "a")
    record(lake.environment, TABLES, [])
    judged(lake, "b")
    record(lake.environment, TABLES, [])
    DeltaTable(lake.environment.table_uri(TABLE)).restore(0)
    record(lake.environment, TABLES, [])
    assert [name for _, _, name in recorded(lake)] == ["a", "b"]


def test_compaction_by_others_loses_nothing(lake: Lake) -> None:
    for name in "ab":
        judged(lake, name)
        record(lake.environment, TABLES, [])
    DeltaTable(lake.environment.table_uri(TABLE)).optimize.compact()
    judged(lake, "c")
    record(lake.environment, TABLES, [])
    assert [name for _, _, name in recorded(lake)] == ["a", "b", "c"]


def test_without_a_known_position_nothing_is_recorded_twice(lake: Lake) -> None:
    judged(lake, "a")
    write_deltalake(lake.environment.table_uri(TABLE), pa.table({"run": ["x"]}))
    with pytest.raises(StorageError, match="no commit has a position"):
        record(lake.environment, TABLES, [])


def test_a_failed_batch_has_no_version(lake: Lake) -> None:
    failed = Failed("gold.daily", "r-9", NOON, judgements("a", "b", fails="b"))
    record(lake.environment, TABLES, [failed])
    details = [(row["run"], row["version"], row["at"], row["expectation"], row["success"]) for row in rows(lake)]
    assert details == [("r-9", None, NOON, "a", True), ("r-9", None, NOON, "b", False)]


def test_of_two_that_record_at_once_one_fails(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    judged(lake, "a")
    record(lake.environment, TABLES, [])
    judged(lake, "b")
    append = results._append

    def second_comes_first(*arguments: Any) -> None:
        monkeypatch.setattr(results, "_append", append)
        record(lake.environment, TABLES, [])
        append(*arguments)

    monkeypatch.setattr(results, "_append", second_comes_first)
    with pytest.raises(Exception, match=r"(?i)transaction"):
        record(lake.environment, TABLES, [])
    assert [name for _, _, name in recorded(lake)] == ["a", "b"]


def test_they_are_shown_the_newest_first(lake: Lake) -> None:
    judged(lake, "a")
    record(lake.environment, TABLES, [Failed("gold.daily", "r-9", NOON, judgements("older"))])
    arguments = ["--project", str(lake.project.root), TABLE, "--format", "csv", "--limit", "1"]
    done = CliRunner().invoke(show.command, arguments)
    assert done.exit_code == 0, done.exception
    assert [line.split(",")[1] for line in done.output.splitlines()] == ["table", "silver.sales"]


def test_its_history_tells_how_far_each_table_is_recorded(lake: Lake) -> None:
    version = judged(lake, "a")
    record(lake.environment, TABLES, [])
    done = CliRunner().invoke(history.command, ["--project", str(lake.project.root), TABLE])
    assert done.exit_code == 0, done.exception
    assert f"silver.sales {version}" in done.output


def test_where_none_are_recorded_that_is_said(lake: Lake) -> None:
    with pytest.raises(UsageError, match="not built yet"):
        results.newest(lake.ledger, None)
