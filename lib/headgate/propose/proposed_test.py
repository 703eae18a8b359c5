"""Writes the test of a proposed table, with plausible records of its dataset."""

from __future__ import annotations

import json
import keyword
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from headgate.contracts.contract import Contract, Field
from headgate.generate.records import Place, RecordMaker
from headgate.generate.writers import text_of
from headgate.propose.columns import Measure, day_column, sequence_column

_SEED = 7
_FIRST = datetime(2026, 3, 1, 9)
_CHANGEABLE = ("string", "int", "bigint", "decimal", "boolean")
_WIDTH = 90  # characters of a value on one line
_ROW = " " * 8
_CHECKS = ("assert_order_insensitive", "assert_rerun_is_noop")


def example_records(contract: Contract, count: int) -> list[dict[str, Any]]:
    """Returns records that the contract accepts, with different keys, a day apart; values as JSON has them."""
    maker = RecordMaker(contract, _SEED, {})
    places = [Place(number, "store-1", _FIRST + timedelta(days=number)) for number in range(count)]
    return [_plain(maker.record(place)) for place in places]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return text_of(value) if isinstance(value, date | Decimal) else value


def silver_test(table: str, contract: Contract) -> str:
    """Returns a test of a silver table: the newest version of each key, or each record if there is no key."""
    first, second = example_records(contract, 2)
    if not contract.key:
        return _module(
            contract,
            first,
            "test_each_record_is_a_row(lake):\n"
            "    upload(lake, record(), record())\n"
            f'    lake.run("+silver.{table}")\n'
            f'    assert len(lake.rows("silver.{table}")) == 2\n',
            f"silver.{table}",
            {name: value for name, value in second.items() if first.get(name) != value},
        )
    key = {name: second[name] for name in contract.key}
    correction = _correction(contract, first, second)
    expected = [
        {**{name: first[name] for name in contract.key}, **_without(correction, sequence_column(contract))},
        {**key, **{n: first[n] for n in _without(correction, sequence_column(contract)) if n in first}},
    ]
    return _module(
        contract,
        first,
        "test_a_key_has_one_row_with_its_newest_version(lake):\n"
        f"    upload(lake, record(), record({_arguments(key)}))\n"
        f"    upload(lake, record({_arguments(correction)}))\n"
        f'    lake.run("+silver.{table}")\n'
        f'    assert_rows(lake, "silver.{table}", {_rows(expected)})\n',
        f"silver.{table}",
        correction if sequence_column(contract) else key,
    )


