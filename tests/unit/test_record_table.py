"""The layout of record tables: conditions for live rows, counts and their balance, and that it is declared once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from headgate.ledger.record_table import (
    COUNTS,
    IS_KEYED,
    IS_LIVE,
    RECORD_BALANCE,
    STATE,
    RecordCounts,
    State,
    is_live,
    live_condition,
    live_filter,
    state_filter,
    unbalanced,
)

ROOT = Path(__file__).parents[2]
ROWS = pa.table({"n": [1, 2, 3, 4, 5], STATE: [state.value for state in State]})
BALANCED = RecordCounts(
    records=6, unparsable=1, rejected=1, no_row=1, accepted=3, inserted=1, updated=1, superseded=1, rows=3
)


# --- which rows are live


def test_the_conditions_of_sql() -> None:
    assert IS_LIVE == "_state = 'live'"
    assert IS_KEYED == "_state IN ('live', 'deleted')"


def test_a_table_without_states_has_only_live_rows() -> None:
    assert (live_condition(["n"]), live_filter(["n"]), is_live({"n": 1})) == ("TRUE", None, True)


def test_a_table_with_states_has_its_live_rows() -> None:
    assert live_condition(ROWS.column_names) == IS_LIVE
    only_live = live_filter(ROWS.column_names)
    assert only_live is not None and ROWS.filter(only_live)["n"].to_pylist() == [1]
    assert [row["n"] for row in ROWS.to_pylist() if is_live(row)] == [1]


def test_a_state_is_filtered_by_pyarrow() -> None:
    assert ROWS.filter(state_filter(State.RECEIPT))["n"].to_pylist() == [4]


def test_a_file_is_live_by_its_partition() -> None:
    assert is_live({"partition._state": "live"}, "partition.")
    assert not is_live({"partition._state": "rejected"}, "partition.")


# --- counts


def test_counts_that_add_up_balance() -> None:
    assert BALANCED.balances


@pytest.mark.parametrize("count", ["records", "unparsable", "rejected", "no_row", "accepted", "inserted", "superseded"])
def test_a_record_or_row_that_is_counted_twice_does_not_balance(count: str) -> None:
    assert not replace(BALANCED, **{count: getattr(BALANCED, count) + 1}).balances


def test_a_record_that_was_not_read_does_not_balance() -> None:
    assert not replace(BALANCED, unread=1).balances


def test_counts_are_read_back_as_they_were_written() -> None:
    assert RecordCounts.from_dict(BALANCED.as_dict()) == BALANCED
    assert "changed" not in BALANCED.as_dict()
    assert replace(BALANCED, changed=0).as_dict()["changed"] == 0


def test_an_equation_as_sql() -> None:
    assert unbalanced(RECORD_BALANCE, "t.") == "t.records <> t.unparsable + t.rejected + t.no_row + t.accepted"


def test_a_receipt_has_each_count_once() -> None:
    assert len(set(COUNTS)) == len(COUNTS) == 10


# --- layout and metadata keys are declared once

#: The modules that may name states and metadata keys.
DECLARE = ("ledger/record_table.py", "ledger/metadata.py", "ledger/position.py")
#: The metadata keys that are not ordinary words.
KEYS = {"userMetadata", "copied_from", "copied_version", "rolled_back", "changes_rows", "listed_at"}
STATES_IN_SQL = re.compile(rf"\b{STATE}\b|(=|<>|\()\s*'({'|'.join(State)})'")


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Returns the string literals of a module, without docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and _is_text(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def _is_text(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> bool:
    return bool(node.body) and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)


def raw_names(source: str) -> list[str]:
    """Returns the states and metadata keys that a module writes as text."""
    results = []
    for literal in literals(ast.parse(source)):
        text = literal.value
        if text in KEYS or text == State.LIVE or STATES_IN_SQL.search(text):
            results.append(f"line {literal.lineno}: {text.strip()[:60]}")
    return results


def test_no_other_module_names_a_state_or_a_metadata_key() -> None:
    modules = (ROOT / "lib" / "headgate").rglob("*.py")
    others = [path for path in modules if not path.as_posix().endswith(DECLARE)]
    assert len(others) > 100
    raw = {str(path.relative_to(ROOT)): names for path in others if (names := raw_names(path.read_text()))}
    assert raw == {}


@pytest.mark.parametrize(
    "source",
    [
        "rows.filter(\"_state = 'live'\")",
        "F.col('_state')",
        "f\"SELECT 1 FROM t WHERE state = 'receipt' AND {day}\"",
        "row['x'] == 'live'",
        "metadata.get('copied_from')",
    ],
)
def test_a_raw_name_is_seen(source: str) -> None:
    assert raw_names(source) != []


def test_a_docstring_may_name_them() -> None:
    assert raw_names('"""Rows whose `_state` is \'live\'."""') == []
