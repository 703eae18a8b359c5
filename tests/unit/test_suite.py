"""Suites: their meaning, refusals before data is read, and the normalized file."""

import json
import re
from pathlib import Path

import pytest

from headgate.errors import SuiteError
from headgate.project import Project
from headgate.suites.quality import Result
from headgate.suites.suite import Suite, load_suites, require_columns
from headgate.suites.suite_document import normalised

ROOT = Path(__file__).parents[2]
BETWEEN = "expect_column_values_to_be_between"
NOT_NULL = "expect_column_values_to_not_be_null"
UNIQUE = "expect_column_values_to_be_unique"


def entry(kind: str = BETWEEN, headgate: dict | None = None, severity: str | None = None, **kwargs) -> dict:
    """An expectation as a file has it; of `quantity`, 0 or more, where nothing else is said."""
    values = kwargs or {"column": "quantity", "min_value": 0}
    others = {"severity": severity} if severity else {}
    return {"type": kind, "kwargs": values, **others, **({"meta": {"headgate": headgate}} if headgate else {})}


def written(project: Project, *expectations: dict, file: str = "silver/sales.json", **suite) -> Path:
    path = project.expectations / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"name": "silver.sales", "expectations": list(expectations), **suite}, indent=2))
    return path


def loaded(project: Project, *expectations: dict, **suite) -> Suite:
    written(project, *expectations, **suite)
    return load_suites(project)["silver.sales"]


def refusal(project: Project, *expectations: dict, **suite) -> str:
    written(project, *expectations, **suite)
    with pytest.raises(SuiteError) as caught:
        load_suites(project)
    return str(caught.value)


# --- the meaning of a suite


def test_a_project_without_suites_has_none(project):
    assert load_suites(project) == {}


def test_an_expectation_has_the_values_of_its_file_and_defaults(project):
    (result,) = loaded(project, entry(column="quantity", min_value=0, mostly=0.9)).expectations
    assert (result.type, dict(result.kwargs)) == (BETWEEN, {"column": "quantity", "min_value": 0, "mostly": 0.9})
    assert (result.kind, result.severity, result.scope, result.on_failure) == ("row", "critical", "batch", "quarantine")
    assert (result.columns, result.mostly) == (("quantity",), 0.9)
    assert str(result.place) == "conf/expectations/silver/sales.json:4"


def test_an_expectation_is_called_by_its_type_and_columns(project):
    pair = entry("expect_column_pair_values_to_be_equal", column_A="a", column_B="b")
    many = entry("expect_compound_columns_to_be_unique", column_list=["a", "b", "c"])
    table = entry("expect_table_row_count_to_be_between", min_value=1)
    named = entry(headgate={"name": "sane quantities"})
    assert [e.name for e in loaded(project, pair, many, table, named).expectations] == [
        "expect_column_pair_values_to_be_equal(a, b)",
        "expect_compound_columns_to_be_unique(a, b, c)",
        "expect_table_row_count_to_be_between",
        "sane quantities",
    ]


def test_expectations_that_would_share_a_name_are_numbered_by_place(project):
    many = [entry(column="quantity", min_value=least) for least in (1, 2, 3)]
    names = [e.name for e in loaded(project, *many).expectations]
    assert names == [f"{BETWEEN}(quantity)", f"{BETWEEN}(quantity)[2]", f"{BETWEEN}(quantity)[3]"]


def test_rows_and_batches_are_those_that_judge_a_batch(project):
    suite = loaded(
        project,
        entry(),
        entry(UNIQUE, column="a"),
        entry(NOT_NULL, column="a", headgate={"scope": "table"}),
        entry(UNIQUE, column="b", headgate={"scope": "table"}),
    )
    assert [e.columns for e in suite.rows] == [("quantity",)]
    assert [e.columns for e in suite.batches] == [("a",)]
    assert len(suite.expectations) == 4


def test_options_of_gx_reports_are_not_part_of_an_expectation(project):
    (result,) = loaded(project, entry(column="a", min_value=0, result_format="COMPLETE", catch_exceptions=False)).rows
    assert dict(result.kwargs) == {"column": "a", "min_value": 0}


def test_the_hash_covers_only_effective_content(project):
    plain = loaded(project, entry()).hash
    labelled = {**entry(), "id": "c1b7b8a6-9d4e-4c0e-8f57-0a0a0a0a0a0a", "notes": "why", "description": "words"}
    assert loaded(project, labelled, notes="n", meta={"owner": "us"}).hash == plain


