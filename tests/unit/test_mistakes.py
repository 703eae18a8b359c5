"""Mistakes that people make on the command line: each is one message with a code, found before Spark starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headgate.cli.main import run_command
from tests.unit.lake import Lake


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    lake = Lake(tmp_path)
    lake.built()
    monkeypatch.chdir(tmp_path)
    return lake


#: The command line, and what its message says. Before: click's own text under --json, and an empty result.
MISTAKES = {
    ("show", "gold.daily", "--limit", "-1"): "-1 is not in the range x>=0",
    ("show",): "Missing argument 'TABLE'",
    ("plam",): "no such command 'plam'. Did you mean 'plan'?",
    ("run", "--bogus"): "No such option '--bogus'",
    ("backfill", "gold.daily", "--by", "day=yesterday", "--dry-run"): "'yesterday' is no date",
    ("backfill", "gold.daily", "--by", "day=2026-03-01..soon", "--dry-run"): "'soon' is no date",
}


@pytest.mark.parametrize("command", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_message_and_json_with_a_code(
    lake: Lake, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([*command], [*command, "--json"]):
        with pytest.raises(SystemExit) as ended:
            run_command(arguments)
        assert ended.value.code == 2
        out, err = capsys.readouterr()
        assert MISTAKES[command] in (json.loads(out)["error"]["what"] if "--json" in arguments else err)
        assert "--json" not in arguments or json.loads(out)["error"]["code"] == "usage"


def test_a_slice_of_the_right_type_is_accepted(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    for value in ("2026-03-01", "2026-03-01..2026-03-02", ""):
        run(["backfill", "gold.daily", "--by", f"day={value}", "--dry-run", "--json"])
        assert json.loads(capsys.readouterr().out)["slices"]


def run(arguments: list[str]) -> None:
    """Runs a command that ends well: under --json it exits with 0."""
    with pytest.raises(SystemExit) as ended:
        run_command(arguments)
    assert ended.value.code == 0
