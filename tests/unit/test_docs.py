"""The pages of docs/ keep up with the code: what has to be explained is, and the code in them runs."""

from __future__ import annotations

import importlib
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from headgate import environment, errors
from headgate.cli.main import VERBS
from headgate.contract import load_contracts
from headgate.graph import load_graph
from headgate.modules import load_table, module_paths
from headgate.project import Project
from tests.engine.world import World

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def sections(text: str) -> dict[str, str]:
    """What stands under each heading of the second level, by the heading without back quotes."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {heading.strip(" `"): body for heading, _, body in (part.partition("\n") for part in parts)}


# --- errors.md


def error_classes() -> list[type[errors.HeadgateError]]:
    """The root of the errors, and all below it."""
    found: list[type[errors.HeadgateError]] = [errors.HeadgateError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == errors.__name__]


ERRORS = pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.code)


@ERRORS
def test_every_error_says_its_exit_code_an_example_and_what_to_do(kind):
    explained = sections(page("errors"))[kind.code]
    assert f"Exit code {kind.exit_code}." in explained
    assert "```" in explained
    assert "To do: " in explained


def test_no_error_is_explained_that_cannot_happen():
    assert set(sections(page("errors"))) == {kind.code for kind in error_classes()}


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
    codes = {0, *(kind.exit_code for kind in error_classes())}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", explained, re.MULTILINE)} == codes


# --- environments.md


def environment_keys() -> list[str]:
    """Every key of an environment, the nested ones by their dotted path."""
    return [".".join(trail) for trail, _ in environment._keys((), environment._SCHEMA)]


@pytest.mark.parametrize("key", environment_keys())
def test_every_key_has_a_row_with_its_variable(key):
    row = re.search(rf"^\| `{re.escape(key)}` \|.*$", page("environments"), re.MULTILINE)
    assert row, f"{key} has no row"
    assert f"`HEADGATE_{key.replace('.', '_').upper()}`" in row.group()


@pytest.mark.parametrize("variable", environment.RESERVED)
def test_every_variable_that_is_no_key_is_explained(variable):
    assert f"`{variable}`" in page("environments")


def test_no_key_is_explained_that_does_not_exist():
    explained = re.findall(r"^\| `([a-z_.]+)` \|", page("environments"), re.MULTILINE)
    assert sorted(explained) == sorted(environment_keys())


# --- README.md


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_the_readme_links_to_every_page(path):
    assert re.search(rf"\]\(docs/{re.escape(path.name)}[)#]", (ROOT / "README.md").read_text())


# --- tables.md: its code is a project


@pytest.fixture
def recipe(tmp_path: Path) -> Project:
    """The project that a reader of docs/tables.md has written: each block that begins with a path is that file."""
    blocks = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```", page("tables"), re.MULTILINE | re.DOTALL)
    for name, text in [*blocks, ("conf/environments/local.yaml", "lake: lake\n")]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Project(tmp_path)


@pytest.fixture
def importable(recipe: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The recipe's project, whose `jobs` can be imported as its own tests do."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(recipe.root))
    yield recipe
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "jobs":
            del sys.modules[name]


def test_every_block_of_code_is_a_file_of_the_recipe():
    blocks = re.findall(r"^```(?:python|yaml)\n(.*)$", page("tables"), re.MULTILINE)
    assert [first for first in blocks if not re.fullmatch(r"# \S+\.(py|yaml)", first)] == []


def test_the_recipes_contract_and_tables_load(recipe):
    assert list(load_contracts(recipe)) == ["returns"]
    tables = [load_table(recipe, path).name for path in module_paths(recipe)]
    assert tables == ["gold.daily_returns", "silver.returns"]
    assert list(load_graph(recipe).nodes) == ["bronze.returns", "silver.returns", "gold.daily_returns"]


def test_the_recipes_data_becomes_its_gold(recipe, spark, tmp_path):
    world = World(spark, recipe, tmp_path / "lake")
    sample = re.search(r"^```json\n(.*?)^```", page("tables"), re.MULTILINE | re.DOTALL)
    world.land("returns", sample.group(1).encode(), key="returns.jsonl")
    world.run_well()
    assert [(row["returns"], str(row["refunded"])) for row in world.rows("gold.daily_returns")] == [(2, "17.50")]


def test_the_recipes_test_passes_and_can_fail(importable, spark):
    tests = runpy.run_path(str(importable.root / "tests" / "test_daily_returns.py"))
    test = tests["test_a_day_has_its_number_and_its_sum"]
    test(spark)
    test.__globals__["daily_returns"] = lambda returns: returns.limit(0)
    with pytest.raises(AssertionError):
        test(spark)