@pytest.mark.parametrize(
    "changed",
    [
        entry(column="quantity", min_value=1),
        entry(severity="warning"),
        entry(headgate={"on_failure": "fail"}),
        entry(headgate={"scope": "table"}),
        entry(headgate={"name": "another"}),
    ],
    ids=["kwargs", "severity", "on_failure", "scope", "name"],
)
def test_effective_content_changes_the_hash(project, changed):
    assert loaded(project, entry()).hash != loaded(project, changed).hash


def test_json_that_is_no_yaml_is_read_as_json(project):
    path = written(project)
    path.write_text(
        '{\t"name": "silver.sales", "expectations": [\n\t{"type": "expect_column_values_to_match_regex",'
        ' "kwargs": {"column": "a", "regex": "\\ud83d\\ude00\\/\\"\\\\d"}}]}'
    )
    (result,) = load_suites(project)["silver.sales"].rows
    assert result.kwargs["regex"] == '😀/"\\d'
    assert str(result.place).endswith(":2")


# --- refusals


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (entry("expect_column_values_to_be_betwen"), "sales.json:5: expectations[0].type: no expectation"),
        (entry("expect_column_values_to_be_betwen"), f"Did you mean '{BETWEEN}'"),
        (
            entry(column="a", min_valu=0),
            "sales.json:8: expectations[0].kwargs.min_valu: unknown key. Did you mean 'min",
        ),
        (entry(column="a"), "neither min_value nor max_value"),
        (entry(min_value=0), "expectations[0].kwargs: has no `column`"),
        (entry(column=7, min_value=0), "7 is not text"),
        (entry(column="a", min_value=9, max_value=1), "kwargs.min_value: min_value 9 is more than max_value 1"),
        (entry(column="a", min_value="2026-02-01", max_value="2026-01-31"), '"2026-02-01" is more than max_value'),
        (entry(column="a", min_value=0, mostly=95), "kwargs.mostly: 95 is not a share"),
        (entry(column="a", min_value=0, mostly=-0.1), "-0.1 is not a share"),
        (entry(column="a", min_value=0, batch_id="x"), "kwargs.batch_id: names another batch"),
        (entry(severity="severe"), 'expectations[0].severity: "severe" is not possible'),
        (entry(headgate={"on_failur": "fail"}), "on_failur: unknown key. Did you mean 'on_failure'"),
        (entry(headgate={"on_failure": "drop"}), "give quarantine or fail"),
        (entry(headgate={"scope": "tables"}), "Did you mean 'table'"),
        (entry(headgate={"name": ""}), "headgate.name"),
        (entry(headgate={"on_failure": "fail"}, severity="warning"), "only critical expectations act"),
        (entry(UNIQUE, column="a", headgate={"on_failure": "quarantine"}), "it judges no single record"),
        (entry("expect_column_values_to_be_increasing", column="a"), "cannot be judged: looks at the order of rows"),
        (
            entry("expect_query_results_to_match_comparison", base_query="a"),
            "cannot be judged: GX has no Spark engine for comparison_query",
        ),
        (
            entry("expect_column_values_to_match_like_pattern", column="a", like_pattern="b"),
            "; use expect_column_values_to_match_regex\n",
        ),
        (
            entry(
                "expect_column_pair_values_to_be_in_set",
                column_A="a",
                column_B="b",
                value_pairs_set=[["x", "y"]],
                row_condition="a > 1",
            ),
            "row_condition: is not possible here: GX drops it",
        ),
        (entry("expect_column_values_to_be_of_type", column="a", type_="LongType", mostly=0.5), "column's type alone"),
        (entry(column="a", min_value={"$PARAMETER": "least"}), "kwargs.min_value: is a suite parameter"),
        (
            entry(column="a", min_value=0, row_condition={"$PARAMETER": "which"}),
            "kwargs.row_condition: is a suite parameter",
        ),
        (entry(column="a", min_value="many"), 'kwargs.min_value: "many" is neither a date nor a time'),
        (entry(column="a", max_value="2026-02-30"), 'kwargs.max_value: "2026-02-30" is neither a date'),
        (entry("expect_column_mean_to_be_between", column="a", min_value="2026-01-31"), "is not a number or null"),
        (entry("expect_table_row_count_to_be_between", max_value="9"), '"9" is not a whole number or null'),
        (entry("expect_table_columns_to_match_set", exact_match=False), "has no `column_set`"),
        (entry("expect_table_columns_to_match_ordered_list", column_list=None), "column_list: nothing is not a list"),
        (entry("expect_column_to_exist", column="a", column_index=0), "column_index: GX ignores position 0"),
        (entry("expect_column_kl_divergence_to_be_less_than", column="a"), "has no `partition_object` and `threshold`"),
        (
            entry(
                "expect_column_kl_divergence_to_be_less_than",
                column="a",
                partition_object={"values": ["x"], "weights": [1]},
                threshold=0.1,
                max_value=0.1,
            ),
            "max_value: is not possible here: GX does nothing with it",
        ),
        (entry(column="a", min_value=0, row_condition="a > 1", condition_parser="pandas"), '"pandas" is not possible'),
        (entry(column="a", min_value=0, row_condition={"type": "comparisn"}), "Did you mean 'comparison'"),
        (entry(column="a", min_value=0, row_condition={"type": "and"}), "'and' has no `conditions`"),
        (entry(column="a", min_value=0, row_condition={"type": "nullity", "is_null": True}), "has no column"),
        (
            entry(column="a", min_value=0, row_condition={"type": "comparison", "operator": "~"}),
            'row_condition.operator: "~" is not an operator',
        ),
        (
            entry("expect_column_quantile_values_to_be_between", column="a", quantile_ranges={"quantiles": [0.5]}),
            "needs `quantiles`, and `value_ranges`",
        ),
        (
            entry(
                "expect_column_quantile_values_to_be_between",
                column="a",
                quantile_ranges={"quantiles": [0.5], "value_ranges": [[9, 1]]},
            ),
            "[9, 1] is not [min, max]",
        ),
    ],
)
def test_an_expectation_is_refused_that(project, expectation, said):
    assert said in refusal(project, expectation)


