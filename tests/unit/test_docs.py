"""The pages of docs/ keep up with the code: they explain everything that they must, and their code runs."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from pyspark.sql import SparkSession

from headgate import errors, faults, testing
from headgate.cli.main import VERBS
from headgate.contracts import environment, environment_variables
from headgate.contracts.contract import load_contracts
from headgate.modules import load_table, module_paths
from headgate.planning.graph import load_graph
from headgate.project import Project
from headgate.testing import assert_rows, plugin
from headgate.testing.lake import Lake
from tests.engine.world import write_project

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def sections(text: str) -> dict[str, str]:
    """The text under each second-level heading, by the heading without backquotes."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {heading.strip(" `"): body for heading, _, body in (part.partition("\n") for part in parts)}


# --- errors.md


def error_classes() -> list[type[errors.HeadgateError]]:
    """The root of the errors, and all below it."""
    results: list[type[errors.HeadgateError]] = [errors.HeadgateError]
    for kind in results:
        results.extend(kind.__subclasses__())
    return [kind for kind in results if kind.__module__ == errors.__name__]


ERRORS = pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.code)


@ERRORS
def test_every_error_has_an_exit_code_an_example_and_a_correction(kind):
    explained = sections(page("errors"))[kind.code]
    assert f"Exit code {kind('error').exit_code}" in explained
    assert "```" in explained
    assert "To do: " in explained


def test_no_error_is_explained_that_cannot_happen():
    chapters = {"Exit codes and retries", "Logs"}
    assert set(sections(page("errors"))) - chapters == {kind.code for kind in error_classes()}


# --- cli.md


def options_of(command: click.Command) -> Iterator[str]:
    """The long names of a verb's options, those of its subcommands too."""
    for parameter in command.params:
        yield from (name for name in parameter.opts if name.startswith("--"))
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from options_of(inner)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_section_with_its_options(verb):
    explained = sections(page("cli"))
    text = explained[f"headgate {verb}"] + explained["Options of every verb"]
    command = importlib.import_module(f"headgate.cli.{verb}").command
    assert [name for name in options_of(command) if f"`{name}" not in text] == []


def test_every_subcommand_is_named():
    explained = sections(page("cli"))
    for verb in VERBS:
        command = importlib.import_module(f"headgate.cli.{verb}").command
        inner = command.commands if isinstance(command, click.Group) else {}
        assert [name for name in inner if f"headgate {verb} {name}" not in explained[f"headgate {verb}"]] == []


def test_no_verb_is_explained_that_does_not_exist():
    explained = {heading for heading in sections(page("cli")) if heading.startswith("headgate ")}
    assert explained == {f"headgate {verb}" for verb in VERBS}


def test_every_exit_code_is_explained():
    explained = sections(page("cli"))["Exit codes"]
    codes = {0, 130, *(kind("error").exit_code for kind in error_classes())}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", explained, re.MULTILINE)} == codes


# --- environments.md


def environment_keys() -> list[str]:
    """Every key of an environment, the nested ones by their dotted path."""
    return [".".join(trail) for trail, _ in environment_variables._keys((), environment._SCHEMA)]


@pytest.mark.parametrize("key", environment_keys())
def test_every_key_has_a_row_with_its_variable(key):
    row = re.search(rf"^\| `{re.escape(key)}` \|.*$", page("environments"), re.MULTILINE)
    assert row, f"{key} has no row"
    assert f"`HEADGATE_{key.replace('.', '_').upper()}`" in row.group()


@pytest.mark.parametrize("variable", environment_variables.RESERVED)
def test_every_variable_that_is_no_key_is_explained(variable):
    assert f"`{variable}`" in page("environments")


def test_no_key_is_explained_that_does_not_exist():
    explained = re.findall(r"^\| `([a-z_.]+)` \|", page("environments"), re.MULTILINE)
    assert sorted(explained) == sorted(environment_keys())


# --- README.md


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_the_readme_links_to_every_page(path):
    assert re.search(rf"\]\(docs/{re.escape(path.name)}[)#]", (ROOT / "README.md").read_text())


# --- tables.md and testing.md: their code is a project and its tests


def recipe(folder: Path) -> Project:
    """The project that a reader of both pages has written: each block that begins with a path is that file."""
    text = page("tables") + page("testing")
    blocks = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return write_project(folder, dict([*blocks, ("conf/environments/local.yaml", "lake: lake\n")]))


@pytest.mark.parametrize("name", ["tables", "testing"])
def test_every_block_of_code_is_a_file_of_the_recipe(name):
    blocks = re.findall(r"^```(?:python|yaml)\n(.*)$", page(name), re.MULTILINE)
    assert [first for first in blocks if not re.fullmatch(r"# \S+\.(py|yaml)", first)] == []


def test_the_recipes_contract_and_tables_load(tmp_path):
    written = recipe(tmp_path)
    assert list(load_contracts(written)) == ["returns"]
    tables = [load_table(written, path).name for path in module_paths(written)]
    assert tables == ["gold.daily_returns", "silver.returns"]
    assert list(load_graph(written).nodes) == ["bronze.returns", "silver.returns", "gold.daily_returns"]


@pytest.mark.long
def test_the_recipes_data_becomes_its_gold(spark, tmp_path):
    lake = Lake(spark, recipe(tmp_path), tmp_path / "lake")
    sample = re.search(r"^```json\n(.*?)^```", page("tables"), re.MULTILINE | re.DOTALL)
    lake.land("returns", sample.group(1).encode(), key="returns.jsonl")
    lake.run()
    assert_rows(lake, "gold.daily_returns", [{"returns": 2, "refunded": "17.50"}])


@pytest.fixture
def tested(
    pytester: pytest.Pytester, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Runs the recipe's tests in its folder, with the session of these tests."""
    recipe(pytester.path)
    pytester.makeconftest(
        "import pytest, pyspark.sql\n"
        "@pytest.fixture(scope='session')\n"
        "def spark():\n"
        "    return pyspark.sql.SparkSession.getActiveSession()\n"
    )
    pytester.syspathinsert()
    for name in [name for name in sys.modules if name.partition(".")[0] == "jobs"]:
        monkeypatch.delitem(sys.modules, name)  # another project's
    return functools.partial(pytester.runpytest_inprocess, "-p", "no:cacheprovider", "-p", "no:xdist")


@pytest.mark.long
def test_the_recipes_tests_pass(tested):
    tested().assert_outcomes(passed=4)


def test_the_recipes_tests_can_fail_and_show_what_the_page_shows(tested, pytester):
    module = pytester.path / "jobs" / "gold" / "daily_returns.py"
    module.write_text(module.read_text().replace("F.sum(", "F.max("))
    result = tested("-k", "as_last_revised or its_sum")
    result.assert_outcomes(failed=2, deselected=2)
    shown = re.search(r"^```text\n(.*?)^```", page("testing"), re.MULTILINE | re.DOTALL)
    assert [line for line in shown.group(1).splitlines() if line not in str(result.stdout)] == []


def test_every_point_of_a_run_is_explained():
    explained = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", sections(page("testing"))["Faults"], re.MULTILINE))
    assert explained == faults.MOMENTS
    assert [name for name in faults.RECEIVER if f"`{name}`" not in page("testing")] == []


def test_every_assert_and_fixture_is_explained():
    fixtures = re.findall(r"^@pytest.fixture.*\ndef (\w+)", Path(plugin.__file__).read_text(), re.MULTILINE)
    assert len(fixtures) == 4
    assert [name for name in (*testing.__all__, *fixtures) if f"`{name}" not in page("testing")] == []
