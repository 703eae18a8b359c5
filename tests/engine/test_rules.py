"""Rules on Spark: columns and results of a suite, the cache of the columns, and refusals before data is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from pyspark.sql import DataFrame, SparkSession

from headgate.engine.gate import rules
from headgate.engine.gate.rules import judge_batch, rules_of
from headgate.errors import SetupError, SuiteError
from headgate.project import Project
from headgate.suites.suite import Suite, load_suites

pytestmark = pytest.mark.long

BETWEEN = "expect_column_values_to_be_between"
UNIQUE = "expect_column_values_to_be_unique"
COUNT = "expect_table_row_count_to_be_between"
JSON = "expect_column_values_to_be_json_parseable"

MakeSuite = Callable[..., Suite]


def entry(kind: str, headgate: dict | None = None, **kwargs) -> dict:
    return {"type": kind, "kwargs": kwargs, "meta": {"headgate": headgate or {}}}


@pytest.fixture
def suite_of(tmp_path) -> MakeSuite:
    """Makes the suite of silver.sales from expectations as a file has them."""
    for folder in ("conf/expectations/silver", "jobs/silver", "jobs/gold"):
        (tmp_path / folder).mkdir(parents=True)
    for table in ("silver/sales", "silver/stores"):
        (tmp_path / f"jobs/{table}.py").write_text("")

    def make(*expectations: dict) -> Suite:
        text = json.dumps({"name": "silver.sales", "expectations": expectations})
        (tmp_path / "conf/expectations/silver/sales.json").write_text(text)
        return load_suites(Project(tmp_path))["silver.sales"]

    return make


@pytest.fixture(scope="module")
def sales(spark: SparkSession) -> DataFrame:
    """Five sales: quantities 1, 1, null, -2 and 7, of the stores a, b, b, c and null."""
    rows = [(1, 1, "a"), (2, 1, "b"), (3, None, "b"), (4, -2, "c"), (5, 7, None)]
    return spark.createDataFrame(rows, "id int, quantity int, store string").cache()


def failing(rule_list: list[rules.Rule], frame: DataFrame) -> dict[str, list[int]]:
    """The ids of the rows that fail, by rule."""
    marked = frame.select("id", *(rule.failing.alias(rule.name) for rule in rule_list)).collect()
    return {rule.name: [row["id"] for row in marked if row[rule.name]] for rule in rule_list}


# --- rows


def test_a_row_expectation_is_two_columns_that_are_never_null(sales, suite_of):
    suite = suite_of(entry(BETWEEN, column="quantity", min_value=0))
    (rule,) = rules_of(suite, sales, None)
    assert (rule.name, rule.columns) == (f"{BETWEEN}(quantity)", ("quantity",))
    marks = sales.orderBy("id").select(rule.judged.alias("judged"), rule.failing.alias("failing")).collect()
    assert [row["judged"] for row in marks] == [True, True, False, True, True]
    assert [row["failing"] for row in marks] == [False, False, False, True, False]


def test_rules_keep_the_order_of_the_suite_without_batch_expectations(sales, suite_of):
    suite = suite_of(
        entry(BETWEEN, column="id", min_value=0),
        entry(UNIQUE, column="id"),
        entry(BETWEEN, {"scope": "table"}, column="quantity", min_value=0),
        entry(BETWEEN, column="quantity", max_value=5),
    )
    assert [rule.columns for rule in rules_of(suite, sales, None)] == [("id",), ("quantity",)]


def test_a_suite_without_row_expectations_opens_no_frame(sales, suite_of, monkeypatch):
    monkeypatch.setattr(rules, "GxFrame", None)
    assert rules_of(suite_of(entry(UNIQUE, column="id")), sales, None) == []


def test_rules_look_at_no_row(sales, suite_of):
    poisoned = sales.selectExpr("id", "quantity", "raise_error('looked at') AS store")
    suite = suite_of(entry(BETWEEN, column="quantity", min_value=0), entry(JSON, column="store"))
    assert len(rules_of(suite, poisoned.selectExpr("id", "quantity", "CAST(store AS string) AS store"), None)) == 2


# --- the cache


@pytest.fixture
def cached(sales, suite_of, tmp_path) -> tuple[Suite, Path]:
    """A suite whose rules were made, and the folder that keeps them."""
    cache = tmp_path / ".headgate"
    suite = suite_of(
        entry(BETWEEN, column="quantity", min_value=0, row_condition="store <> 'it''s'", condition_parser="spark"),
        entry("expect_column_values_to_be_in_set", column="store", value_set=["a", "it's", 'ä"']),
    )
    rules_of(suite, sales, cache)
    return suite, cache


def test_a_warm_cache_gives_the_same_rules_without_gx(sales, cached, monkeypatch):
    suite, cache = cached
    fresh = failing(rules_of(suite, sales, None), sales)
    monkeypatch.setattr(rules, "GxFrame", None)
    assert failing(rules_of(suite, sales, cache), sales) == fresh
    assert list(fresh.values()) == [[4], [2, 3, 4]]


def opened(monkeypatch) -> list[DataFrame]:
    """The frames that are passed to GX from now on."""
    frames: list[DataFrame] = []
    gx_frame = rules.GxFrame
    monkeypatch.setattr(rules, "GxFrame", lambda frame: frames.append(frame) or gx_frame(frame))
    return frames


def test_gx_is_called_again_if_the_suite_changed(sales, cached, suite_of, monkeypatch):
    requested = opened(monkeypatch)
    rules_of(suite_of(entry(BETWEEN, column="quantity", min_value=1)), sales, cached[1])
    assert len(requested) == 1


def test_gx_is_imported_ahead_only_where_the_rules_of_a_suite_are_not_kept(cached, suite_of, monkeypatch):
    suite, cache = cached
    begun = Event()
    monkeypatch.setattr(rules, "import_gx", begun.set)
    rules.import_ahead([suite], cache)
    assert not begun.wait(0.2)
    rules.import_ahead([suite, suite_of(entry(BETWEEN, column="quantity", min_value=1))], cache)
    assert begun.wait(10)


def test_a_run_with_suites_without_gx_says_how_to_install_it(cached, monkeypatch):
    monkeypatch.setattr("headgate.installed.find_spec", lambda _: None)
    rules.import_ahead([], cached[1])
    with pytest.raises(SetupError, match="the suites of this run: great_expectations is not installed"):
        rules.import_ahead([cached[0]], cached[1])


def test_gx_is_called_again_if_a_column_has_another_type(sales, cached, monkeypatch):
    requested = opened(monkeypatch)
    rules_of(cached[0], sales.selectExpr("id", "CAST(quantity AS bigint) AS quantity", "store"), cached[1])
    assert len(requested) == 1


def test_rules_without_sql_are_not_cached(sales, suite_of, tmp_path, monkeypatch):
    suite = suite_of(entry(JSON, column="store"), entry(BETWEEN, column="quantity", min_value=0))
    rules_of(suite, sales, tmp_path)
    requested = opened(monkeypatch)
    result = rules_of(suite, sales, tmp_path)
    assert len(requested) == 1
    assert failing(result, sales) == {f"{JSON}(store)": [1, 2, 3, 4], f"{BETWEEN}(quantity)": [4]}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}', '{"rules": {"a": 1}}'])
def test_a_broken_cache_costs_time_only(sales, cached, content):
    suite, cache = cached
    (cache / "rules" / "silver.sales.json").write_text(content)
    assert len(rules_of(suite, sales, cache)) == 2


def test_a_cache_that_cannot_be_written_costs_time_only(sales, cached, tmp_path):
    (tmp_path / "file").write_text("")
    assert len(rules_of(cached[0], sales, tmp_path / "file")) == 2


# --- refusals before data is read


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (entry(BETWEEN, column="store", min_value=0), "store"),
        (entry(BETWEEN, column="quantity", min_value=0, row_condition="stor = 'a'"), "stor"),
        (entry(BETWEEN, column="quantity", min_value=0, row_condition="store ="), "Syntax error"),
        (
            entry(
                BETWEEN, column="id", min_value=0, row_condition='col("store")', condition_parser="great_expectations"
            ),
            "unable to parse",
        ),
        (entry("expect_column_values_to_match_regex", column="store", regex="("), "is not a regular expression"),
        (entry("expect_column_values_to_be_in_set", column="store", value_set=[1, 2]), "fails on text"),
        (entry("expect_column_values_to_be_in_set", column="quantity", value_set=["x"]), "fails on text"),
        (entry(BETWEEN, column="id", min_value=0, row_condition="row_number() OVER (ORDER BY id) = 1"), "judged"),
        (entry(BETWEEN, column="id", min_value=0, row_condition="id IN (SELECT 1)"), "looks at other rows"),
        (entry(BETWEEN, column="id", min_value=0, row_condition="rand() > 0.5"), "uses rand: a rerun"),
        (entry(BETWEEN, column="id", min_value=0, row_condition="current_date() > '2026-01-01'"), "uses current_date"),
        (entry(BETWEEN, column="id", min_value=0, row_condition="store > 3"), "try_cast it in the row condition"),
        (entry("expect_column_value_lengths_to_be_between", column="store", min_value=0.5), "is not a whole number"),
        (
            entry("expect_column_values_to_match_strftime_format", column="id", strftime_format="%Y"),
            "id is int, and not",
        ),
        (entry("expect_multicolumn_sum_to_equal", column_list=["id"], sum_total=1), "at least two columns"),
        (entry("expect_column_values_to_match_regex_list", column="store", regex_list=[]), "must not be empty"),
    ],
)
def test_a_rule_is_refused_that_does_not_fit(sales, suite_of, expectation, said):
    with pytest.raises(SuiteError, match=said) as caught:
        rules_of(suite_of(expectation), sales.limit(0), None)
    assert "conf/expectations/silver/sales.json:1" in str(caught.value)


@pytest.mark.parametrize(
    "expectation",
    [
        entry("expect_column_values_to_be_in_set", column="quantity", value_set=["1", "2"]),
        entry(BETWEEN, column="id", min_value=0, row_condition="try_cast(store AS int) > 3"),
        entry(BETWEEN, column="id", min_value=0, row_condition="quantity = '1'"),
        entry("expect_column_values_to_match_regex", column="quantity", regex="^1$"),
    ],
)
def test_a_cast_that_cannot_fail_is_taken(sales, suite_of, expectation):
    assert failing(rules_of(suite_of(expectation), sales, None), sales)


def test_a_batch_expectation_that_cannot_be_judged_is_named_among_others(sales, suite_of):
    suite = suite_of(
        entry(COUNT, min_value=1),
        entry("expect_column_mean_to_be_between", column="quantity", min_value=0),
        entry("expect_column_mean_to_be_between", column="store", min_value=0),
    )
    with pytest.raises(SuiteError, match=r"mean_to_be_between\(store\) cannot be judged"):
        judge_batch(suite, sales, {})


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"internal_weight_holdout": 0.1}, "Internal weight holdout cannot be used"),  # by GX's validation
        ({"partition_object": {}}, "Invalid partition_object"),  # refused for a frame
        ({"tail_weight_holdout": 2}, r"tail_weight_holdout: ensure this value is less than or equal to 1\n"),
    ],
)
def test_an_error_of_gx_names_the_batch_expectation(sales, suite_of, extra, said):
    shares = {"values": ["a", "b", "c"], "weights": [0.25, 0.5, 0.25]}
    kwargs = {"column": "store", "partition_object": shares, "threshold": 0.1, **extra}
    with pytest.raises(SuiteError, match=rf"less_than\(store\).*{said}") as caught:
        judge_batch(suite_of(entry("expect_column_kl_divergence_to_be_less_than", **kwargs)), sales, {})
    assert "conf/expectations/silver/sales.json:1" in str(caught.value)


def test_gx_takes_no_field_of_a_struct_for_some_aggregates(sales, suite_of):
    suite = suite_of(entry("expect_column_mean_to_be_between", column="of.quantity", min_value=0))
    with pytest.raises(SuiteError, match="cannot be judged"):
        judge_batch(suite, sales.selectExpr("struct(quantity) AS of"), {})


# --- batches


def test_results_have_checked_failing_and_observed_values(sales, suite_of):
    suite = suite_of(
        entry(UNIQUE, column="quantity"),
        entry(COUNT, min_value=6),
        entry("expect_column_sum_to_be_between", column="quantity", max_value=7),
    )
    unique, count, total = judge_batch(suite, sales, {})
    assert (unique.success, unique.judged, unique.unexpected, unique.examples) == (False, 4, 2, ("1",))
    assert (unique.kind, unique.severity, unique.columns) == ("batch", "critical", ("quantity",))
    assert (count.success, count.judged, count.unexpected, count.observed) == (False, None, None, "5")
    assert (total.success, total.observed) == (True, "7.0")


def test_two_expectations_on_one_column_have_their_own_quantiles(sales, suite_of):
    quantiles = "expect_column_quantile_values_to_be_between"
    ranges = [{"quantiles": [at], "value_ranges": [[value, value]]} for at, value in ((0.0, -2), (1.0, 7))]
    suite = suite_of(*(entry(quantiles, column="quantity", quantile_ranges=range_) for range_ in ranges))
    assert [result.success for result in judge_batch(suite, sales, {})] == [True, True]


def test_a_suite_without_batch_expectations_opens_no_frame(sales, suite_of, monkeypatch):
    monkeypatch.setattr(rules, "GxFrame", None)
    assert judge_batch(suite_of(entry(BETWEEN, column="id", min_value=0)), sales, {}) == []


def test_expectations_with_scope_table_are_checked_on_request(sales, suite_of):
    suite = suite_of(
        entry(UNIQUE, {"name": "of a batch"}, column="id"),
        entry(UNIQUE, {"name": "of the table", "scope": "table"}, column="quantity"),
        entry(BETWEEN, {"name": "rows of the table", "scope": "table"}, column="quantity", min_value=0),
        entry(BETWEEN, {"name": "rows of a batch"}, column="quantity", min_value=0),
    )
    assert [r.expectation for r in judge_batch(suite, sales, {})] == ["of a batch"]
    results = {r.expectation: r.unexpected for r in judge_batch(suite, sales, {}, table=True)}
    assert results == {"of a batch": 0, "of the table": 2, "rows of the table": 1}


def test_headgate_s_own_columns_are_no_columns_of_the_batch(sales, suite_of):
    suite = suite_of(entry("expect_table_column_count_to_equal", value=3))
    (result,) = judge_batch(suite, sales.selectExpr("*", "1 AS _key"), {})
    assert result.success


def test_a_query_reads_the_batch_and_other_tables_by_name(spark, sales, suite_of):
    query = "SELECT b.id FROM {batch} b LEFT ANTI JOIN `silver.stores` s ON b.store = s.store ORDER BY id"
    suite = suite_of(entry("unexpected_rows_expectation", unexpected_rows_query=query))
    stores = spark.createDataFrame([("a",), ("c",)], "store string")
    (result,) = judge_batch(suite, sales, {"silver.stores": stores})
    assert (result.success, result.unexpected) == (False, 3)
    assert result.examples == ('{"id": 2}', '{"id": 3}', '{"id": 5}')
    assert spark.catalog.listTables() == []


def test_examples_are_few_whatever_fails(spark, suite_of):
    many = spark.range(3000).selectExpr("id", "'x' AS store")
    query = entry("unexpected_rows_expectation", unexpected_rows_query="SELECT * FROM {batch}")
    pair = entry("expect_compound_columns_to_be_unique", column_list=["store", "store"])
    suite = suite_of(entry(UNIQUE, column="store"), query, pair)
    result = judge_batch(suite, many, {})
    assert [r.unexpected for r in result] == [3000, 3000, 3000]
    assert all(len(r.examples) <= 5 for r in result)


def test_aggregates_of_many_expectations_run_together(spark, sales, suite_of):
    def jobs_of(*expectations: dict) -> int:
        tracker = spark.sparkContext._jsc.sc().statusTracker()
        before = len(tracker.getJobIdsForGroup(None))
        judge_batch(suite_of(*expectations), sales, {})
        return len(tracker.getJobIdsForGroup(None)) - before

    kinds = [f"expect_column_{kind}_to_be_between" for kind in ("max", "min", "mean", "sum")]
    ranges = [entry(kind, column=column, min_value=-9) for kind in kinds for column in ("id", "quantity")]
    assert jobs_of(*ranges, entry(COUNT, min_value=1)) <= jobs_of(ranges[0], entry(COUNT, min_value=1))