def test_a_duplicate_expectation_is_refused_with_both_places(project):
    said = refusal(project, entry(), entry(column="quantity", min_value=1), entry(severity="info"))
    assert "sales.json:18" in said and "is a duplicate; first in conf/expectations/silver/sales.json:4" in said


def test_two_expectations_of_one_name_are_refused(project):
    named = {"name": "sane"}
    assert "another is called so" in refusal(
        project, entry(headgate=named), entry(NOT_NULL, column="a", headgate=named)
    )


def test_a_generated_name_that_is_taken_is_refused(project):
    values = entry(NOT_NULL, column="a", headgate={"name": f"{BETWEEN}(quantity)"})
    assert "another is called so" in refusal(project, entry(), values)


def test_a_suite_of_no_table_is_refused_with_a_suggestion(project):
    written(project, file="silver/sale.json", name="silver.sale")
    with pytest.raises(SuiteError, match=r"no table 'silver.sale'. Did you mean 'silver.sales'"):
        load_suites(project)


def test_a_suite_whose_name_is_not_its_path_is_refused(project):
    assert "name: is 'gold.daily', and the file is silver.sales's" in refusal(project, name="gold.daily")


def test_suite_parameters_are_refused(project):
    assert "suite_parameters" in refusal(project, suite_parameters={"least": 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"sales.json:1: not JSON"),
        ('{"name": "silver.sales",\n "name": "a", "expectations": []}', "sales.json:2: name: is a duplicate"),
        ('{"name": "silver.sales", "expectations": [NaN]}', "NaN is not a number"),
        ('{"name": "silver.sales",\n"expectations": [-1e999]}', ":2: expectations[0]: -Infinity is not a number"),
        ("[]", "is not keys with values"),
        ('{"name": "silver.sales", "expectation": []}', "unknown key. Did you mean 'expectations'"),
        ('{"name": "silver.sales", "expectations": [{"type": "expect_column_to_exist"}]}', "has no `kwargs`"),
        ('{"name": "silver.sales", "expectations": {}}', "expectations: {} is not a list"),
        ('{"name": "silver.sales", "expectations": ["a"]}', '"a" is not keys with values'),
    ],
)
def test_a_file_is_refused_that_is_no_suite(project, text, said):
    written(project).write_text(text)
    with pytest.raises(SuiteError, match=re.escape(said)):
        load_suites(project)


def test_the_problems_of_all_files_are_reported_together(project):
    written(project, entry(column="a"))
    written(project, file="gold/daily.json", name="gold.dayly")
    with pytest.raises(SuiteError) as caught:
        load_suites(project)
    assert "2 problems" in str(caught.value) and "neither" in str(caught.value) and "gold.dayly" in str(caught.value)


