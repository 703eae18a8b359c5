"""Each assert of headgate.testing fails where its property is broken, and says table, property and difference.

Each test has a project of one dataset and one table, which breaks that property.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from headgate.errors import UsageError
from headgate.testing import (
    assert_contract_holds,
    assert_crash_safe,
    assert_late_data_converges,
    assert_order_insensitive,
    assert_rerun_is_noop,
    assert_rows,
)
from headgate.testing.faults import run_killed_at, run_shot_at
from headgate.testing.lake import Lake
from tests.engine.world import write_project

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: marks
version: 1.0.0
team: {name: Tests}
schema:
  - name: marks
    properties:
      - {name: id, logicalType: string}
      - {name: at, logicalType: timestamp}
"""
JSON_LINES = "customProperties: [{property: headgate.format, value: jsonl}]\n"
MODULE = '''\
from pathlib import Path

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from headgate import SOURCE, Append, Changes, table


@table("silver.marks", reads={"uploads": Changes("bronze.marks")}, writes=Append())
def marks(uploads: DataFrame) -> DataFrame:
    """One row per mark."""
'''
AT_IS_TEXT = """\
    return uploads.select("id", F.col("at").cast("string").alias("at"), SOURCE)
"""
COUNTS_ITS_CALLS = """\
    calls = Path(__file__).with_name("calls")
    number = int(calls.read_text()) + 1 if calls.exists() else 1
    calls.write_text(str(number))
    return uploads.select("id", F.lit(number).alias("call"), SOURCE)
"""
NUMBERS_THE_BATCH = """\
    place = F.row_number().over(Window.orderBy("id"))
    return uploads.select("id", place.alias("place"), SOURCE)
"""
DROPS_LATE_ROWS = """\
    in_time = uploads.where(F.col("_source.received") < F.col("at") + F.expr("INTERVAL 1 DAY"))
    return in_time.select("id", "at", SOURCE)
"""
#: It works for two calls only: enough for two lakes, and too few if a call is killed in between.
USES_ITS_SOURCE_UP = """\
    if uploads.isEmpty():
        return uploads.select("id", SOURCE)
    calls = Path(__file__).with_name("calls")
    number = int(calls.read_text()) + 1 if calls.exists() else 1
    calls.write_text(str(number))
    return uploads.where(F.lit(number < 3)).select("id", SOURCE)
"""


@pytest.fixture
def marks(spark: SparkSession, tmp_path: Path) -> Callable[[str], Lake]:
    """Makes a lake, which two uploads of a mark each were sent to, of a project whose one table has this body."""
    files = {
        "conf/environments/local.yaml": "lake: lake\n",
        "conf/datasets/marks.yaml": CONTRACT + JSON_LINES,
    }

    def make(body: str, **more: str) -> Lake:
        project = write_project(tmp_path / "project", {**files, "jobs/silver/marks.py": MODULE + body, **more})
        lake = Lake(spark, project, tmp_path / "lake")
        lake.upload("marks", [{"id": "a", "at": "2026-03-02T11:00:00Z"}])
        lake.upload("marks", [{"id": "b", "at": "2026-03-02T11:00:00Z"}])
        return lake

    return make


def message_of(broken: Callable[[Lake, str], None], lake: Lake) -> str:
    """The message of the assertion for silver.marks. The assertion does not change the lake."""
    with pytest.raises(AssertionError) as caught:
        broken(lake, "silver.marks")
    assert lake.version("silver.marks") == -1
    return str(caught.value)


def test_a_table_that_counts_its_calls_is_other_after_a_rerun(marks):
    details = message_of(assert_rerun_is_noop, marks(COUNTS_ITS_CALLS))
    assert details.startswith("silver.marks: a rerun gives other rows\n")
    assert "differing: call\n" in details


def test_a_table_that_numbers_the_rows_of_a_batch_depends_on_order(marks):
    details = message_of(assert_order_insensitive, marks(NUMBERS_THE_BATCH))
    assert details.startswith("silver.marks: depends on the order or the batches of uploads\n")
    assert "differing: place\n" in details
    assert "place=2" in details
    assert "id=a" not in details, "the row that is the same is not shown"


