"""Declarations: what `@table` refuses, where, and with which advice."""

from __future__ import annotations

import inspect

import pytest

from headgate import Affected, Changes, Merge, Replace, table
from headgate.errors import TableDefinitionError

MERGE = Merge(keys=["id"])
REPLACE = Replace(by=["day"])


def declare(reads, writes=MERGE, name="silver.things", doc="One row per thing."):
    def things(uploads):
        return uploads

    things.__doc__ = doc
    return table(name, reads=reads, writes=writes)(things)


def refused(*args, **changes) -> TableDefinitionError:
    with pytest.raises(TableDefinitionError) as caught:
        declare(*args, **changes)
    return caught.value


@pytest.mark.parametrize(
    ("read", "writes", "what", "fix"),
    [
        (Changes("bronze.things"), REPLACE, "Changes cannot feed Replace", "Affected(\"bronze.things\", by=['day'])"),
        (Affected("silver.other", by=["day"]), MERGE, "Affected cannot feed Merge", "Replace(by=['day'])"),
        (Changes("silver.other"), MERGE, "silver.other is not one", 'Affected("silver.other", by=[...])'),
        (Affected("silver.other", by=["id"]), REPLACE, "reads the slices ['id'] and writes the slices ['day']", "same"),
    ],
)
def test_an_illegal_pair_is_refused_with_the_pair_to_use(read, writes, what, fix):
    error = refused({"uploads": read}, writes)
    assert what in error.what
    assert fix in error.fix


@pytest.mark.parametrize(
    ("read", "writes"),
    [
        (Changes("bronze.things"), MERGE),
        (Affected("silver.other", by=["day"]), REPLACE),
        (Affected("silver.other", by=["a", "b"]), Replace(by=["b", "a"])),
    ],
)
def test_a_legal_pair_is_taken(read, writes):
    assert declare({"uploads": read}, writes).writes == writes


def test_a_refusal_names_the_line_of_the_declaration():
    error = refused({"rows": Changes("bronze.things")})
    line = inspect.getsourcelines(declare)[1] + 5
    assert error.where == f"{__file__}:{line}"


def test_a_read_has_to_be_a_parameter_of_the_function():
    error = refused({"rows": Changes("bronze.things")})
    assert "the function takes (uploads), reads names (rows)" in error.what


@pytest.mark.parametrize("doc", [None, "", "  \n "])
def test_a_function_without_a_docstring_is_refused_because_it_says_the_grain(doc):
    assert "no docstring" in refused({"uploads": Changes("bronze.things")}, doc=doc).what


def test_a_table_has_exactly_one_read():
    assert "0 reads" in str(_refuse_reads({}))
    assert "2 reads" in str(_refuse_reads({"a": Changes("bronze.a"), "b": Changes("bronze.b")}))


def _refuse_reads(reads) -> TableDefinitionError:
    with pytest.raises(TableDefinitionError) as caught:
        namespace: dict = {}
        exec(f'def f({", ".join(reads)}):\n    """One row."""', namespace)  # noqa: S102
        table("silver.things", reads=reads, writes=MERGE)(namespace["f"])
    return caught.value


@pytest.mark.parametrize("name", ["things", "bronze.things", "silver.", "silver.Things", "silver.a-b", "silver.a.b"])
def test_a_name_that_is_no_tables_is_refused(name):
    assert f"'{name}' is no table's name" in refused({"uploads": Changes("bronze.things")}, name=name).what


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Merge(keys="id"), "keys takes a list of column names, not 'id'"),
        (lambda: Merge(keys=[]), "keys is empty"),
        (lambda: Merge(keys=["id"], partition_by="day"), "partition_by takes a list"),
        (lambda: Replace(by=[]), "by is empty"),
        (lambda: Replace(by=[1]), "by takes a list of column names, not [1]"),
        (lambda: Affected("silver.other", by="day"), "by takes a list of column names, not 'day'"),
    ],
)
def test_columns_are_given_as_a_list_of_names(make, what):
    with pytest.raises(TableDefinitionError) as caught:
        make()
    assert what in caught.value.what


def test_a_declared_table_can_be_called_like_its_function():
    assert declare({"uploads": Changes("bronze.things")})("rows") == "rows"
