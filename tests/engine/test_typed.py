"""Typing by contract: the result of each value, and the same result by an independent reader for any record."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.contracts.contract import Contract, load_contract
from headgate.engine.read.typed_records import typed
from headgate.project import Project
from tests.engine import typed_reference

COLUMNS = """\
      - {name: text, logicalType: string, required: true}
      - {name: small, logicalType: integer, physicalType: int}
      - {name: whole, logicalType: integer}
      - {name: money, logicalType: number, physicalType: "decimal(12,2)"}
      - {name: exact, logicalType: number, physicalType: "decimal(38,18)"}
      - {name: widest, logicalType: number, physicalType: "decimal(38,2)"}
      - {name: rough, logicalType: number, physicalType: double}
      - {name: flag, logicalType: boolean}
      - {name: day, logicalType: date}
      - {name: at, logicalType: timestamp}
"""
NESTED = """\
      - {name: numbers, logicalType: array, items: {logicalType: integer}}
      - name: thing
        logicalType: object
        properties:
          - {name: name, logicalType: string, required: true}
          - {name: price, logicalType: number, physicalType: "decimal(5,1)"}
          - {name: day, logicalType: date}
      - name: lines
        logicalType: array
        items:
          logicalType: object
          properties:
            - {name: line, logicalType: integer, physicalType: int, required: true}
            - {name: price, logicalType: number, physicalType: "decimal(12,2)"}
            - {name: at, logicalType: timestamp}
            - {name: tags, logicalType: array, items: {logicalType: string}}
"""


def contract(folder: Path, format_: str, columns: str, evolution: str = "strict") -> Contract:
    path = folder / "conf" / "datasets" / "things.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "apiVersion: v3.1.0\nkind: DataContract\nid: things\nversion: 1.0.0\nteam: {name: Tests}\n"
        f"schema:\n  - name: things\n    properties:\n{columns}"
        f"customProperties:\n  - {{property: headgate.format, value: {format_}}}\n"
        f"  - {{property: headgate.evolution, value: {evolution}}}\n"
    )
    return load_contract(path, Project(folder))


def frame(spark: SparkSession, raws: Iterable[str]) -> DataFrame:
    """Bronze rows that hold `raws`; a record's ordinal is its place."""
    rows = [("u", datetime(2026, 3, 2, tzinfo=UTC), n, raw, None, None) for n, raw in enumerate(raws)]
    names = "upload string, received timestamp, record bigint, raw string, raw_encoding string, problem string"
    return spark.createDataFrame(rows, names).coalesce(2)


def judged(rows: DataFrame, by: Contract) -> list[dict[str, Any]]:
    """Each record's typed values, or its reasons, in the order of the records."""
    values = F.when(F.col("_rejected").isNull(), F.struct(*(field.name for field in by.fields))).alias("values")
    results = {}
    for row in rows.select("_source.record", "_rejected.reasons", values).collect():
        plain = row.asDict(recursive=True)
        reasons = [(r["column"], r["rule"], r["value"]) for r in plain["reasons"] or []]
        results[row["record"]] = {"rejected": reasons} if reasons else {"values": comparable(plain["values"])}
    return [results[record] for record in range(len(results))]


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC)  # Spark gives it in the machine's zone
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


# --- results of values

UTC_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONEY, EXACT = "type: decimal(12,2)", "type: decimal(38,18)"


class Refused(str):
    """The rule that a value breaks."""


