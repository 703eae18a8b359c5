"""Permitted changes of a contract with existing tables."""

from __future__ import annotations

import pytest

from headgate.contracts.evolution import changes

BEFORE = {
    "id": ("string", True),
    "price": ("decimal(8,2)", False),
    "count": ("int", False),
    "note": ("string", False),
    "items": ("array", True),
    "items[]": ("struct", True),
    "items[].line": ("int", True),
}


def differences(**new) -> list[tuple[str, bool]]:
    after = {path: kind for path, kind in {**BEFORE, **new}.items() if kind}
    return [(change.message, change.refused) for change in changes(BEFORE, after)]


def test_nothing_changed_is_no_change():
    assert differences() == []


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"colour": ("string", False)}, "the optional field colour string was added"),
        ({"id": ("string", False)}, "id became optional"),
        ({"items[].tax": ("int", False)}, "the optional field items[].tax int was added"),
    ],
)
def test_changes_that_keep_old_rows_valid_are_permitted(new, message):
    assert differences(**new) == [(message, False)]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"colour": ("string", True)}, "the required field colour string was added: old records lack it"),
        ({"note": ("string", True)}, "note became required: old records may lack it"),
        ({"count": ("bigint", False)}, "count was widened from int to bigint"),
        ({"price": ("decimal(10,2)", False)}, "price was widened from decimal(8,2) to decimal(10,2)"),
        ({"price": ("decimal(8,3)", False)}, "price was changed from decimal(8,2) to decimal(8,3)"),
        ({"price": ("decimal(6,2)", False)}, "price was narrowed from decimal(8,2) to decimal(6,2)"),
        ({"note": ("date", False)}, "note was narrowed from string to date"),
        ({"items[].line": ("bigint", True)}, "items[].line was widened from int to bigint"),
        ({"note": None}, "the field note was removed"),
        ({"items[].line": None}, "the required field items[].line was removed"),
    ],
)
def test_changes_that_old_rows_do_not_follow_are_refused(new, message):
    assert differences(**new) == [(message, True)]


def test_a_renamed_field_is_told_as_one():
    details = differences(note=None, notes=("string", False))
    assert details[0] == ("the field note was removed (renamed to notes?)", True)


def test_what_is_inside_a_new_object_is_new_with_it():
    details = differences(**{"address": ("struct", False), "address.city": ("string", True)})
    assert details == [("the optional field address struct was added", False)]


def test_refused_changes_come_first():
    assert [refused for _, refused in differences(colour=("string", False), note=None)] == [True, False]
