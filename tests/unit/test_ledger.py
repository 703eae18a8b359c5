"""Positions and commits as the log tells them, on tiny tables and without Spark."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from headgate.contracts.environment import Environment, load_environment
from headgate.ledger.ledger import Commit, Head, Ledger, parse_commit
from headgate.project import Project

TABLE = "silver.things"


class Lake:
    """One table on a lake of its own."""

    def __init__(self, environment: Environment) -> None:
        self.ledger = Ledger(environment)
        self.path = environment.table_uri(TABLE)

    def write(self, position: int | None = None, **own: Any) -> int:
        """Appends a row, with Headgate's metadata if there is a position; returns the version."""
        metadata = {"headgate": "0", "position": {"bronze.things": {"id": "b", "version": position}}, **own}
        custom = {} if position is None else {"userMetadata": json.dumps(metadata)}
        transactions = [] if position is None else [Transaction(TABLE, position)]
        properties = CommitProperties(custom_metadata=custom, app_transactions=transactions)
        write_deltalake(self.path, pa.table({"n": [1]}), mode="append", commit_properties=properties)
        return self.delta.version()

    def clean_up_log(self) -> None:
        """What Delta's own clean-up does once a checkpoint is there: the commits before it go."""
        self.delta.create_checkpoint()
        for commit in (Path(self.path) / "_delta_log").glob("*.json"):
            if int(commit.stem) < self.delta.version():
                commit.unlink()

    @property
    def delta(self) -> DeltaTable:
        return DeltaTable(self.path)

    @property
    def head(self) -> Head:
        return self.ledger.head(TABLE)

    @property
    def position(self) -> int | None:
        result = self.head.position
        return result["bronze.things"].version if result else None


@pytest.fixture
def lake(repository: Project, tmp_path: Path) -> Lake:
    return Lake(load_environment(repository, "local", environ={"HEADGATE_LAKE": str(tmp_path)}))


def test_a_table_that_is_not_there_has_a_head_that_does_not_exist(lake: Lake) -> None:
    assert (lake.head.exists, lake.head.version, lake.head.txn) == (False, -1, -1)


def test_the_position_is_that_of_the_newest_commit(lake: Lake) -> None:
    lake.write(3)
    lake.write(7)
    assert lake.position == 7


def test_the_transaction_version_is_that_of_the_tables_own_application(lake: Lake) -> None:
    lake.write(3)
    assert (lake.head.txn, lake.head.id) == (3, str(lake.delta.metadata().id))


def test_the_position_is_read_from_before_commits_of_other_writers(lake: Lake) -> None:
    lake.write(3)
    lake.write()
    lake.delta.optimize.compact()
    assert (lake.position, lake.head.version, lake.head.commit.version) == (3, 2, 0)


def test_after_a_restore_by_others_the_position_is_that_of_the_version_restored(lake: Lake) -> None:
    for position in (3, 7, 9):
        lake.write(position)
    lake.delta.restore(1)
    assert lake.position == 7


def test_a_restore_of_a_restore_is_followed(lake: Lake) -> None:
    for position in (3, 7):
        lake.write(position)
    lake.delta.restore(0)
    lake.write()
    lake.delta.restore(2)
    assert lake.position == 3


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ"])
def test_a_restore_to_a_time_is_followed_to_the_version_of_that_time(lake: Lake, form: str) -> None:
    for position, hour in ((3, 1), (7, 2), (9, 3)):
        version = lake.write(position)
        rewrite(lake, version, {"timestamp": hour * 3_600_000})
    lake.delta.restore(1)
    between = datetime(1970, 1, 1, 2, 30, tzinfo=UTC).strftime(form)
    rewrite(lake, 3, {"operationParameters": {"version": None, "timestamp": between}})
    assert lake.position == 7


def rewrite(lake: Lake, version: int, info: Mapping[str, Any]) -> None:
    """Changes the metadata of a commit."""
    path = Path(lake.path) / "_delta_log" / f"{version:020d}.json"
    actions = [json.loads(line) for line in path.read_text().splitlines()]
    for action in actions:
        action.get("commitInfo", {}).update(info)
    path.write_text("\n".join(map(json.dumps, actions)))
    if "timestamp" in info:
        os.utime(path, (info["timestamp"] / 1000, info["timestamp"] / 1000))


def test_a_copied_position_counts_where_nothing_came_between(lake: Lake) -> None:
    lake.write(3)
    lake.write(4, copied_from=0)
    assert lake.position == 4


def test_a_copied_position_that_is_stale_is_ignored(lake: Lake) -> None:
    lake.write(3)
    lake.write(7)
    lake.write(3, copied_from=0)
    assert lake.position == 7


