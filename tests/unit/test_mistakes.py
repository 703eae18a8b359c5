"""Mistakes that people make on the command line: each is one message with a code, found before Spark starts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import headgate
from headgate.cli.main import run_command
from headgate.contracts.evolution import shape_of
from tests.unit.lake import CONTRACT, Lake


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
    ("history", "gold.daily", "--limit", "-1"): "-1 is not in the range x>=0",
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


MODULE = '''\
from headgate import Affected, Replace, table


@table("gold.mine", reads={"rows": Affected("silver.sales", by=["day"])}, writes=Replace(by=["day"]))
def mine(rows):
    """One row per day."""
    return rows
'''
#: A mistake in MODULE, as a text and its replacement -> the file and line, the message, and the advice.
#: Before: "Affected.__init__() missing 1 required positional argument: 'by'", the path of Headgate's own files, and
#: "correct the name, or install the package where jobs run" for a misspelled word.
MODULE_MISTAKES = {
    "a missing argument": (
        (', by=["day"])', ")"),
        ("jobs/gold/mine.py:4", "Affected() missing 1 required positional argument", 'by=["sale_date"]'),
    ),
    "an unknown argument": (
        ("writes=", "key=1, writes="),
        ("jobs/gold/mine.py:4", "unexpected keyword argument 'key'", '@table("gold.daily_sales", reads='),
    ),
    "a misspelled name of Headgate's": (
        ("Affected, Replace, table", "Affected, Replace, tabel"),
        ("jobs/gold/mine.py:1", "cannot import name 'tabel' from 'headgate'", "Did you mean 'table'?"),
    ),
    "a package that is not installed": (
        ("from headgate", "import nowhere\nfrom headgate"),
        ("jobs/gold/mine.py:1", "No module named 'nowhere'", "install the package 'nowhere' where jobs run"),
    ),
    "shared code that is not there": (
        ("from headgate", "from jobs.common.money import cents\nfrom headgate"),
        ("jobs/gold/mine.py:1", "No module named 'jobs.common.money'", "in jobs/common, as in: from jobs.common.money"),
    ),
    "a syntax error": (
        ("])}, writes", "])} writes"),
        ("jobs/gold/mine.py:4", "Perhaps you forgot a comma?: @table(", "correct the syntax of this line"),
    ),
    "two modules with one table name": (
        ("gold.mine", "gold.daily"),
        ("jobs/gold/mine.py", "the table of jobs/gold/daily.py: two modules with one table", "'gold.mine'"),
    ),
    "two tables in a module": (
        ("from headgate", MODULE.replace("def mine", "def other") + "from headgate"),
        ("jobs/gold/mine.py", "2 tables: gold.mine (line 4), gold.mine (line 11)", "a single @table per module"),
    ),
}


@pytest.mark.parametrize("mistake", MODULE_MISTAKES)
def test_a_mistake_in_a_module_has_file_line_and_advice_that_fits(
    lake: Lake, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (text, wrong), (where, message, fix) = MODULE_MISTAKES[mistake]
    lake.write("jobs/gold/mine.py", MODULE.replace(text, wrong, 1))
    with pytest.raises(SystemExit) as ended:
        run_command(["plan", "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (ended.value.code, error["code"], error["where"]) == (2, "table-definition", where)
    assert message in error["what"] and fix in error["fix"]
    assert str(Path(headgate.__file__).parent) not in error["what"]


def test_the_receipt_of_an_upload_that_has_not_landed_says_where_it_was_sought(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(lake.project.root / "lake/bronze")
    with pytest.raises(SystemExit) as ended:
        run_command(["receipt", "sales.2026030212.shop-1." + "0" * 32])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")  # before: "silver.sales  not yet: headgate run"
    assert "no upload with this id has landed in " in err and "check the id and --env" in err


def test_after_an_additive_field_a_plan_asks_for_no_rebuild(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    node = lake.graph.node("silver.sales")
    lake.sales([("s-2", "north", 1, lake.land("x"))], contract=shape_of(lake.graph.contracts["sales"]))
    key = "primaryKey: true}\n"
    lake.write("conf/datasets/sales.yaml", CONTRACT.replace(key, f"{key}      - {{name: n, logicalType: integer}}\n"))
    assert lake.graph.node("silver.sales").code_hash != node.code_hash
    run(["plan"])
    printed = capsys.readouterr().out
    assert "the optional field n bigint was added; old rows stay valid, no rebuild is needed for it" in printed


def test_the_history_of_a_table_that_is_not_built_says_so(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.write("jobs/gold/mine.py", MODULE)
    run(["history", "gold.mine"])
    assert capsys.readouterr().out == "gold.mine is not built yet: headgate run -s gold.mine\n"


def test_a_receiver_that_is_away_may_be_tried_again(lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("headgate.client.upload.time.sleep", lambda _: None)
    pauses: list[int] = []
    monkeypatch.setattr("headgate.client.upload._pause", lambda count, _: pauses.append(count) or 0.0)
    lake.write("a.jsonl", "{}")
    with pytest.raises(SystemExit) as ended:
        how = ["--dataset", "sales", "--url", "http://127.0.0.1:1", "--key", "k", "--json"]
        run_command(["upload", "a.jsonl", "b.jsonl", *how])
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert (ended.value.code, [error["retryable"] for error in failed]) == (75, [True, True])
    assert pauses == [1, 2, 3]  # the second file fails at once: 15 files took a minute


def test_ctrl_c_says_that_committed_work_stays(lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("headgate.cli.plan.load_graph", interrupt)
    with pytest.raises(SystemExit) as ended:
        run_command(["plan"])
    assert ended.value.code == 130
    assert "committed work stays; the same command continues" in capsys.readouterr().err  # before: "Aborted!"
