"""`headgate new project`, and then the new project's README, walked through in processes of its own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HEADGATE = str(Path(sys.executable).with_name("headgate"))
PATIENCE = 600  # seconds per command: a run starts Spark, also on a slow machine


def headgate(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb in `folder`, without the variables of whoever runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}
    kept = {name: os.environ[name] for name in ("HEADGATE_JARS",) if name in os.environ}
    return subprocess.run(
        [HEADGATE, *arguments],
        cwd=folder,
        env={**inherited, **kept, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def block(readme: Path, language: str) -> list[str]:
    """The lines of a README's first block in a language."""
    block = re.search(rf"^```{language}\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    assert block, f"{readme.name} has no block in {language}"
    return block.group(1).splitlines()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project, just made."""
    folder = tmp_path_factory.mktemp("new") / "project"
    made = headgate("new", "project", str(folder), folder=folder.parent)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def walk(project: Path) -> dict[str, str]:
    """The output of each command of the README, by its verb. Each command succeeded unchanged."""
    printed: dict[str, str] = {}
    for line in block(project / "README.md", "sh"):
        name, verb, *rest = shlex.split(line, comments=True)
        assert name == "headgate"
        upload = printed["upload"].split()[1] if "UPLOAD" in rest else ""
        done = headgate(verb, *(upload if word == "UPLOAD" else word for word in rest), folder=project)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        printed[verb] = done.stdout
        (project.parent / f"{verb}.err").write_text(done.stderr)
    return printed


def test_the_readme_has_the_five_commands(walk):
    assert list(walk) == ["upload", "plan", "run", "show", "receipt"]


def test_the_upload_lands(walk, project):
    landed = list((project / "lake" / "landing" / "readings").rglob("*.jsonl"))
    assert [file.read_bytes() for file in landed] == [(project / "samples" / "readings.jsonl").read_bytes()]
    assert landed[0].name == f"{walk['upload'].split()[1]}.jsonl"


def test_the_plan_has_work_for_every_table(walk):
    assert [line.split()[0] for line in walk["plan"].splitlines()[2:5]] == [
        "bronze.readings",
        "silver.readings",
        "gold.daily_readings",
    ]
    assert "next: headgate run" in walk["plan"]


def test_the_run_builds_every_table(walk):
    built = [line.split()[:2] for line in walk["run"].splitlines()[2:5]]
    assert built == [["bronze.readings", "done"], ["silver.readings", "done"], ["gold.daily_readings", "done"]]


def test_the_run_shows_each_step_of_a_table_with_its_time(walk, project):
    shown = re.findall(
        r"^\.\.\. silver\.readings: (\w+), \d+ s$", (project.parent / "run.err").read_text(), re.MULTILINE
    )
    assert shown == ["read", "function", "gate", "commit", "done"]


def test_gold_shows_what_the_readme_shows(walk, project):
    assert sorted(walk["show"].splitlines()) == sorted(block(project / "README.md", "text"))


def test_the_receipt_accounts_for_every_record(walk):
    assert "records=20 rejected=1 accepted=19 inserted=16 deleted=1 superseded=2" in walk["receipt"]


def test_the_broken_record_is_in_quarantine_with_its_reason(walk, project):
    shown = headgate("show", "quarantine.silver.readings", "--json", folder=project)
    rejected = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [[reason["column"] for reason in record["reasons"]] for record in rejected] == [["celsius"]]


def test_a_second_run_finds_nothing_to_do(walk, project):
    done = headgate("run", folder=project, JAVA_HOME=str(project / "no-java"))  # it must not need Java
    assert (done.returncode, done.stdout) == (0, "nothing to do: every table is current\n")


def test_the_projects_tests_find_their_fixtures(project):
    """By pytest's entry point, as in any project: nothing in the project names the plugin."""
    planned = run_pytest(project, "--setup-plan", "-v")
    assert planned.returncode == 0, planned.stdout
    assert "SETUP    F lake (fixtures used: headgate_project, pytestconfig, spark, tmp_path)" in planned.stdout


@pytest.mark.long
def test_the_projects_tests_pass(project):
    done = run_pytest(project)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def run_pytest(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the tests of a project as its README says."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_next_commands_are_the_readmes(tmp_path):
    made = json.loads(headgate("new", "project", "p", "--json", folder=tmp_path).stdout)
    cd, *commands = [shlex.split(line) for line in made["next"]]
    readme = [shlex.split(line) for line in block(tmp_path / "p" / "README.md", "sh")]
    assert cd == ["cd", "p"]
    assert [words[1:] for words in commands] == [words[1:] for words in readme]


def test_json_lists_exactly_the_files_made(tmp_path):
    made = json.loads(headgate("new", "project", "p", "--json", folder=tmp_path).stdout)
    there = [str(path.relative_to(tmp_path / "p")) for path in (tmp_path / "p").rglob("*") if path.is_file()]
    assert made["files"] == sorted(there)
    assert ".gitignore" in made["files"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "p" / ".venv").mkdir(parents=True)  # which Headgate is installed in
    assert headgate("new", "project", "p", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(("name", "file"), [("p", "kept"), ("p/kept", "kept"), ("p", ".gitignore")])
def test_what_is_there_is_never_written_over(tmp_path, name, file):
    kept = tmp_path / "p" / file
    kept.parent.mkdir()
    kept.write_text("mine")
    refused = headgate("new", "project", name, folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "name a new or an empty folder" in refused.stderr
    assert [path.read_text() for path in kept.parent.iterdir()] == ["mine"]