def test_a_restore_between_plan_and_commit_voids_the_position(lake: Lake) -> None:
    lake.write(3)
    planned = lake.write(7)
    lake.delta.restore(0)
    lake.write(9, planned=planned)
    assert lake.position is None
    assert lake.head.lost == "version 3 was planned before a RESTORE and committed after it"


def test_a_restore_before_the_plan_leaves_the_position(lake: Lake) -> None:
    lake.write(3)
    lake.write(7)
    lake.delta.restore(0)
    lake.write(9, planned=2)
    assert lake.position == 9


def test_a_position_whose_commit_is_kept_survives_log_clean_up(lake: Lake) -> None:
    lake.write(3)
    lake.write(7)
    lake.clean_up_log()
    assert lake.position == 7


def test_a_position_whose_commit_was_cleaned_up_is_lost_and_says_so(lake: Lake) -> None:
    lake.write(3)
    lake.write()
    lake.clean_up_log()
    assert (lake.position, lake.head.lost) == (None, "the log before version 1 was cleaned up")
    assert lake.head.txn == 3  # it outlives the log, and so tells that a position was there


def test_a_table_of_others_has_no_position(lake: Lake) -> None:
    lake.write()
    assert (lake.position, lake.head.txn, lake.head.lost) == (None, -1, "no commit has a position")


def test_commits_that_were_cleaned_up_are_none(lake: Lake) -> None:
    for position in (3, 7, 9):
        lake.write(position)
    lake.clean_up_log()
    commits = list(lake.ledger.commits(TABLE, 0, 2))
    assert [commit and commit.version for commit in commits] == [None, 2]


def test_history_goes_back_from_the_newest_commit_to_the_requested_version(lake: Lake) -> None:
    for position in (3, 7, 9):
        lake.write(position)
    assert [commit.version for commit in lake.ledger.history(TABLE, limit=2)] == [2, 1]


def test_live_rows_are_counted_by_the_statistics_of_the_files_of_live_rows(lake: Lake) -> None:
    rows = pa.table({"n": [1, 2, 3], "_state": ["live", "live", "receipt"]})
    write_deltalake(lake.path, rows, partition_by=["_state"])
    assert lake.ledger.live_rows(TABLE, 0) == 2


def commit_of(operation: str = "WRITE", *actions: Mapping[str, Any], **info: Any) -> Commit:
    """A commit as its log file has it."""
    lines = [{"commitInfo": {"timestamp": 5, "operation": operation, **info}}, *actions]
    return parse_commit(4, "\n".join(map(json.dumps, lines)).encode())


def test_a_commit_is_read_with_its_time_operation_and_metrics() -> None:
    commit = commit_of("MERGE", operationMetrics={"numOutputRows": "2"})
    assert (commit.version, commit.timestamp, commit.operation) == (4, 5, "MERGE")
    assert commit.metrics == {"numOutputRows": "2"}


@pytest.mark.parametrize("text", [None, "", "a note", "[1]", '{"by": "others"}'])
def test_user_metadata_of_others_is_not_taken_for_headgates(text: str | None) -> None:
    assert commit_of(userMetadata=text).metadata is None


@pytest.mark.parametrize(
    ("commit", "changes"),
    [
        (commit_of(userMetadata='{"headgate": "0", "changes_rows": false}'), False),
        (commit_of(userMetadata='{"headgate": "0", "changes_rows": true}'), True),
        (commit_of("OPTIMIZE", operationMetrics={"numRemovedFiles": "3"}), False),
        (commit_of("VACUUM END"), False),
        (commit_of("RESTORE", operationMetrics={"numRemovedFiles": "0"}), True),
        (commit_of("MERGE", operationMetrics={"numTargetRowsInserted": "0", "numTargetRowsUpdated": "0"}), False),
        (commit_of("MERGE", operationMetrics={"numTargetRowsInserted": "0", "numTargetRowsDeleted": "1"}), True),
        (commit_of("WRITE", operationMetrics={"numOutputRows": "0"}), False),
        (commit_of("DELETE"), True),
    ],
    ids=["own without", "own", "optimize", "vacuum", "restore", "empty merge", "merge", "empty write", "no metrics"],
)
def test_the_log_shows_whether_a_commit_changes_rows(commit: Commit, changes: bool) -> None:
    assert commit.changes_rows is changes


@pytest.mark.parametrize(("data_change", "away"), [(True, True), (False, False)], ids=["deleted", "compacted"])
def test_rows_go_away_with_a_removed_file_unless_it_was_compacted(data_change: bool, away: bool) -> None:
    assert commit_of("X", {"remove": {"path": "f", "dataChange": data_change}}).takes_rows_away is away


def test_the_schema_is_that_of_the_commit_that_sets_it() -> None:
    fields = {"fields": [{"name": "n", "type": "long"}]}
    assert commit_of("WRITE", {"metaData": {"schemaString": json.dumps(fields)}}).schema == {"n": "long"}
    assert commit_of("WRITE").schema is None