EXAMPLES: list[tuple[str, str, Any]] = [
    ("whole", "9007199254740993", 9007199254740993),
    ("whole", "9223372036854775807", 2**63 - 1),
    ("whole", "9223372036854775808", Refused("type: bigint")),
    ("whole", '"9007199254740993"', 9007199254740993),
    ("whole", "9223372036854775807.0", 2**63 - 1),
    ("whole", "1.5", Refused("type: bigint")),
    ("whole", "1e999999999", Refused("type: bigint")),
    ("whole", "true", Refused("type: bigint")),
    ("small", "2147483647", 2147483647),
    ("small", "2147483648", Refused("type: int")),
    ("money", "12.34", Decimal("12.34")),
    ("money", '"12.34"', Decimal("12.34")),
    ("money", "12.3400", Decimal("12.34")),
    ("money", "12", Decimal("12.00")),
    ("money", "1e2", Decimal("100.00")),
    ("money", "9999999999.99", Decimal("9999999999.99")),
    ("money", "10000000000", Refused(MONEY)),
    ("money", "12.345", Refused(MONEY)),
    ("money", '"12.345"', Refused(MONEY)),
    ("money", "12.34000000000000000000001", Refused(MONEY)),
    ("money", "1e-20", Refused(MONEY)),
    ("money", "1e-999999999", Refused(MONEY)),
    ("money", "1" * 1001, Refused(MONEY)),
    ("money", '"1,50"', Refused(MONEY)),
    ("money", '"1,234.50"', Refused(MONEY)),
    ("money", '""', Refused(MONEY)),
    ("money", "[1]", Refused(MONEY)),
    ("widest", "123456789012345678901234567890123456.78", Decimal("123456789012345678901234567890123456.78")),
    ("widest", "12.345", Refused("type: decimal(38,2)")),
    ("widest", "1234567890123456789012345678901234567.25", Refused("type: decimal(38,2)")),
    ("exact", "0.123456789012345678", Decimal("0.123456789012345678")),
    ("exact", "12345678901234567890.123456789012345678", Decimal("12345678901234567890.123456789012345678")),
    ("exact", "0.1234567890123456789", Refused(EXACT)),
    ("exact", "12345678901234567890.1234567890123456", Decimal("12345678901234567890.1234567890123456")),
    ("rough", "0.1", 0.1),
    ("rough", '"0.1"', 0.1),
    ("rough", '"x"', Refused("type: double")),
    ("rough", '"NaN"', "NaN"),
    ("rough", '"-Infinity"', -math.inf),
    *(
        ("rough", f'"{text}"', Refused("type: double"))
        for text in ("12D", "3f", "0x1p4", "1e400", "inf", "-INF", "nan")
    ),
    ("rough", '"1e-400"', 0.0),
    *(
        (name, f'"{digits_}"', Refused(f"type: {kind}"))
        for digits_ in ("\u0661\u0662", "\uff11\uff12", "1\u0968")
        for name, kind in (("money", "decimal(12,2)"), ("whole", "bigint"), ("small", "int"), ("rough", "double"))
    ),
    ("flag", "true", True),
    ("flag", '"yes"', True),
    ("flag", "2", Refused("type: boolean")),
    ("day", '"2026-03-01"', date(2026, 3, 1)),
    ("day", '"2026-02-30"', Refused("type: date")),
    ("day", '"01.03.2026"', Refused("type: date")),
    ("day", "20260301", Refused("type: date")),
    ("day", "46082", Refused("type: date")),
    ("day", "9131", Refused("type: date")),
    ("day", '"9131"', date(9131, 1, 1)),
    ("day", '"2026-03"', date(2026, 3, 1)),
    ("day", '"20260301"', date(2026, 3, 1)),
    ("day", '"2026-03-01 10:00:00"', date(2026, 3, 1)),
    ("day", '"2026-03-01T23:30:00-05:00"', date(2026, 3, 1)),
    ("day", '"2026-03-01 to 2026-03-07"', Refused("type: date")),
    ("day", '"2026-03-01 (tbc)"', Refused("type: date")),
    ("day", '"2026-03-01T25:00:00"', Refused("type: date")),
    ("day", '"2026-03-01\\u0000"', Refused("type: date")),
    ("day", '"2026-3-1"', Refused("type: date")),
    ("day", '"+2026-03-01"', Refused("type: date")),
    ("day", '"0000-12-31"', Refused("type: date")),
    ("at", '"2026-03-01T12:00:00Z"', UTC_NOON),
    ("at", '"2026-03-01T14:00:00+02:00"', UTC_NOON),
    ("at", '"2026-03-01 12:00:00"', UTC_NOON),
    ("at", '"46082"', Refused("type: timestamp")),
    ("at", '"12:00:00"', Refused("type: timestamp")),
    ("at", '"T12:00"', Refused("type: timestamp")),
    ("at", '"2026-03-01T25:00:00Z"', Refused("type: timestamp")),
    ("at", "1772366400000", Refused("type: timestamp")),
    ("at", "9131", Refused("type: timestamp")),
    ("at", '"2026-03-01T12:00Z"', UTC_NOON),
    ("at", '"2026-03-01T12Z"', UTC_NOON),
    ("at", '"2026-03-01t13:00+01"', UTC_NOON),
    ("at", '"2026-03-01T13:00:00,000+0100"', UTC_NOON),
    ("at", '"2026-03-01 12:00:00.000 UTC"', UTC_NOON),
    ("at", '"2026-03-01 13:00:00 +01:00"', UTC_NOON),
    ("at", '"20260301T120000Z"', UTC_NOON),
    ("at", '"2026-03-01T12:00:00.0000009Z"', UTC_NOON),
    ("at", '"2026-03-01"', datetime(2026, 3, 1, tzinfo=UTC)),
    ("at", '"2026-03-29T02:30:00 Europe/Berlin"', Refused("type: timestamp")),
    ("at", '"2026-03-01T12:00:00 CST"', Refused("type: timestamp")),
    ("at", '"2026-03-01T12:00:00[UTC]"', Refused("type: timestamp")),
    ("at", '"2026-03-01T12:00:00+19:00"', Refused("type: timestamp")),
    ("at", '"2026-03-01T24:00:00Z"', Refused("type: timestamp")),
    ("at", '"2026-03-01T23:59:60Z"', Refused("type: timestamp")),
    ("at", '"9999-12-31T23:59:59Z"', datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ("at", '"9999-12-31T23:59:59-05:00"', Refused("type: timestamp")),
    ("at", '"0001-01-01T00:00:00+02:00"', Refused("type: timestamp")),
    ("text", '""', ""),
    ("text", "9223372036854775808", "9223372036854775808"),
    ("text", '{"a": [1]}', '{"a": [1]}'),
    ("text", "1.50", "1.50"),
    ("text", "null", Refused("required")),
    ("numbers", "[1, 9007199254740993]", [1, 9007199254740993]),
    ("numbers", "[]", []),
    ("numbers", "{}", Refused("type: array")),
    ("numbers", '"[1]"', Refused("type: array")),
    ("thing", '"{}"', Refused("type: object")),
    ("thing", "[]", Refused("type: object")),
    ("money", "null", None),
]


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return contract(tmp_path_factory.mktemp("json"), "jsonl", COLUMNS + NESTED)


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return contract(tmp_path_factory.mktemp("csv"), "csv", COLUMNS)


@pytest.fixture(scope="module")
def examples(spark: SparkSession, things: Contract) -> list[dict[str, Any]]:
    raws = [f'{{"text":"x","{name}":{text}}}' if name != "text" else f'{{"text":{text}}}' for name, text, _ in EXAMPLES]
    return judged(typed(frame(spark, raws), things), things)


@pytest.mark.parametrize("place", range(len(EXAMPLES)), ids=[f"{name} {text}" for name, text, _ in EXAMPLES])
def test_a_value_is_typed_exactly_or_its_record_is_rejected(examples, place):
    name, _, expected = EXAMPLES[place]
    if isinstance(expected, Refused):
        [(column, rule, value)] = examples[place]["rejected"]
        assert (column, rule) == (name, expected)
        assert (value is None) == (expected == "required")  # otherwise it shows the value as sent
    else:
        assert examples[place]["values"][name] == expected


def test_a_record_with_several_faults_lists_each_with_its_path(spark, things):
    record = {
        "small": "x",
        "day": "?",
        "numbers": [1, None, "y"],
        "thing": {"price": 1.25},
        "lines": [{"line": 1}, {"price": "z"}, None],
        "extra": 1,
        "else": 2,
    }
    [result] = judged(typed(frame(spark, [json.dumps(record)]), things), things)
    assert sorted(result["rejected"], key=str) == sorted(
        [
            ("text", "required", None),
            ("small", "type: int", "x"),
            ("day", "type: date", "?"),
            ("numbers[1]", "required", None),
            ("numbers[2]", "type: bigint", "y"),
            ("thing.name", "required", None),
            ("thing.price", "type: decimal(5,1)", "1.25"),
            ("lines[1].line", "required", None),
            ("lines[1].price", "type: decimal(12,2)", "z"),
            ("lines[2]", "required", None),
            ("extra", "unknown field", None),
            ("else", "unknown field", None),
        ],
        key=str,
    )


def test_an_unknown_field_passes_where_the_contract_takes_added_columns(spark, tmp_path):
    open_contract = contract(tmp_path, "jsonl", COLUMNS, "add_columns")
    [result] = judged(typed(frame(spark, ['{"text":"x","extra":1}']), open_contract), open_contract)
    assert result["values"]["text"] == "x"


def test_each_frame_is_read_by_its_own_contract(spark, tmp_path, things):
    bronze = frame(spark, ['{"text":"x","extra":1}'])
    lenient = contract(tmp_path, "jsonl", COLUMNS, "add_columns")
    by_strict, by_lenient = typed(bronze, things), typed(bronze, lenient)
    assert "rejected" in judged(by_strict, things)[0]
    assert "values" in judged(by_lenient, lenient)[0]


# --- any record


class Raw(str):
    """JSON text as it is: digits as they were written."""


def written(value: Any) -> str:
    """JSON text; an object is a list of pairs, so that a name can come twice."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, tuple):
        return "{" + ",".join(f"{json.dumps(name)}:{written(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


digits = st.text("0123456789", min_size=1, max_size=19)
signs = st.sampled_from(["", "", "", "-"])
integers = st.builds(lambda sign, number: Raw(str(int(sign + number))), signs, digits)
decimals = st.builds(
    lambda sign, whole, part, zeros: Raw(f"{sign}{int(whole)}.{part}{zeros}"),
    signs,
    st.text("0123456789", min_size=1, max_size=12),
    digits,
    st.sampled_from(["", "", "0", "000"]),
)
cents = st.integers(-(10**6), 10**6).map(lambda number: Raw(f"{number / 100:.2f}"))
edges = st.sampled_from(
    [
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "2147483648",
        "1e2",
        "1.5E3",
        "12.34",
        "12.340",
        "12.345",
        "0.005",
        "0.1",
        "9999999999.99",
        "9999999999.995",
        "99999999999",
        "1234567890123456789012345678901234567.8",
        "123456789012345678901234567890123456.78",
        "1e300",
        "4.0",
    ]
).map(Raw)
numbers = integers | decimals | cents | edges
as_text = numbers.map(str) | st.sampled_from(
    [
        "",
        " ",
        " 12 ",
        "+1",
        ".5",
        "5.",
        "1,50",
        "1,234.5",
        "1.5f",
        "0x10",
        "NaN",
        "Infinity",
        "-INF",
        "1e2",
        "true",
        "yes",
        "T",
        "0",
        "null",
        "[1]",
        '{"name":"x"}',
    ]
)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
forms = st.sampled_from(
    [
        "%Y-%m-%d",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y-%m-%dT%H:%M+02:00",
        "%Y-%m-%dT%H:%M:%S",
        "%d.%m.%Y",
        "%Y%m%d",
        "%Y-%m",
        "%H:%M:%S",
        "T%H:%M",
        "%Y-%m-%dT%H:%M:%S[Europe/Berlin]",
        "%Y-%m-%dx",
        " %Y-%m-%d ",
    ]
)
odd_times = ["2026-02-30", "now", "today", "epoch", "12026-01-01", "2026-3-1", "2026-03-01T24:00:00Z"]
times = st.builds(lambda moment, form: moment.strftime(form), moments, forms) | st.sampled_from(odd_times)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
anything = (
    st.none()
    | st.booleans()
    | numbers
    | as_text
    | times
    | words
    | st.sampled_from([[], (), [[]], [()], [None], [Raw("1")], [[Raw("1")]], (("name", "x"),), (("line", Raw("1")),)])
)
# Values of a string field: no fractions and no objects, which the reference formats in another way.
wordlike = words | st.booleans() | st.none() | integers | st.sampled_from([[Raw("1")], "", "x"])


def record_of(good: dict[str, st.SearchStrategy], *needed: str) -> st.SearchStrategy:
    """An object as pairs: values that fit, and half of them with a field that is invalid or duplicate."""
    fitting = st.fixed_dictionaries(
        {name: good[name] for name in needed}, optional={name: good[name] for name in good if name not in needed}
    )
    names = st.sampled_from(sorted(good))
    odds = {name: wordlike if name in ("text", "name") else anything | as_text for name in good}
    if "flag" in good:
        odds["flag"] = wordlike | as_text | times  # a number with a fraction is none: the reference drops its zeros
    odd = names.flatmap(lambda name: st.tuples(st.just(name), odds[name]))
    again = st.one_of(odd, names.flatmap(lambda name: st.tuples(st.just(name), good[name])))
    plain = fitting.map(lambda result: tuple(result.items()))
    with_odd = st.builds(lambda result, pair: tuple((result | dict([pair])).items()), fitting, odd)
    return plain | plain | with_odd | st.builds(lambda result, pair: (*result, pair), plain, again)


fitting_times = moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
fitting = {
    "small": st.integers(-9, 2**31 - 1),
    "whole": integers,
    "money": cents,
    "exact": cents,
    "widest": cents | integers,
    "rough": decimals | integers,
    "flag": st.booleans(),
    "day": fitting_times,
    "at": fitting_times,
}
line = record_of(
    {"line": st.integers(1, 9), "price": cents, "at": fitting_times, "tags": st.lists(words, max_size=2)}, "line"
)
thing = record_of({"name": wordlike, "price": st.integers(-99, 99), "day": fitting_times}, "name")
nested = {"numbers": st.lists(integers, max_size=3), "thing": thing, "lines": st.lists(line, max_size=3)}
json_records = record_of({"text": words, **fitting}, "text") | record_of({"text": words, **nested}, "text")
csv_values = st.fixed_dictionaries(
    {"text": st.just("x")}, optional={name: numbers.map(str) | as_text.filter(len) | times for name in fitting}
)


def made(strategy: st.SearchStrategy, count: int) -> list[Any]:
    """`count` examples in a single frame: a Spark job for each would take minutes."""
    results: list[Any] = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(example: Any) -> None:
        results.append(example)

    keep()
    return results


def without_values(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records without the rejected values: the reference compares columns and rules."""
    return [{"rejected": [why[:2] for why in r["rejected"]]} if "rejected" in r else r for r in records]


def assert_same(spark: SparkSession, raws: list[str], by: Contract) -> None:
    actual = without_values(judged(typed(frame(spark, raws), by), by))
    expected = [typed_reference.read(raw, by) for raw in raws]
    differing = [(raw, a, e) for raw, a, e in zip(raws, actual, expected, strict=True) if a != e]
    assert differing == []
    rejected = sum("rejected" in record for record in actual)
    assert len(raws) / 20 < rejected < len(raws) * 19 / 20, (
        "only accepted or only rejected records: the comparison is weak"
    )


@pytest.mark.long
def test_any_json_is_read_as_the_reference_reads_it(spark, things):
    assert_same(spark, [written(item) for item in made(json_records, 2000)], things)


@pytest.mark.long
def test_any_row_of_a_csv_is_read_as_the_reference_reads_it(spark, flat):
    assert_same(spark, [json.dumps(item) for item in made(csv_values, 1000)], flat)
