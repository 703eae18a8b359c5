"""Which texts a partition can hold: those that Delta's own writers put into a folder's name and read back the same."""

from __future__ import annotations

import pytest

from headgate.engine.delta.partition_text import MOST_BYTES, UnfitPartitionText, is_unfit, require_fit


@pytest.mark.parametrize("text", ["", "__HIVE_DEFAULT_PARTITION__", "a\0b", "x" * 250, ":" * 84, "é" * 125])
def test_what_no_partition_can_hold(text: str) -> None:
    assert is_unfit("place", text)


@pytest.mark.parametrize("text", [" ", "null", "${x}", "a/b", "x" * 249, ":" * 83, "é" * 124, "HIVE", "\n", "."])
def test_what_a_partition_can_hold(text: str) -> None:
    assert not is_unfit("place", text)


def test_the_limit_is_that_of_a_files_name() -> None:
    assert len("place=" + "x" * 249) == MOST_BYTES


def test_a_null_and_other_columns_are_not_judged() -> None:
    require_fit([{"place": None, "day": ""}], ["place"], "silver.t")


def test_an_unfit_text_names_its_column_and_what_to_do() -> None:
    with pytest.raises(UnfitPartitionText) as refused:
        require_fit([{"place": "Ulm"}, {"place": ""}], ["place"], "silver.t")
    assert (refused.value.column, refused.value.where) == ("place", "silver.t")
    assert "headgate run --rebuild -s silver.t" in refused.value.fix
