"""Time travel: by version, by time, and the errors for unavailable versions."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from deltalake import DeltaTable

from headgate.cli import history, show
from headgate.errors import UsageError
from headgate.ledger.travel import moment_of, version_at
from tests.unit.lake import Lake

NOW = datetime(2026, 3, 9, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """gold.daily in three versions, committed at noon of 1, 2 and 3 March, 400 ms after the full second."""
    lake = Lake(tmp_path)
    upload = lake.land("first")
    lake.bronze(upload)
    lake.sales([("s-1", "north", 1, upload)])
    for day in (1, 2, 3):
        version = lake.daily([(day, "north")])
        at = datetime(2026, 3, day, 12, 0, 0, 400_000, tzinfo=UTC)
        path = Path(lake.environment.table_uri("gold.daily")) / "_delta_log" / f"{version:020d}.json"
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        for action in actions:
            action.get("commitInfo", {}).update(timestamp=round(at.timestamp() * 1000))
        path.write_text("\n".join(map(json.dumps, actions)))
        os.utime(path, (at.timestamp(), at.timestamp()))
    return lake


def run_verb(verb, lake: Lake, *arguments: str) -> Result:
    return CliRunner().invoke(verb.command, [*arguments, "--project", str(lake.project.root)])


def days(lake: Lake, *arguments: str) -> list[str]:
    """The days of gold.daily that `show` prints."""
    result = run_verb(show, lake, "gold.daily", "--json", *arguments)
    assert result.exit_code == 0, result.exception
    return [json.loads(line)["day"] for line in result.output.splitlines()]


def refusal(lake: Lake, *arguments: str) -> str:
    error = run_verb(show, lake, *arguments).exception
    assert isinstance(error, UsageError)
    return str(error)


def test_a_table_is_shown_as_it_was_at_a_version(lake: Lake) -> None:
    assert [days(lake, "--version", str(version)) for version in (0, 1, 2)] == [
        ["2026-03-01"],
        ["2026-03-02"],
        ["2026-03-03"],
    ]


@pytest.mark.parametrize(
    ("moment", "version"),
    [
        ("2026-03-01T12:00:01", 0),
        ("2026-03-02T12:00:00.399", 0),
        ("2026-03-02T12:00:00.400", 1),
        ("2026-03-02T12:00:00", 1),  # as `history` shows it
        ("2026-03-03", 1),
        ("2026-03-03T13:00:00+02:00", 1),
        ("2026-03-03T14:00:00+02:00", 2),
        ("2026-03-08", 2),
    ],
)
def test_the_version_of_a_time_is_the_newest_committed_by_then(lake: Lake, moment: str, version: int) -> None:
    assert version_at(lake.ledger, "gold.daily", moment_of(moment), NOW) == version


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert moment_of("2026-03-01T18:00") == datetime(2026, 3, 1, 18, tzinfo=UTC)
    assert moment_of("2026-03-01T18:00+01:00") == datetime(2026, 3, 1, 17, tzinfo=UTC)


def test_show_takes_the_time(lake: Lake) -> None:
    assert days(lake, "--as-of", "2026-03-02T18:00") == ["2026-03-02"]


def test_the_quarantine_travels_too(lake: Lake) -> None:
    lake.sales([], rejected=2)
    shown = [run_verb(show, lake, "quarantine.silver.sales", "--json", "--version", version).output for version in "01"]
    assert [len(text.splitlines()) for text in shown] == [0, 2]


@pytest.mark.parametrize("version", ["-1", "3"])
def test_a_version_that_there_is_not_is_refused_with_those_that_there_are(lake: Lake, version: str) -> None:
    details = refusal(lake, "gold.daily", "--version", version)
    assert f"there is no version {version}: the versions are 0 to 2" in details


def test_a_time_before_the_first_version_is_refused_with_its_time(lake: Lake) -> None:
    details = refusal(lake, "gold.daily", "--as-of", "2026-03-01T11:59")
    assert "no version yet at 2026-03-01 11:59:00 UTC: the first is of 2026-03-01 12:00:00 UTC" in details


def test_a_time_to_come_is_refused(lake: Lake) -> None:
    with pytest.raises(UsageError, match="is to come"):
        version_at(lake.ledger, "gold.daily", NOW + timedelta(seconds=1), NOW)


def test_what_is_no_time_is_refused(lake: Lake) -> None:
    assert "'yesterday' is not a time" in refusal(lake, "gold.daily", "--as-of", "yesterday")


def test_a_version_and_a_time_exclude_each_other(lake: Lake) -> None:
    assert "exclude each other" in refusal(lake, "gold.daily", "--as-of", "2026-03-02", "--version", "1")


def test_a_table_that_is_not_built_is_told_so(lake: Lake) -> None:
    assert "silver.lines is not built yet" in refusal(lake, "silver.lines", "--version", "0")


def test_a_version_whose_files_were_vacuumed_is_told_so(lake: Lake) -> None:
    delta = DeltaTable(lake.environment.table_uri("gold.daily"))
    delta.vacuum(0, enforce_retention_duration=False, dry_run=False)
    assert "version 1 cannot be read: its files were vacuumed" in refusal(lake, "gold.daily", "--version", "1")
    assert days(lake, "--version", "2") == ["2026-03-03"]


def test_a_version_whose_log_was_cleaned_up_is_told_so(lake: Lake) -> None:
    delta = DeltaTable(lake.environment.table_uri("gold.daily"))
    delta.create_checkpoint()
    for version in (0, 1):
        (Path(delta.table_uri.removeprefix("file://")) / "_delta_log" / f"{version:020d}.json").unlink()
    assert "version 1 is gone: its log was cleaned up" in refusal(lake, "gold.daily", "--version", "1")
    assert "was cleaned up" in refusal(lake, "gold.daily", "--as-of", "2026-03-02T18:00")


def test_history_shows_which_code_made_a_version(lake: Lake) -> None:
    code = lake.graph.node("gold.daily").code_hash
    result = run_verb(history, lake, "gold.daily", "--limit", "1")
    assert f" {code[:8]} " in result.output and code not in result.output
