"""`headgate check`: everything that is wrong with a project at once, without data and without Spark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from headgate.cli import check
from headgate.errors import UsageError
from tests.unit.lake import CONTRACT, DAILY, Lake

TABLE_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: daily
version: 1.0.0
team: {name: Tests}
schema:
  - name: daily
    properties:
      - {name: day, logicalType: date}
      - {name: SHOP, logicalType: string}
      - {name: amount, logicalType: integer}
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def invoke(lake: Lake, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    result = CliRunner().invoke(check.command, ["--project", str(lake.project.root), *arguments], env=env)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def problems(lake: Lake, *arguments: str, **kwargs: Any) -> list[tuple[str, str, str]]:
    """(where, path, the first words of the message) of each problem."""
    details = json.loads(invoke(lake, "--json", *arguments, code=2, **kwargs))["problems"]
    return [(item["where"], item["path"], " ".join(item["what"].split()[:4])) for item in details]


def suite(lake: Lake, table: str, *expectations: dict, **extra: Any) -> None:
    text = json.dumps({"name": table, "expectations": expectations, **extra}, indent=1)
    lake.write(f"conf/expectations/{table.replace('.', '/')}.json", text)


def not_null(column: str) -> dict:
    return {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": column}}


def test_a_project_that_is_right_has_no_problems(lake: Lake) -> None:
    suite(lake, "gold.daily", not_null("day"))
    assert invoke(lake) == (
        "no problems: 1 contracts, 0 contracts of tables, 1 suites, 3 modules, 0 queries, 1 environments\n"
    )
    assert not (lake.project.root / "lake").exists()


def test_the_problems_of_all_files_are_told_together_in_the_order_of_the_files(lake: Lake) -> None:
    lake.write("conf/datasets/sales.yaml", CONTRACT.replace("logicalType: string", "logicalType: strng"))
    lake.write("conf/datasets/more.yaml", CONTRACT.replace("id: sales", "id: more", 1))
    lake.write("conf/environments/local.yaml", "lake: lake\nspark: 1\nlok: 2\n")
    lake.write("conf/environments/prod.yaml", "lake: lake\nengin: local\n")
    lake.write("conf/tables/gold/dayly.yaml", TABLE_CONTRACT)
    lake.write("jobs/gold/broken.py", "import nothing_of_this_name\n")
    lake.write("jobs/gold/daily.py", DAILY.replace("Replace(", "Replac("))
    suite(lake, "silver.sales", {"type": "expect_nothing", "kwargs": {}})
    suite(lake, "silver.lines", {"type": "expect_column_values_to_be_unique", "kwargs": {}})
    details = problems(lake)
    assert sorted({where.partition(":")[0] for where, _, _ in details}) == [
        "conf/datasets/more.yaml",
        "conf/datasets/sales.yaml",
        "conf/environments/local.yaml",
        "conf/environments/prod.yaml",
        "conf/expectations/silver/lines.json",
        "conf/expectations/silver/sales.json",
        "conf/tables/gold/dayly.yaml",
        "jobs/gold/broken.py",
        "jobs/gold/daily.py",
    ]
    assert [where for where, _, _ in details] == sorted(where for where, _, _ in details)
    assert [path for where, path, _ in details if where.startswith("conf/environments/local")] == ["spark", "lok"]


def test_problems_are_printed_with_what_to_do_and_counted(lake: Lake) -> None:
    lake.write("conf/environments/prod.yaml", "lake: lake\nengin: local\n")
    details = invoke(lake, code=2)
    assert details.startswith("conf/environments/prod.yaml:2: engin: unknown key. Did you mean 'engine'?\n    to do: ")
    assert details.endswith("\n1 problem\n")


def test_tables_that_read_each_other_are_told(lake: Lake) -> None:
    lake.write(
        "jobs/silver/lines.py",
        "from headgate import Affected, Replace, table\n\n\n@table(\n    "
        '"silver.lines", reads={"daily": Affected("gold.dayly", by=["day"])}, writes=Replace(by=["day"]),\n)\n'
        'def lines(daily):\n    """One row per line."""\n    return daily\n',
    )
    assert [message for _, _, message in problems(lake)] == ["silver.lines reads 'gold.dayly', which"]


def test_variables_belong_to_the_environment_that_is_asked_for(lake: Lake) -> None:
    lake.write("conf/environments/prod.yaml", "lake: lake\n")
    details = problems(lake, env={"HEADGATE_ENGIN": "local"})
    assert [where for where, _, _ in details] == ["HEADGATE_ENGIN"]


def test_an_environment_that_is_not_there_is_told(lake: Lake) -> None:
    assert [message for _, _, message in problems(lake, "--env", "prd")] == ["no environment 'prd'."]


def test_a_suite_is_held_against_its_table_s_contract(lake: Lake) -> None:
    lake.write("conf/tables/gold/daily.yaml", TABLE_CONTRACT.replace("SHOP", "shop"))
    suite(lake, "gold.daily", not_null("day"), not_null("amont"))
    ((where, path, _),) = problems(lake)
    assert where.startswith("conf/expectations/gold/daily.json:") and path.endswith("(amont)")


def test_a_suite_is_held_against_a_table_that_today_s_code_built(lake: Lake) -> None:
    lake.built()
    suite(lake, "gold.daily", not_null("dy"))
    assert [path for _, path, _ in problems(lake)] == ["expect_column_values_to_not_be_null(dy)"]
    lake.write("jobs/gold/daily.py", DAILY + "\n# it may have other columns now\n")
    invoke(lake)


def test_a_query_may_read_only_what_its_table_reads_unless_it_is_of_the_table(lake: Lake) -> None:
    def query(table: str, scope: str) -> dict:
        kwargs = {"unexpected_rows_query": f"SELECT * FROM {{batch}} JOIN `{table}` USING (day) WHERE '{scope}' <> ''"}
        meta = {"headgate": {"scope": scope, "name": f"{table} {scope}"}}
        return {"type": "unexpected_rows_expectation", "kwargs": kwargs, "meta": meta}

    known, other = "silver.sales", "silver.lines"
    suite(lake, "gold.daily", query(known, "batch"), query(other, "batch"), query(other, "table"))
    assert [path for _, path, _ in problems(lake)] == ["silver.lines batch"]


def test_gold_is_linted_by_its_contract(lake: Lake) -> None:
    lake.write("conf/tables/gold/daily.yaml", TABLE_CONTRACT)
    assert problems(lake) == [("conf/tables/gold/daily.yaml", "SHOP", "Athena: has upper case,")]


def test_gold_is_linted_as_it_stands_once(lake: Lake) -> None:
    rows = pa.table({"day": pa.array([None], pa.date32()), "SHOP": ["a"], "at": pa.array([None], pa.timestamp("us"))})
    lake.commit("gold.daily", rows, {})
    details = problems(lake)
    assert ("gold.daily", "SHOP", "Athena: has upper case,") in details
    assert ("gold.daily", "at", "Athena: is timestamp_ntz, which") in details
    assert any(message == "Athena: needs a reader" for _, _, message in details)
    lake.write("conf/tables/gold/daily.yaml", TABLE_CONTRACT)
    assert [where for where, path, _ in problems(lake) if path == "SHOP"] == ["conf/tables/gold/daily.yaml"]


def test_silver_is_no_concern_of_athena_s(lake: Lake) -> None:
    lake.commit("silver.lines", pa.table({"ID": ["a"]}), {})
    invoke(lake)


def test_it_imports_no_spark_of_its_own(lake: Lake) -> None:
    """Table modules may: those of this project do not."""
    code = (
        "import sys; from click.testing import CliRunner; from headgate.cli import check; "
        "done = CliRunner().invoke(check.command, ['--project', sys.argv[1]]); assert done.exit_code == 0; "
        "sys.exit('pyspark' in sys.modules or 'great_expectations' in sys.modules)"
    )
    lake.built()
    subprocess.run([sys.executable, "-c", code, str(lake.project.root)], check=True)


def test_an_expectation_that_its_columns_type_makes_impossible_is_told(lake: Lake) -> None:
    lake.write("conf/tables/gold/daily.yaml", TABLE_CONTRACT.replace("SHOP", "shop"))
    between = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "shop", "min_value": 1}}
    suite(lake, "gold.daily", between, not_null("shop"))
    ((where, _, message),) = problems(lake)
    assert where.startswith("conf/expectations/gold/daily.json:")
    assert message == "shop is string: it"  # it cannot be between numbers


@pytest.mark.parametrize("pattern", ["(a", "a)", "[a", "a\\"])
def test_a_regular_expression_that_is_none_is_told(lake: Lake, pattern: str) -> None:
    suite(
        lake,
        "gold.daily",
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "shop", "regex": pattern}},
    )
    ((_, _, message),) = problems(lake)
    assert message.endswith("is not a")  # regular expression


@pytest.mark.parametrize("pattern", ["^[A-Z]{2}$", r"\p{L}++", "(?<year>[0-9]+)", r"\Q(\E"])
def test_what_java_alone_reads_is_no_problem(lake: Lake, pattern: str) -> None:
    suite(
        lake,
        "gold.daily",
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "shop", "regex": pattern}},
    )
    invoke(lake)


def test_a_key_that_neither_the_contract_nor_the_function_names_is_a_problem(lake: Lake) -> None:
    module = (lake.project.root / "jobs/silver/sales.py").read_text()
    lake.write("jobs/silver/sales.py", module.replace('Merge(keys=["id"], sequence_by="revised"', 'Merge(keys=["idd"]'))
    [(where, path, _)] = problems(lake)
    assert (where.partition(":")[0], path) == ("jobs/silver/sales.py", "silver.sales writes")
    assert "nothing in the function is named 'idd'. Did you mean 'id'?" in invoke(lake, code=2)


def test_a_column_of_by_that_the_source_lacks_is_a_problem_where_the_columns_are_known(lake: Lake) -> None:
    module = (lake.project.root / "jobs/gold/daily.py").read_text()
    lake.write("jobs/gold/daily.py", module.replace('"day"', '"dayy"'))
    assert invoke(lake).startswith("no problems")  # silver.sales is not built: its columns are not known
    lake.write("jobs/gold/daily.py", module)
    lake.built()
    lake.write("jobs/gold/daily.py", module.replace('"day"', '"dayy"'))
    assert problems(lake)[0][1] == "gold.daily reads.sales.by"
    assert "silver.sales has no column 'dayy'. Did you mean 'day'?" in invoke(lake, code=2)


# --- tables, where there is nothing to check


def test_every_table_of_a_lake_that_is_not_built_is_nothing_to_check(lake: Lake) -> None:
    suite(lake, "gold.daily", not_null("day"))
    assert invoke(lake, "--table", "*") == "nothing to check: gold.daily: not built yet\n"
    assert json.loads(invoke(lake, "--table", "*", "--json")) == {"tables": []}


def test_a_pattern_without_a_suite_is_nothing_to_check_and_a_name_without_one_is_a_mistake(lake: Lake) -> None:
    assert invoke(lake, "--table", "gold.*").startswith("nothing to check: no suite of gold.daily")
    result = CliRunner().invoke(check.command, ["--project", str(lake.project.root), "--table", "gold.daily"])
    assert isinstance(result.exception, UsageError) and "no suite of gold.daily" in str(result.exception)