def test_a_table_that_drops_late_rows_does_not_converge(marks):
    details = message_of(assert_late_data_converges, marks(DROPS_LATE_ROWS))
    assert details.startswith("silver.marks: late uploads do not end up as those in time\n")
    assert "id='a'" in details, "the one row that is missing is shown"


def test_a_table_that_uses_its_source_up_is_not_crash_safe(marks):
    details = message_of(assert_crash_safe, marks(USES_ITS_SOURCE_UP))
    assert details.startswith("silver.marks: a killed run is not made good by the next\n")
    assert "id='a'" in details
    assert "id='b'" in details


def test_a_table_with_another_type_than_published_does_not_hold_its_contract(marks):
    details = message_of(assert_contract_holds, marks(AT_IS_TEXT, **{"conf/tables/silver/marks.yaml": CONTRACT}))
    assert details.startswith("silver.marks: does not hold its contract\n")
    assert "'at' is string; the contract says timestamp" in details


def test_rows_other_than_expected_are_shown(marks):
    lake = marks(NUMBERS_THE_BATCH)
    lake.run()
    assert_rows(lake, "silver.marks", [{"id": "b"}, {"id": "a"}])
    with pytest.raises(AssertionError, match=r"silver.marks: rows differ from the expected rows") as caught:
        assert_rows(lake, "silver.marks", [{"id": "a", "place": 1}, {"id": "b", "place": 3}])
    assert "place=3" in str(caught.value)


def test_a_run_that_fails_fails_the_test_with_the_error_of_the_table(marks):
    lake = marks("    return uploads.select('id')\n")
    with pytest.raises(AssertionError, match=r"silver.marks failed: .*the column _source was dropped"):
        lake.run()


@pytest.mark.long
def test_assertions_with_the_same_uploads_share_a_build(marks):
    lake = marks("    return uploads.select('id', SOURCE)\n")
    for holds in (assert_rerun_is_noop, assert_late_data_converges, assert_order_insensitive):
        holds(lake, "silver.marks")
    assert len(lake.built) == 1
    lake.upload("marks", [{"id": "c", "at": "2026-03-02T12:00:00Z"}])
    assert_rerun_is_noop(lake, "silver.marks")
    assert len(lake.built) == 2


# --- asserts that would show nothing


@pytest.fixture
def unsent(repository, tmp_path) -> Lake:
    """A lake of the retailer that nothing was sent to, and no Spark."""
    return Lake(None, repository, tmp_path / "lake")  # type: ignore[arg-type]


def test_an_assert_without_uploads_is_refused(unsent):
    with pytest.raises(UsageError, match=r"0 uploads for the sources of gold.dim_stores are too few"):
        assert_rerun_is_noop(unsent, "gold.dim_stores")


@pytest.mark.parametrize("broken", [assert_order_insensitive, assert_late_data_converges])
def test_an_order_of_one_upload_is_refused(unsent, broken):
    unsent.upload("stores", [{"store_id": "s"}])
    unsent.upload("returns", [{"return_id": "r"}])
    with pytest.raises(UsageError, match=r"1 uploads .* 2 or more are needed"):
        broken(unsent, "gold.dim_stores")


def test_a_table_without_a_contract_holds_none(unsent):
    with pytest.raises(UsageError, match=r"silver.stores has no contract") as caught:
        assert_contract_holds(unsent, "silver.stores")
    assert "conf/tables/silver/stores.yaml" in str(caught.value)


@pytest.mark.parametrize("run", [run_killed_at, run_shot_at])
def test_a_run_is_not_stopped_at_a_point_that_does_not_exist(unsent, run):
    with pytest.raises(UsageError, match=r"Did you mean 'before_commit:silver.stores'\?"):
        run(unsent, "before_commit:silver.store")


def test_a_run_that_never_comes_to_a_point_fails(unsent):
    with pytest.raises(AssertionError, match=r"the run never came to after_commit:silver.stores"):
        run_killed_at(unsent, "after_commit:silver.stores", "+gold.dim_stores")


def test_a_table_that_does_not_exist_has_no_rows(unsent):
    with pytest.raises(UsageError, match=r"Did you mean 'gold.dim_stores'\?"):
        assert_rows(unsent, "gold.dim_store", [])