# --- columns


def test_a_column_that_the_table_has_not_is_refused_with_a_suggestion(project):
    suite = loaded(project, entry())
    with pytest.raises(SuiteError, match=r"silver.sales has no column 'quantity'. Did you mean 'quantities'"):
        require_columns(suite, ["quantities", "day"])
    require_columns(suite, ["quantity"])


def test_a_field_of_a_struct_is_looked_up_by_its_first_part(project):
    suite = loaded(project, entry(NOT_NULL, column="address.city"))
    require_columns(suite, ["address"])
    with pytest.raises(SuiteError, match=r"no column 'address\.city'"):
        require_columns(suite, ["city"])


@pytest.mark.parametrize(
    "condition",
    [
        {"row_condition": 'col("kind") == "money"', "condition_parser": "great_expectations"},
        {"row_condition": {"type": "comparison", "column": {"name": "kind"}, "operator": "==", "parameter": "money"}},
        {
            "row_condition": {
                "type": "and",
                "conditions": [{"type": "nullity", "column": {"name": "kind"}, "is_null": False}],
            }
        },
    ],
    ids=["text", "comparison", "and"],
)
def test_the_columns_of_a_row_condition_have_to_be_there(project, condition):
    suite = loaded(project, entry(column="quantity", min_value=0, **condition))
    require_columns(suite, ["quantity", "kind"])
    with pytest.raises(SuiteError, match="no column 'kind'"):
        require_columns(suite, ["quantity"])


def test_a_column_that_is_expected_to_exist_may_be_missing(project):
    require_columns(loaded(project, entry("expect_column_to_exist", column="a")), ["b"])


# --- queries


def query(text: str, **extra) -> dict:
    return entry("unexpected_rows_expectation", unexpected_rows_query=text, **extra)


def test_the_other_tables_of_queries_are_known(project):
    text = "SELECT * FROM {batch} b ANTI JOIN `gold.daily` d ON b.day = d.day AND b.`a` = d.a"
    assert loaded(project, query(text), entry()).relations == ("gold.daily",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM `gold.daily`", "has to read {batch}"),
        ("SELECT * FROM {batch} WHERE a RLIKE 'x{3}'", "no other braces"),
        ("SELECT * FROM {batch} WHERE a = '{'", "no other braces"),
        ("SELECT * FROM {batch} JOIN `gold.dayly` USING (day)", "`gold.dayly`, which is not a table of jobs. Did you"),
    ],
)
def test_a_query_is_refused_that(project, text, said):
    assert said in refusal(project, query(text))


# --- the normalized layout


SAVED = {
    "name": "silver.sales",
    "id": "2c9d0e6a-0000-4000-8000-000000000000",
    "meta": {"great_expectations_version": "1.24.1", "owner": "us"},
    "notes": None,
    "expectations": [
        {**entry(column="q", min_value=0.0), "id": "2c9d0e6a-0000-4000-8000-000000000001", "meta": {}, "notes": None},
        entry(NOT_NULL, column="ä", headgate={"scope": "table"}),
    ],
}


def test_normalised_text_has_sorted_keys_and_nothing_that_gx_adds():
    text = normalised(json.dumps(SAVED))
    first = '{\n  "expectations": [\n    {\n      "kwargs": {\n        "column": "q",\n        "min_value": 0\n      },'
    assert text.startswith(first)
    assert '"id"' not in text and "great_expectations_version" not in text and "ä" in text and text.endswith("}\n")
    assert json.loads(text)["meta"] == {"owner": "us"}
    assert [e["severity"] for e in json.loads(text)["expectations"]] == ["critical", "critical"]


def test_normalising_twice_changes_nothing():
    once = normalised(json.dumps(SAVED))
    assert normalised(once) == once


def test_normalising_keeps_the_expectations(project):
    path = written(project)
    path.write_text(json.dumps(SAVED))
    before = load_suites(project)["silver.sales"]
    path.write_text(normalised(path.read_text()))
    assert load_suites(project)["silver.sales"].hash == before.hash


def test_the_suites_of_this_repository_are_normalised(repository):
    for path in repository.expectations.rglob("*.json"):
        assert path.read_text() == normalised(path.read_text()), path


# --- results


def test_a_result_comes_back_from_its_plain_values():
    result = Result("a", UNIQUE, ("x", "y"), "batch", "warning", False, 10, 2, None, ("1", "2"))
    assert Result.from_dict(json.loads(json.dumps(result.as_dict()))) == result
