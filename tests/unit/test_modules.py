"""Loading table modules: each of an author's mistakes names the module's file and line."""

from __future__ import annotations

import textwrap

import pytest

from headgate.errors import TableDefinitionError
from headgate.modules import load_table, module_paths
from headgate.project import Project

GOOD = '''\
from pyspark.sql import functions as F
from headgate import SOURCE, Changes, Merge, table


@table("silver.things", reads={"uploads": Changes("bronze.things")}, writes=Merge(keys=["id"]))
def things(uploads):
    """One row per thing."""
    return uploads.select("id", SOURCE)
'''


@pytest.fixture
def project(tmp_path):
    for folder in ("conf", "jobs/silver", "jobs/gold", "jobs/common"):
        (tmp_path / folder).mkdir(parents=True)
    return Project(tmp_path)


@pytest.fixture
def load(project):
    """Loads a module's text as jobs/silver/things.py."""

    def load_text(text: str):
        path = project.jobs / "silver" / "things.py"
        path.write_text(textwrap.dedent(text))
        return load_table(project, path)

    return load_text


@pytest.fixture
def refusal(load):
    def refused(text: str) -> TableDefinitionError:
        with pytest.raises(TableDefinitionError) as caught:
            load(text)
        return caught.value

    return refused


def test_a_module_gives_its_table(load):
    assert load(GOOD).name == "silver.things"


def test_a_column_made_at_import_is_refused_because_a_module_is_imported_without_spark(refusal, monkeypatch):
    from pyspark import SparkContext

    monkeypatch.setattr(SparkContext, "_active_spark_context", None)  # another test's session may be up
    error = refusal(GOOD.replace("\n\n\n@table", '\nID = F.col("id")\n\n\n@table'))
    assert error.where == "jobs/silver/things.py:3"
    assert "imported without Spark" in error.fix


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("import no_such_package", "install the package"),
        ("from jobs.common.nothing import x", "jobs/common"),
        ('LIMIT = int("many")', "correct the module"),
        ('READ = Changes("bronze.things", 1, 2)', "correct the arguments"),
    ],
)
def test_the_advice_fits_the_error(refusal, line, advice):
    assert advice in refusal(GOOD.replace("\n\n\n@table", f"\n{line}\n\n\n@table")).fix


def test_a_syntax_error_names_its_line(refusal):
    error = refusal(GOOD.replace("def things(uploads):", "def things(uploads:"))
    assert error.where == "jobs/silver/things.py:6"
    assert error.message.startswith("SyntaxError: ")


def test_an_error_while_importing_names_its_line(refusal):
    error = refusal(GOOD + "\n1 / 0\n")
    assert (error.where, error.message) == ("jobs/silver/things.py:10", "ZeroDivisionError: division by zero")


def test_an_error_in_a_shared_helper_names_the_helpers_line(project, refusal):
    (project.jobs / "common" / "rates.py").write_text("RATES = {}\nRATES['EUR']\n")
    error = refusal("from jobs.common import rates\n" + GOOD)
    assert (error.where, error.message) == ("jobs/common/rates.py:2", "KeyError: 'EUR'")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('Merge(keys=["id"])', "Replace(by=['id'])", "Changes cannot feed Replace"),
        ('Changes("bronze.things")', 'Affected("silver.other", by=["id"])', "Affected cannot feed Merge"),
        ('"uploads":', '"rows":', "the function takes (uploads), reads names (rows)"),
        ('"""One row per thing."""', "pass", "no docstring"),
        ('keys=["id"]', 'keys="id"', "keys takes a list"),
        ('"silver.things"', '"things"', "'things' is an invalid table name"),
    ],
)
def test_an_invalid_declaration_is_reported_with_its_line(refusal, old, new, message):
    text = GOOD.replace("Changes, Merge", "Affected, Changes, Merge, Replace")
    assert old in text
    error = refusal(text.replace(old, new))
    assert error.where == "jobs/silver/things.py:5"
    assert message in error.message


def test_a_declaration_over_several_lines_names_one_of_them(refusal):
    error = refusal(GOOD.replace(", writes", ",\n    writes").replace('"uploads":', '"rows":'))
    assert error.where in ("jobs/silver/things.py:5", "jobs/silver/things.py:6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X = 1\n", "declares no table"),
        (
            GOOD + GOOD.replace("def things", "def others"),
            "declares 2 tables: silver.things (line 5), silver.things (line 13)",
        ),
    ],
)
def test_a_module_declares_one_table(refusal, text, message):
    error = refusal(text)
    assert (error.where, error.message) == ("jobs/silver/things.py", message)


def test_a_table_is_named_like_its_file(refusal):
    error = refusal(GOOD.replace('"silver.things"', '"silver.stuff"'))
    assert error.message == "declares 'silver.stuff'"
    assert "name the table 'silver.things'" in error.fix


def test_two_projects_in_one_process_have_helpers_of_their_own(tmp_path):
    results = []
    for name in ("one", "two"):
        project = Project(tmp_path / name)
        for folder in ("common", "silver"):
            (project.jobs / folder).mkdir(parents=True)
        (project.jobs / "common" / "__init__.py").write_text("")
        (project.jobs / "common" / "tags.py").write_text(f"TAGS = ['{name}']\n")
        path = project.jobs / "silver" / "things.py"
        path.write_text("from jobs.common.tags import TAGS\n" + GOOD.replace('["id"]))', '["id"]), tags=TAGS)'))
        results.append(load_table(project, path).tags)
    assert results == [("one",), ("two",)]


def test_modules_are_the_files_of_the_layers_whose_names_do_not_begin_with_an_underscore(project):
    for name in ("gold/b.py", "silver/a.py", "silver/_shared.py", "common/c.py", "silver/notes.txt"):
        (project.jobs / name).write_text("")
    assert [project.relative(path) for path in module_paths(project)] == ["jobs/gold/b.py", "jobs/silver/a.py"]
