"""The command `headgate generate`: files, a receiver or the lake; a project's own generator; wrong use."""

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.cli.generate import command, size_in_bytes, store_names
from headgate.cli.main import run_command
from headgate.contracts.contract import load_contracts
from headgate.errors import UsageError
from headgate.generate import GeneratedUpload, Request, uploads
from headgate.project import Project
from tests.unit.test_generate import FLAT, NESTED, write_contract


def test_stores_with_keys_come_first():
    assert store_names(("site-1", "store-1"), 4) == ("site-1", "store-1", "store-2", "store-3")
    assert store_names((), 2) == ("store-1", "store-2")
    assert store_names(("a", "b"), 1) == ("a",)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2000", 2000), ("500MB", 500_000_000), ("1.5 GiB", 1610612736), ("10kb", 10_000), ("7 B", 7)],
)
def test_sizes_are_read_with_their_units(text, size):
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MB", "10 MX", "-5MB", "1e6", "ten"])
def test_text_that_is_not_a_size_is_refused(text):
    with pytest.raises(UsageError, match="is not a size"):
        size_in_bytes(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two datasets and an environment, in the current folder."""
    folder = tmp_path / "project"
    write_contract(folder, "readings", FLAT + NESTED, "jsonl")
    write_contract(folder, "sensors", "      - {name: note, logicalType: string}\n", "json_array")
    environment = folder / "conf" / "environments" / "local.yaml"
    environment.parent.mkdir()
    environment.write_text("lake: lake\n")
    monkeypatch.chdir(folder)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_command(["generate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def expected(project: Path, *datasets: str, **changes: Any) -> list[GeneratedUpload]:
    return list(uploads(Request(datasets=datasets, **changes), load_contracts(Project(project))))


def test_files_hold_every_upload_in_the_folder_of_the_day_it_is_sent(project, tmp_path, capsys):
    code, out, _ = run(capsys, "--to", tmp_path / "out", "--json", "--dataset", "readings")
    sent = expected(project, "readings")
    files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert code == 0
    assert sorted(path.read_bytes() for path in files) == sorted(upload.body for upload in sent)
    places = {(path.parts[-3], path.parts[-2], path.name.rpartition("-")[0]) for path in files}
    assert places == {(u.dataset, str(u.sent_on), u.store) for u in sent}
    assert json.loads(out)["bytes"] == sum(len(upload.body) for upload in sent)


def test_all_datasets_are_made_by_default_and_impossible_shares_are_said(project, tmp_path, capsys):
    code, _, err = run(capsys, "--to", tmp_path / "out", "--records", 2)
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["readings", "sensors"]
    assert "sensors: no corrected records, because the contract has no primaryKey" in err


def test_compressed_files_hold_the_same_bytes(project, tmp_path, capsys):
    run(capsys, "--to", tmp_path / "out", "--gzip", "--dataset", "readings")
    bodies = sorted(gzip.decompress(path.read_bytes()) for path in (tmp_path / "out").rglob("*.jsonl.gz"))
    assert bodies == sorted(upload.body for upload in expected(project, "readings"))


def test_the_summary_counts_uploads_rows_broken_rows_and_bytes_by_kind(project, tmp_path, capsys):
    code, out, err = run(capsys, "--to", tmp_path / "out", "--dataset", "readings")
    assert (code, err) == (0, "")
    sent = expected(project, "readings")
    for kind in {upload.kind for upload in sent}:
        of_kind = [upload for upload in sent if upload.kind == kind]
        rows, broken = sum(u.rows for u in of_kind), sum(u.broken for u in of_kind)
        assert re.search(rf"{kind} +│ +{len(of_kind)} │ +{rows:,} │ +{broken} │", out)


def test_files_of_an_earlier_call_are_never_mixed_in(project, tmp_path, capsys):
    run(capsys, "--to", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.jsonl")}
    code, _, err = run(capsys, "--to", tmp_path / "out", "--seed", 8)
    assert code == 2 and "has files already" in err
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.jsonl")} == before


def test_a_folder_that_cannot_be_written_is_one_message(project, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "--to", tmp_path / "file", "--dataset", "readings")
    assert code == 1 and err.startswith("error[storage]") and "cannot write" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "use --to DIR, --url ADDRESS or --direct"),
        (["--to", "here", "--url", "http://127.0.0.1:1"], "use --to"),
        (["--to", "here", "--direct"], "use --to"),
        (["--url", "http://127.0.0.1:1"], "key-template"),
        (["--to", "here", "--size", "1MB", "--records", "3"], "exclude each other"),
        (["--to", "here", "--late", "2"], "a share from 0 to 1"),
        (["--to", "here", "--size", "1XB"], "is not a size"),
        (["--to", "here", "--dataset", "reading"], "Did you mean 'readings'?"),
        (["--to", "here", "--set", "customers=3"], "this project has no generator of its own"),
        (["--to", "here", "--set", "customers"], "write NAME=VALUE"),
    ],
)
def test_wrong_use_exits_with_2_and_a_correction(project, arguments, message, capsys):
    code, _, err = run(capsys, *arguments)
    assert code == 2 and message in err
    assert not (project / "here").exists()


def test_uploads_go_to_the_receiver_with_their_keys(project, capsys, monkeypatch):
    sent: list[dict[str, Any]] = []

    def send(**call: Any) -> SimpleNamespace:
        sent.append(call)
        return SimpleNamespace(replayed=[c["idempotency_key"] for c in sent].count(call["idempotency_key"]) > 1)

    monkeypatch.setitem(sys.modules, "headgate.client", SimpleNamespace(send=send))
    arguments = ("--stores", 1, "--url", "http://receiver", "--key-template", "demo-{store}", "--gzip", "--json")
    code, out, _ = run(capsys, *arguments, "--dataset", "readings")
    made = expected(project, "readings", stores=("store-1",))
    assert code == 0 and json.loads(out)["replayed"] == 1
    assert [(c["idempotency_key"], c["body"], c["dataset"]) for c in sent] == [(u.key, u.body, u.dataset) for u in made]
    assert {(c["url"], c["key"], c["gzip"]) for c in sent} == {("http://receiver", "demo-store-1", True)}


def test_direct_lands_each_upload_once(project, capsys):
    code, out, _ = run(capsys, "--direct", "--json", "--dataset", "readings")
    made = expected(project, "readings")
    landed = [path.read_bytes() for path in (project / "lake" / "landing" / "readings").rglob("*.jsonl")]
    assert code == 0
    assert sorted(landed) == sorted(u.body for u in made if u.kind != "repeat")
    assert json.loads(out)["replayed"] == sum(u.kind == "repeat" for u in made) > 0


# --- a project's own generator

GENERATOR = """\
from datetime import date
from headgate.generate import GeneratedUpload

DATASETS = ("sensors",)
OPTIONS = {"note": "the text of every note"}


def uploads(request):
    note = request.settings.get("note", "plain")
    for store in request.stores:
        body = f'[{{"note": "{note}"}}]'.encode()
        yield GeneratedUpload(
            "sensors", store, f"{store}-1", request.first_day, request.first_day, "batch", 1, body,
            media_type="application/json", suffix=".json",
        )
"""


@pytest.fixture
def own_generator(project: Path) -> Iterator[Path]:
    (project / "own_generator.py").write_text(GENERATOR)
    environment = project / "conf" / "environments" / "local.yaml"
    environment.write_text("lake: lake\ngenerator: own_generator\n")
    yield project
    sys.modules.pop("own_generator", None)


def test_a_projects_generator_makes_its_datasets_and_contracts_the_others(own_generator, tmp_path, capsys):
    code, _, _ = run(capsys, "--to", tmp_path / "out", "--set", "note=mine", "--stores", 2, "--records", 3)
    assert code == 0
    notes = [path.read_text() for path in (tmp_path / "out" / "sensors").rglob("*.json")]
    assert notes == ['[{"note": "mine"}]'] * 2
    assert list((tmp_path / "out" / "readings").rglob("*.jsonl"))


def test_an_unknown_option_of_the_generator_is_refused(own_generator, tmp_path, capsys):
    code, _, err = run(capsys, "--to", tmp_path / "out", "--set", "notes=x")
    assert code == 2 and "Did you mean 'note'?" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1", "does not define DATASETS, OPTIONS, uploads"), ("import nothing_here", "cannot be imported")],
)
def test_a_generator_that_cannot_be_used_is_refused(own_generator, text, message, capsys):
    (own_generator / "own_generator.py").write_text(text)
    code, _, err = run(capsys, "--to", "here")
    assert code == 2 and message in err


def test_every_option_has_a_line_of_help():
    assert [option.name for option in command.params if not getattr(option, "help", None)] == []