def _correction(contract: Contract, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The changes in a later version of the first record: its version, and one other column."""
    sequence = sequence_column(contract)
    changes: dict[str, Any] = {}
    if sequence is not None:
        kind = next(field.type for field in contract.fields if field.name == sequence)
        later = datetime.fromisoformat(first[sequence].rstrip("Z")) + timedelta(hours=1) if kind == "timestamp" else 0
        changes[sequence] = text_of(later) if kind == "timestamp" else first[sequence] + 1
    for field in contract.fields:
        name = field.name
        other = name not in contract.key and name != sequence and field.type in _CHANGEABLE
        if other and name in first and name in second and first[name] != second[name]:
            return {**changes, name: second[name]}
    return changes


def _without(values: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def gold_test(table: str, contract: Contract, by: Sequence[str], measures: Sequence[Measure]) -> str:
    """Returns a test of a gold table: three records in two slices, and the rows that they make."""
    records = _sliced(contract, by)
    first = records[0]
    others = [{n: v for n, v in record.items() if first.get(n) != v} for record in records[1:]]
    removed = [{n: None for n in first if n not in record} for record in records[1:]]
    changes = [{**changed, **gone} for changed, gone in zip(others, removed, strict=True)]
    calls = "".join(f"{_ROW}{call},\n" for call in ["record()", *(f"record({_arguments(c)})" for c in changes)])
    expected = _expected(contract, records, by, measures)
    return _module(
        contract,
        first,
        f"test_a_{'_'.join(by)}_adds_up(lake):\n"
        f"    upload(\n        lake,\n{calls}    )\n"
        f'    lake.run("+gold.{table}")\n'
        f'    assert_rows(lake, "gold.{table}", {_rows(expected)})\n',
        f"gold.{table}",
        changes[0],
    )


def _sliced(contract: Contract, by: Sequence[str]) -> list[dict[str, Any]]:
    """Three records, the first two in the same slice."""
    records = example_records(contract, 3)
    for source in (_source_of(contract, name) for name in by):
        if source in records[0]:
            records[1][source] = records[0][source]
    return records


def _source_of(contract: Contract, by: str) -> str:
    """The dataset's column that a column of the silver table comes from."""
    day = day_column(contract)
    return day[0] if day is not None and day[1] == by else by


def _expected(
    contract: Contract, records: Sequence[Mapping[str, Any]], by: Sequence[str], measures: Sequence[Measure]
) -> list[dict[str, Any]]:
    slices: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        slices.setdefault(tuple(_value_of(contract, record, name) for name in by), []).append(record)
    fields = {field.name: field for field in contract.fields}
    return [
        {
            **dict(zip(by, values, strict=True)),
            "row_count": len(rows),
            **{m.name: _sum(fields[m.source], [row.get(m.source) for row in rows]) for m in measures if m.sums},
        }
        for values, rows in slices.items()
    ]


def _value_of(contract: Contract, record: Mapping[str, Any], name: str) -> Any:
    """The value of a column of the silver table: of the day of a time, the date."""
    source = _source_of(contract, name)
    value = record.get(source)
    return value[:10] if source != name and value is not None else value


def _sum(field: Field, values: Sequence[Any]) -> Any:
    """The sum as SQL has it: null where every value is null."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    return str(sum(map(Decimal, present), Decimal())) if field.type == "decimal" else sum(present)


def _module(contract: Contract, first: Mapping[str, Any], test: str, table: str, other: Mapping[str, Any]) -> str:
    """The module with `test`, and a test that sends the first record and one with the values `other` in any order."""
    asserts = ["assert_rows"] if "assert_rows(" in test else []
    return (
        "import pytest\n\n"
        f"from headgate.testing import {', '.join(sorted([*_CHECKS, *asserts]))}\n\n\n"
        f'def record(**changes):\n    """A record of {contract.dataset}, with some values changed."""\n'
        f"    values = {_literal(dict(first), '    ')}\n"
        "    return {**values, **changes}\n\n\n"
        "def upload(lake, *records):\n"
        '    """Sends each record in an upload of its own."""\n'
        "    for values in records:\n"
        f'        lake.upload("{contract.dataset}", [values])\n\n\n'
        f"def {test}\n\n"
        f'@pytest.mark.parametrize("check", [{", ".join(_CHECKS)}])\n'
        "def test_the_rows_do_not_depend_on_order_or_repetition(lake, check):\n"
        f"    upload(lake, record(), record({_arguments(other)}))\n"
        f'    check(lake, "{table}")\n'
    )


def _arguments(values: Mapping[str, Any]) -> str:
    """Keyword arguments; several of them one per line."""
    if not all(name.isidentifier() and not keyword.iskeyword(name) for name in values):
        return f"**{_flat(values)}"
    items = [f"{name}={_flat(value)}" for name, value in values.items()]
    line = ", ".join(items)
    if len(line) <= _WIDTH:
        return line
    return "\n" + "".join(f"            {item},\n" for item in items) + "        "


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    texts = [_flat(row) if len(_flat(row)) <= _WIDTH else _literal(dict(row), _ROW) for row in rows]
    return "[\n" + "".join(f"{_ROW}{text},\n" for text in texts) + "    ]"


def _literal(value: Any, indent: str) -> str:
    """A value as Python source; a dict has one line per item."""
    if isinstance(value, dict):
        inner = indent + "    "
        lines = "".join(f"{inner}{json.dumps(n)}: {_literal(v, inner)},\n" for n, v in value.items())
        return "{\n" + lines + indent + "}"
    return _flat(value)


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)}: {_flat(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
