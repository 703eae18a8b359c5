"""GX is the authority: the same rows and suites to GX's own validator and to the gate give the same.

Compares success, counts and failing rows, for every supported expectation, over nulls, NaN,
empty frames, empty strings, unicode, decimals, dates, zoned timestamps, nested fields, row conditions,
`ignore_row_if` and `mostly`.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from headgate.engine.gate.rules import judge_batch, rules_of
from headgate.project import Project
from headgate.suites.quality import Result
from headgate.suites.suite import Suite, load_suites
from headgate.suites.suite_document import known

pytestmark = pytest.mark.long

SCHEMA = """
    id int, quantity int, big bigint, price double, amount decimal(12,2), kind string, note string, day date,
    sold_at timestamp, day_text string, address struct<city: string, zip: int>, a int, b int, c int, flag boolean
"""
NAN, INF = math.nan, math.inf
UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=9))


def _day(day: int) -> datetime.date:
    return datetime.date(2026, 1, day)


def _at(day: int, hour: int = 12, zone: datetime.tzinfo = UTC) -> datetime.datetime:
    return datetime.datetime(2026, 1, day, hour, tzinfo=zone)


MIXED = [
    (1, 1, 1, 1.0, Decimal("1.00"), "a", '{"n": 1}', _day(1), _at(1), "2026-01-01", ("Oslo", 1), 1, 1, 1, True),
    (2, 2, 2**53 + 1, 2.5, Decimal("2.50"), "b", '{"n": "x"}', _day(2), _at(2), "2026-1-2", ("Rom", 2), 1, 2, 3, False),
    (3, 3, -(2**62), NAN, Decimal("0.10"), "", "[]", _day(3), _at(3, 0), "", ("", 3), 2, 1, 3, None),
    (4, 4, 0, INF, Decimal("-0.01"), "ä", "{broken", _day(4), _at(4, 23), "04.01.2026", (None, 4), None, 1, 2, True),
    (5, 5, None, -INF, Decimal("99.99"), "日本", "", _day(5), _at(5, 8, EAST), "2026-02-30", None, 1, None, 2, True),
    (6, None, 7, None, None, None, None, None, None, None, None, None, None, None, None),
    (7, 100, 7, 0.0, Decimal("0.00"), "A", "1", _day(7), _at(7), "2026-01-07", ("Oslo", 1), None, None, 3, False),
    (8, -1, 7, -0.0, Decimal("3.33"), "a b", "null", _day(8), _at(8), " 2026-01-08", ("oslo", 9), 3, 3, 0, False),
    (9, 1, 9, 1e308, Decimal("100.00"), "it's", '{"n": 1.5}', _day(9), _at(9), "2026-01-09", ("Å", 0), 0, 0, 0, True),
    (10, 0, 10, 1e-9, Decimal("1.00"), '"', '"text"', _day(10), _at(10), "2026-01-10", ("x.y", 10), -5, 5, 0, None),
]
NULLS = [(1, *[None] * 14), (2, *[None] * 14)]
FRAMES = {"mixed": MIXED, "empty": [], "nulls": NULLS}


def _compared(column: str, operator: str, parameter: Any) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


CONDITIONS: dict[str, dict[str, Any]] = {
    "spark text": {"row_condition": "quantity > 2 AND kind <> ''", "condition_parser": "spark"},
    "text alone": {"row_condition": "address.zip = 1"},
    "gx text": {"row_condition": 'col("quantity") >= 3', "condition_parser": "great_expectations"},
    "gx text on text": {"row_condition": 'col("kind") == "a"', "condition_parser": "great_expectations"},
    "gx not null": {"row_condition": 'col("kind").notnull()', "condition_parser": "great_expectations__experimental__"},
    "comparison": {"row_condition": _compared("quantity", "<=", 3)},
    "comparison with text": {"row_condition": _compared("kind", "!=", "ä")},
    "comparison with a quote": {"row_condition": _compared("kind", "==", "it's")},
    "in": {"row_condition": _compared("kind", "IN", ["a", "b", ""])},
    "not in": {"row_condition": _compared("quantity", "NOT_IN", [1, 2])},
    "nested": {"row_condition": _compared("address.city", "==", "Oslo")},
    "null": {"row_condition": {"type": "nullity", "column": {"name": "flag"}, "is_null": True}},
    "and": {"row_condition": {"type": "and", "conditions": [_compared("a", ">", 0), _compared("b", ">", 0)]}},
    "or": {"row_condition": {"type": "or", "conditions": [_compared("a", ">", 0), _compared("kind", "==", "")]}},
    "pass through": {"row_condition": {"type": "pass_through", "pass_through_filter": "flag"}},
}

BETWEEN = "expect_column_values_to_be_between"
IN_SET, NOT_IN_SET = "expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set"
NULL, NOT_NULL = "expect_column_values_to_be_null", "expect_column_values_to_not_be_null"
LENGTHS = "expect_column_value_lengths_to_be_between"
REGEX, REGEX_LIST = "expect_column_values_to_match_regex", "expect_column_values_to_match_regex_list"
PAIR_EQUAL = "expect_column_pair_values_to_be_equal"
PAIR_GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
PAIR_IN_SET = "expect_column_pair_values_to_be_in_set"
SUM, WITHIN = "expect_multicolumn_sum_to_equal", "expect_select_column_values_to_be_unique_within_record"
ALL_EQUAL = "expect_multicolumn_values_to_be_equal"
AB = {"column_A": "a", "column_B": "b"}
ABC = {"column_list": ["a", "b", "c"]}
PAIR_RULES = ("both_values_are_missing", "either_value_is_missing", "neither")
MANY_RULES = ("all_values_are_missing", "any_value_is_missing", "never")

Case = tuple[str, dict[str, Any]]


def _rows() -> Iterator[Case]:
    """Every row expectation, with varied arguments."""
    yield BETWEEN, {"column": "quantity", "min_value": 1, "max_value": 5}
    yield BETWEEN, {"column": "quantity", "min_value": 1, "max_value": 5, "strict_min": True, "strict_max": True}
    yield BETWEEN, {"column": "quantity", "max_value": 5}
    yield BETWEEN, {"column": "quantity", "min_value": 1, "strict_min": True}
    yield BETWEEN, {"column": "big", "min_value": 0, "max_value": 2**53}
    yield BETWEEN, {"column": "price", "min_value": 0, "max_value": 10}
    yield BETWEEN, {"column": "price", "min_value": 0}
    yield BETWEEN, {"column": "price", "max_value": 10}
    yield BETWEEN, {"column": "amount", "min_value": 0.1, "max_value": 99.99}
    yield BETWEEN, {"column": "amount", "min_value": 0}
    yield BETWEEN, {"column": "day", "min_value": "2026-01-02", "max_value": "2026-01-07"}
    yield BETWEEN, {"column": "sold_at", "min_value": "2026-01-02T00:00:00", "max_value": "2026-01-04T23:00:00"}
    yield BETWEEN, {"column": "sold_at", "min_value": "2026-01-05T08:00:00+09:00"}
    yield BETWEEN, {"column": "address.zip", "min_value": 1, "max_value": 3}
    for mostly in (0, 0.5, 0.777, 0.778, 1):
        yield BETWEEN, {"column": "quantity", "min_value": 1, "max_value": 5, "mostly": mostly}
    for condition in CONDITIONS.values():
        yield BETWEEN, {"column": "quantity", "min_value": 2, **condition}
    yield NULL, {"column": "kind", **CONDITIONS["or"]}
    yield NOT_NULL, {"column": "kind"}
    yield NOT_NULL, {"column": "kind", "mostly": 0.9}
    yield NOT_NULL, {"column": "price"}
    yield NOT_NULL, {"column": "address"}
    yield NOT_NULL, {"column": "address.city", "mostly": 0.7}
    yield NOT_NULL, {"column": "kind", "row_condition": "quantity > 0", "condition_parser": "spark"}
    yield NULL, {"column": "kind"}
    yield NULL, {"column": "address.city", "mostly": 0.2}
    yield IN_SET, {"column": "kind", "value_set": ["a", "b", ""]}
    yield IN_SET, {"column": "kind", "value_set": ["ä", "日本", "it's", '"'], "mostly": 0.4}
    yield IN_SET, {"column": "quantity", "value_set": [1, 2, 3]}
    yield IN_SET, {"column": "amount", "value_set": [1, 2.5]}
    yield IN_SET, {"column": "flag", "value_set": [True]}
    yield IN_SET, {"column": "address.city", "value_set": ["Oslo"]}
    yield NOT_IN_SET, {"column": "kind", "value_set": ["a", ""]}
    yield NOT_IN_SET, {"column": "quantity", "value_set": [1, 100], "row_condition": _compared("id", ">", 2)}
    yield LENGTHS, {"column": "kind", "min_value": 1, "max_value": 2}
    yield LENGTHS, {"column": "kind", "min_value": 1, "strict_min": True}
    yield LENGTHS, {"column": "kind", "max_value": 2}
    yield "expect_column_value_lengths_to_equal", {"column": "kind", "value": 1}
    yield REGEX, {"column": "kind", "regex": "^[a-z]$"}
    yield REGEX, {"column": "kind", "regex": "\\S'\\S|^\"$|日"}
    yield "expect_column_values_to_not_match_regex", {"column": "kind", "regex": "[ä日]"}
    yield REGEX_LIST, {"column": "kind", "regex_list": ["^a", "b$"]}
    yield REGEX_LIST, {"column": "kind", "regex_list": ["^a", "b$"], "match_on": "all"}
    yield "expect_column_values_to_not_match_regex_list", {"column": "kind", "regex_list": ["^a", "ä"]}
    yield "expect_column_values_to_match_strftime_format", {"column": "day_text", "strftime_format": "%Y-%m-%d"}
    yield "expect_column_values_to_be_json_parseable", {"column": "note"}
    for rule in PAIR_RULES:
        yield PAIR_EQUAL, {**AB, "ignore_row_if": rule}
        yield PAIR_GREATER, {**AB, "ignore_row_if": rule}
        yield PAIR_GREATER, {**AB, "or_equal": True, "ignore_row_if": rule, "mostly": 0.5}
        yield PAIR_IN_SET, {**AB, "value_pairs_set": [[1, 1], [1, None], [3, 3]], "ignore_row_if": rule}
        yield PAIR_EQUAL, {**AB, "ignore_row_if": rule, "row_condition": "id < 8", "condition_parser": "spark"}
    yield PAIR_EQUAL, AB
    yield PAIR_GREATER, {"column_A": "day", "column_B": "sold_at"}
    for rule in MANY_RULES:
        yield SUM, {**ABC, "sum_total": 5, "ignore_row_if": rule}
        yield WITHIN, {**ABC, "ignore_row_if": rule, "mostly": 0.2}
        yield ALL_EQUAL, {**ABC, "ignore_row_if": rule}
        yield SUM, {**ABC, "sum_total": 3, "ignore_row_if": rule, "row_condition": _compared("id", ">", 3)}
    yield SUM, {**ABC, "sum_total": 3}
    yield WITHIN, ABC
    yield ALL_EQUAL, ABC


def _range(kind: str, least: Any, most: Any, **extra: Any) -> Case:
    return f"expect_column_{kind}_to_be_between", {"min_value": least, "max_value": most, **extra}


def _batches() -> Iterator[Case]:
    """Every batch expectation, passing and failing."""
    some = {"row_condition": "quantity > 1", "condition_parser": "spark"}
    of_two = {"row_condition": "kind IN ('a', 'b')", "condition_parser": "spark"}
    for column, value in (("quantity", 3), ("amount", 50), ("big", 10)):
        for kind in ("max", "min", "mean", "median", "sum", "stdev"):
            yield _range(kind, None, value, column=column)
    yield _range("max", "2026-01-01", "2026-01-31", column="day")
    yield _range("min", "2026-01-01T00:00:00", None, column="sold_at")
    yield _range("sum", 0, 10, column="quantity", **some)
    yield _range("max", 0, 5, column="quantity", row_condition=_compared("kind", "==", "a"))
    yield _range("max", 0, 10, column="address.zip")
    yield _range("max", 0, 10, column="price")
    yield _range("unique_value_count", 1, 3, column="kind")
    yield _range("proportion_of_unique_values", 0.5, 1, column="kind")
    yield _range("proportion_of_non_null_values", 0.95, 1, column="kind", **some)
    for kind in ("be_in_set", "contain_set", "equal_set"):
        yield f"expect_column_distinct_values_to_{kind}", {"column": "kind", "value_set": ["a", "b"]}
        yield f"expect_column_distinct_values_to_{kind}", {"column": "flag", "value_set": [True, False]}
    yield "expect_column_most_common_value_to_be_in_set", {"column": "big", "value_set": [7]}
    ranges = {"quantiles": [0.25, 0.5], "value_ranges": [[0, 2], [None, 1]]}
    yield "expect_column_quantile_values_to_be_between", {"column": "quantity", "quantile_ranges": ranges}
    shares = {"values": ["a", "b"], "weights": [0.5, 0.5]}
    divergence = {"column": "kind", "partition_object": shares, "threshold": 0.1}
    yield "expect_column_kl_divergence_to_be_less_than", {**divergence, **of_two}
    for column in ("kind", "quantity", "price", "address.zip"):
        yield "expect_column_values_to_be_unique", {"column": column}
    yield "expect_column_values_to_be_unique", {"column": "big", "mostly": 0.5}
    yield "expect_column_values_to_be_unique", {"column": "big", **some}
    for rule in MANY_RULES:
        yield "expect_compound_columns_to_be_unique", {"column_list": ["a", "b"], "ignore_row_if": rule}
    yield "expect_compound_columns_to_be_unique", {"column_list": ["kind", "day"], "mostly": 0.9, **some}
    yield "expect_column_value_z_scores_to_be_less_than", {"column": "quantity", "threshold": 1.5, "double_sided": True}
    yield "expect_column_values_to_not_be_outliers", {"column": "quantity", "method": "std", "multiplier": 1}
    yield "expect_column_values_to_not_be_outliers", {"column": "quantity", "mostly": 0.5}
    numbered = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    only = {"row_condition": "id IN (1, 2, 9)", "condition_parser": "spark"}
    yield "expect_column_values_to_match_json_schema", {"column": "note", "json_schema": numbered, **only}
    yield "expect_column_to_exist", {"column": "kind"}
    yield "expect_column_to_exist", {"column": "nothing"}
    yield "expect_column_type_to_be", {"column": "kind", "type_": "StringType"}
    yield "expect_column_values_to_be_of_type", {"column": "amount", "type_": "DoubleType"}
    yield "expect_column_values_to_be_in_type_list", {"column": "day", "type_list": ["DateType", "StringType"]}
    yield "expect_table_column_count_to_equal", {"value": 15}
    yield "expect_table_column_count_to_be_between", {"min_value": 1, "max_value": 3}
    yield "expect_table_columns_to_match_set", {"column_set": ["id", "kind"], "exact_match": False}
    yield "expect_table_columns_to_match_ordered_list", {"column_list": ["id", "kind"]}
    yield "expect_table_row_count_to_equal", {"value": 10}
    yield "expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 5, **some}
    for result in ("WHERE quantity < 1", "GROUP BY kind HAVING COUNT(*) > 9"):
        yield "unexpected_rows_expectation", {"unexpected_rows_query": f"SELECT FIRST(kind) FROM {{batch}} {result}"}


ROW_CASES, BATCH_CASES = list(_rows()), list(_batches())


def _named(cases: list[Case], prefix: str) -> list[dict[str, Any]]:
    """The expectations as a file has them, each with a name of its own."""
    return [
        {"type": kind, "kwargs": kwargs, "meta": {"headgate": {"name": f"{prefix}{index} {kind}"}}}
        for index, (kind, kwargs) in enumerate(cases)
    ]


FILE = {"name": "silver.cases", "expectations": _named(ROW_CASES, "row ") + _named(BATCH_CASES, "batch ")}
NAMES = [expectation["meta"]["headgate"]["name"] for expectation in FILE["expectations"]]
#: The first case of each type, for frames that have little to compare.
FIRST = [names[0] for names in ([n for n in NAMES if n.endswith(f" {k}")] for k in known()) if names]
CASES = [("mixed", name) for name in NAMES] + [(frame, name) for frame in ("empty", "nulls") for name in FIRST]


#: Those of which GX lists the rows that fail: it takes a job more for each.
LISTED = {name for name in [*FIRST, *NAMES[::4]] if name.startswith("row")}


def _asked(names: set[str]) -> list[dict[str, Any]]:
    return [item for item in json.loads(json.dumps(FILE["expectations"])) if item["meta"]["headgate"]["name"] in names]


@dataclass(frozen=True)
class Verdict:
    """The compared result of an expectation on a frame."""

    success: bool
    judged: int | None
    unexpected: int | None
    observed: str | None = None
    rows: tuple[int, ...] | None = None


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    root = tmp_path_factory.mktemp("project")
    for folder in ("conf/expectations/silver", "jobs/silver"):
        (root / folder).mkdir(parents=True)
    (root / "jobs/silver/cases.py").write_text("")
    (root / "conf/expectations/silver/cases.json").write_text(json.dumps(FILE))
    return load_suites(Project(root))["silver.cases"]


@pytest.fixture(scope="module")
def frames(spark: SparkSession) -> dict[str, DataFrame]:
    return {name: spark.createDataFrame(rows, SCHEMA).coalesce(1).cache() for name, rows in FRAMES.items()}


# --- GX's own validator


@pytest.fixture(scope="module")
def by_gx(frames: dict[str, DataFrame]) -> dict[str, dict[str, Verdict | str]]:
    """What GX says, by frame and name: text where it raised."""
    return {name: _validated(name, frame) for name, frame in frames.items()}


def _validated(name: str, frame: DataFrame) -> dict[str, Verdict | str]:
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_spark(name, persist=False).add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe(name).get_batch({"dataframe": frame})
    listing = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
    wanted = {case for frame_name, case in CASES if frame_name == name}
    listed = LISTED if name == "mixed" else set()
    results = {}
    for names, shown in ((listed, listing), (wanted - listed, "BASIC")):
        requested = gx.ExpectationSuite(name=name, expectations=_asked(names))
        for result in batch.validate(requested, result_format=shown).results:
            results[result.expectation_config.meta["headgate"]["name"]] = _verdict(result)
    return results


def _verdict(answer: Any) -> Verdict | str:
    info = answer.exception_info
    if info.get("raised_exception", True) is not False:
        return str(info.get("exception_message") or info)
    result = answer.result
    counted, unexpected = result.get("element_count"), result.get("unexpected_count")
    if answer.expectation_config.type == "unexpected_rows_expectation":
        unexpected = result["observed_value"]
    judged = None if counted is None else counted - (result.get("missing_count") or 0)
    index = result.get("unexpected_index_list")
    rows = None if index is None else tuple(sorted(row["id"] for row in index))
    if unexpected is None and counted is not None:
        unexpected = 0
    observed = result.get("observed_value")
    return Verdict(bool(answer.success), judged, unexpected, None if observed is None else _text(observed), rows)


def _text(observed: Any) -> str:
    plain = isinstance(observed, str | Decimal | datetime.date)
    text = str(observed) if plain else json.dumps(observed, ensure_ascii=False, default=str)
    return text[:200]


# --- the gate's


@pytest.fixture(scope="module")
def by_us(suite: Suite, frames: dict[str, DataFrame], by_gx: dict[str, dict[str, Verdict | str]]) -> dict[str, Any]:
    """The results of the gate, by frame and name, without expectations that GX cannot evaluate."""
    rules = rules_of(suite, frames["mixed"].limit(0), None)
    result = {}
    for name, frame in frames.items():
        columns = [column.alias(f"j{i}") for i, column in enumerate(rule.judged for rule in rules)]
        columns += [column.alias(f"f{i}") for i, column in enumerate(rule.failing for rule in rules)]
        marked = frame.select("id", *columns).collect()
        row_verdicts = {rule.name: _of_rows(suite, rule.name, i, marked) for i, rule in enumerate(rules)}
        judged = [e for e in suite.batches if isinstance(by_gx[name].get(e.name), Verdict)]
        results = judge_batch(replace(suite, expectations=tuple(judged)), frame, {})
        result[name] = row_verdicts | {r.expectation: _of_result(r) for r in results}
    return result


def _of_rows(suite: Suite, name: str, index: int, marked: list[Row]) -> Verdict:
    mostly = next(e.mostly for e in suite.rows if e.name == name)
    judged = sum(row[f"j{index}"] for row in marked)
    failing = tuple(sorted(row["id"] for row in marked if row[f"f{index}"]))
    success = judged == 0 or (judged - len(failing)) / judged >= mostly
    return Verdict(success, judged, len(failing), None, failing)


def _of_result(result: Result) -> Verdict:
    return Verdict(result.success, result.judged, result.unexpected, result.observed)


@pytest.mark.parametrize(("frame", "name"), CASES)
def test_gx_and_the_gate_find_the_same(by_gx, by_us, frame, name):
    theirs = by_gx[frame][name]
    assert isinstance(theirs, Verdict), theirs
    ours = by_us[frame][name]
    if theirs.rows is None:  # not listed, or none fails
        ours = replace(ours, rows=None)
    assert ours == theirs


def test_every_expectation_that_is_accepted_is_compared():
    accepted = {kind: {name for name, entry in known().items() if entry["kind"] == kind} for kind in ("row", "batch")}
    assert {kind for kind, _ in ROW_CASES} == accepted["row"]
    assert {kind for kind, _ in BATCH_CASES} == accepted["batch"]


def test_the_cases_pass_and_fail(by_gx):
    """A comparison of cases that all pass would say little."""
    verdicts = [verdict for verdict in by_gx["mixed"].values() if isinstance(verdict, Verdict)]
    assert sum(not verdict.success for verdict in verdicts) > len(verdicts) / 3
    assert sum(verdict.success for verdict in verdicts) > len(verdicts) / 4
    assert sum(verdict.rows is not None for verdict in verdicts) > len(LISTED) / 2
