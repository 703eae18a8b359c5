"""Declarations: what `@table` refuses, where, and with which advice."""

from __future__ import annotations

import inspect

import pytest

from headgate import Affected, Append, Changes, History, Merge, Replace, Snapshot, table
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


BRONZE = Changes("bronze.things")
OTHER = Affected("silver.other", by=["day"])
HISTORY = History(keys=["id"], sequence_by="at")


@pytest.mark.parametrize(
    ("reads", "writes", "message", "fix"),
    [
        ([BRONZE], REPLACE, "Changes cannot feed Replace", "Affected(\"bronze.things\", by=['day'])"),
        ([BRONZE], HISTORY, "Changes cannot feed History", "Affected(\"bronze.things\", by=['id'])"),
        ([OTHER], MERGE, "Affected cannot feed Merge", "Replace(by=['day']) or History(keys=['day']"),
        ([OTHER], Append(), "Affected cannot feed Append", "Replace(by=['day'])"),
        ([OTHER], Replace(), "writes the slices []", "Replace's by the same columns"),
        ([OTHER], HISTORY, "writes the slices ['id']", "History's keys the same"),
        ([Affected("silver.other", by=["id"])], REPLACE, "the slices ['id'] and writes the slices ['day']", "same"),
        ([OTHER, Affected("silver.more", by=["id"])], REPLACE, "silver.other by ['day'], silver.more by", "same"),
        ([BRONZE, OTHER], MERGE, "cannot both drive a table", 'Snapshot("silver.other")'),
        ([BRONZE, Changes("bronze.more")], MERGE, "two reads by Changes", "read both by Affected"),
        ([Snapshot("silver.other")], MERGE, "Snapshot alone cannot feed Merge", "Replace()"),
        ([Snapshot("silver.other")], REPLACE, "Snapshot alone cannot feed Replace(by=['day'])", "Replace()"),
        ([Snapshot("silver.other", frozen=True)], Replace(), "every read is frozen", "remove frozen=True"),
        ([], MERGE, "reads nothing", "reads="),
    ],
)
def test_an_illegal_pair_is_refused_with_the_pair_to_use(reads, writes, message, fix):
    error = _refuse_reads(reads, writes)
    assert message in error.message
    assert fix in error.fix


@pytest.mark.parametrize(
    ("reads", "writes"),
    [
        ([BRONZE], MERGE),
        ([BRONZE], Append(partition_by=["day"])),
        ([Changes("silver.log")], MERGE),
        ([BRONZE, Snapshot("silver.other")], MERGE),
        ([BRONZE, Snapshot("silver.other", frozen=True)], Append()),
        ([OTHER], REPLACE),
        ([OTHER, Affected("silver.more", by=["day"]), Snapshot("silver.third")], REPLACE),
        ([Affected("silver.other", by=["a", "b"])], Replace(by=["b", "a"])),
        ([Affected("silver.other", by=["id"])], HISTORY),
        ([Snapshot("silver.other"), Snapshot("silver.more", frozen=True)], Replace()),
    ],
)
def test_a_legal_pair_is_taken(reads, writes):
    assert _declare_reads(reads, writes).writes == writes


def test_a_refusal_names_the_line_of_the_declaration():
    error = refused({"rows": Changes("bronze.things")})
    line = inspect.getsourcelines(declare)[1] + 5
    assert error.where == f"{__file__}:{line}"


def test_a_read_has_to_be_a_parameter_of_the_function():
    error = refused({"rows": Changes("bronze.things")})
    assert "the function takes (uploads), reads names (rows)" in error.message


@pytest.mark.parametrize("doc", [None, "", "  \n "])
def test_a_function_without_a_docstring_is_refused_because_it_says_the_grain(doc):
    assert "no docstring" in refused({"uploads": Changes("bronze.things")}, doc=doc).message


def _declare_reads(reads, writes):
    """A table whose function takes a parameter for each read."""
    named = {f"rows_{number}": read for number, read in enumerate(reads)}
    namespace: dict = {}
    exec(f'def f({", ".join(named)}):\n    """One row."""', namespace)  # noqa: S102
    return table("silver.things", reads=named, writes=writes)(namespace["f"])


def _refuse_reads(reads, writes) -> TableDefinitionError:
    with pytest.raises(TableDefinitionError) as caught:
        _declare_reads(reads, writes)
    return caught.value


@pytest.mark.parametrize("name", ["things", "bronze.things", "silver.", "silver.Things", "silver.a-b", "silver.a.b"])
def test_a_name_that_is_no_tables_is_refused(name):
    assert f"'{name}' is an invalid table name" in refused({"uploads": Changes("bronze.things")}, name=name).message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Merge(keys="id"), "keys takes a list of column names, not 'id'"),
        (lambda: Merge(keys=[]), "keys is empty"),
        (lambda: Merge(keys=["id"], partition_by="day"), "partition_by takes a list"),
        (lambda: Replace(by=[]), "by is empty"),
        (lambda: Replace(by=[1]), "by takes a list of column names, not [1]"),
        (lambda: Affected("silver.other", by="day"), "by takes a list of column names, not 'day'"),
    ],
)
def test_columns_must_be_a_list_of_names(make, message):
    with pytest.raises(TableDefinitionError) as caught:
        make()
    assert message in caught.value.message


def test_a_declared_table_can_be_called_like_its_function():
    assert declare({"uploads": Changes("bronze.things")})("rows") == "rows"
