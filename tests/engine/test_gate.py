"""The gate: a table's suite checks a batch before its commit, and a refused batch changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.errors import HeadgateError
from headgate.ledger.record_table import VERDICTS
from headgate.project import Project
from headgate.suites.quality import Acceptance
from headgate.views import quarantine
from tests.engine.test_resume import run_killed_at
from tests.engine.world import World, expect, expectation, sale, write_project

SILVER, GOLD = "silver.transactions", "gold.daily_store_sales"
MOST = expectation("expect_column_values_to_be_between", column="total", max_value=100)
MOST_NAME = "expect_column_values_to_be_between(total)"


def at_most(**changes: Any) -> dict[str, Any]:
    return {**MOST, "kwargs": {**MOST["kwargs"], **changes}}


@pytest.fixture
def expecting(world: World, tmp_path: Path):
    """The world with a suite for a table."""
    return lambda *expectations, table=SILVER: expect(world, tmp_path / "project", table, *expectations)


def few(*totals: str) -> list[dict[str, Any]]:
    return [sale(number, total=total) for number, total in enumerate(totals, 1)]


def numbers(world: World, table: str = SILVER) -> list[int]:
    return [int(row["transaction_id"][-6:]) for row in world.rows(table)]


@pytest.mark.long
def test_a_record_that_fails_a_critical_row_expectation_is_quarantined_with_its_reason(expecting) -> None:
    world = expecting(MOST)
    upload = world.upload(few("10.00", "200.00", "30.00"), key="a")
    reports = world.run_well()
    assert numbers(world) == [1, 3]
    [row] = [row for row in world.raw_rows(SILVER) if row["_state"] == "rejected"]
    [reason] = row["_rejected"]["reasons"]
    assert reason == {"column": "total", "rule": MOST_NAME, "value": "200.00"}
    assert world.receipts()[upload] == {"records": 3, "unparsable": 0, "rejected": 1, "no_row": 0, "accepted": 2}
    [result] = reports[SILVER].quality
    assert (result["judged"], result["unexpected"], result["success"]) == (3, 1, False)
    assert world.metadata(SILVER)["quality"] == [result]
    assert world.metadata(SILVER)["suite"] == world.graph.node(SILVER).suite_hash  # by which Data Docs finds the batch
    assert result["examples"] == [f"total=200.00, transaction_id={sale(2)['transaction_id']} in record 1 of {upload}"]


@pytest.mark.long
def test_a_record_has_a_reason_for_every_failed_rule(expecting) -> None:
    world = expecting(MOST, expectation("expect_column_values_to_be_in_set", column="currency", value_set=["EUR"]))
    upload = world.upload([sale(1, total="500.00", currency="USD"), sale(2)], key="a")
    world.run_well("+" + SILVER)
    names = [f"total {MOST_NAME}", "currency expect_column_values_to_be_in_set(currency)"]
    assert world.rejected() == [(upload, 0, names)]


def test_a_batch_whose_passing_share_is_too_small_changes_nothing_that_a_reader_sees(expecting) -> None:
    world = expecting(at_most(mostly=0.7))
    world.upload(few("10.00", "20.00"), key="a")
    world.run_well()
    before = world.versions(), world.objects(SILVER), world.objects(GOLD), world.rows(SILVER)
    world.upload([sale(3, total="30.00"), sale(4, total="400.00")], key="b")
    reports = world.run()
    assert (reports[SILVER].status, reports[GOLD].status) == ("failed", "skipped")
    after = world.versions(), world.objects(SILVER), world.objects(GOLD), world.rows(SILVER)
    bronze = "bronze.transactions"
    assert {**after[0], bronze: 0} == {**before[0], bronze: 0}
    assert after[1:] == before[1:]
    error = reports[SILVER].error
    assert error["code"] == "batch-refused"
    assert f"{MOST_NAME} failed: 1 of 2 rows, such as total=400.00" in error["what"]
    assert f"--accept-failed '{MOST_NAME}'" in error["fix"]
    [result] = reports[SILVER].quality
    assert (result["judged"], result["unexpected"], result["success"]) == (2, 1, False)


@pytest.mark.long
def test_a_share_that_is_large_enough_quarantines_and_publishes(expecting) -> None:
    world = expecting(at_most(mostly=0.6))
    world.upload(few("10.00", "200.00", "30.00"), key="a")
    reports = world.run_well("+" + SILVER)
    assert numbers(world) == [1, 3]
    assert [result["success"] for result in reports[SILVER].quality] == [True]
    assert len(world.rejected()) == 1


@pytest.mark.long
def test_on_failure_fail_stops_the_batch_for_a_single_row(expecting) -> None:
    world = expecting({**MOST, "meta": {"headgate": {"on_failure": "fail"}}})
    world.upload(few("10.00", "200.00"), key="a")
    assert world.run("+" + SILVER)[SILVER].status == "failed"
    assert world.version(SILVER) == -1


@pytest.mark.long
def test_a_person_may_publish_a_failed_batch_and_the_commit_names_them(expecting) -> None:
    world = expecting(expectation("expect_table_row_count_to_be_between", min_value=5))
    world.upload(few("10.00", "20.00"), key="a")
    assert world.run("+" + SILVER)[SILVER].status == "failed"
    word = Acceptance("expect_table_row_count_to_be_between", "ada", "a holiday")
    assert world.run("+" + SILVER, accepted=[word])[SILVER].status == "done"
    assert numbers(world) == [1, 2]
    assert world.metadata(SILVER)["accepted"] == [
        {"expectation": "expect_table_row_count_to_be_between", "by": "ada", "reason": "a holiday"}
    ]
    world.upload([sale(number, day=2) for number in range(3, 9)], key="b")
    world.run_well("+" + SILVER)
    assert "accepted" not in world.metadata(SILVER)


@pytest.mark.long
def test_warnings_and_infos_are_counted_and_stop_nothing(expecting) -> None:
    world = expecting(
        {**MOST, "severity": "warning"},
        expectation("expect_table_row_count_to_equal", "info", value=7),
    )
    world.upload(few("10.00", "200.00"), key="a")
    reports = world.run_well("+" + SILVER)
    assert numbers(world) == [1, 2]
    assert [(r["severity"], r["success"], r["unexpected"]) for r in reports[SILVER].quality] == [
        ("warning", False, 1),
        ("info", False, None),
    ]
    assert not world.rejected()


@pytest.mark.long
def test_uniqueness_is_of_written_rows_so_a_correction_in_the_same_batch_passes(expecting) -> None:
    world = expecting(expectation("expect_column_values_to_be_unique", column="transaction_id"), MOST)
    world.upload([sale(1), sale(1, revised=1, total="11.00"), sale(2, total="900.00")], key="a")
    reports = world.run_well("+" + SILVER)
    [unique] = [r for r in reports[SILVER].quality if "unique" in r["expectation"]]
    assert (unique["success"], unique["judged"]) == (True, 1)  # without the rejected row, and one of the two versions


@pytest.mark.long
def test_a_row_that_deletes_its_key_is_not_judged(expecting) -> None:
    world = expecting(MOST)
    world.upload([sale(1)], key="a")
    world.run_well("+" + SILVER)
    world.upload([sale(1, revised=1, total="999.00", voided=True)], key="b")
    reports = world.run_well("+" + SILVER)
    assert numbers(world) == []
    assert [(r["judged"], r["success"]) for r in reports[SILVER].quality] == [(0, True)]


@pytest.mark.long
def test_a_quarantined_record_that_its_store_corrects_is_superseded(expecting) -> None:
    world = expecting(MOST)
    world.upload([sale(1, total="500.00"), sale(2)], key="a")
    world.run_well("+" + SILVER)
    world.upload([sale(1, revised=1, total="50.00")], key="b")
    world.run_well("+" + SILVER)
    assert numbers(world) == [1, 2]
    result = quarantine.rejected(world.planner().ledger, world.graph.node(SILVER)).to_pylist()
    assert [row["status"] for row in result] == ["superseded"]


@pytest.mark.long
@pytest.mark.parametrize("where", ["before_commit", "after_commit"])
def test_a_kill_with_another_bad_upload_before_the_rerun_keeps_both_once(expecting, where: str) -> None:
    world = expecting(MOST)
    first = world.upload([sale(1, total="500.00"), sale(2)], key="a")
    run_killed_at(world, f"{where}:{SILVER}")
    second = world.upload([sale(3, total="600.00")], key="b")
    world.run_well("+" + SILVER)
    assert [(upload, record) for upload, record, _ in world.rejected()] == sorted([(first, 0), (second, 0)])
    assert numbers(world) == [2]


@pytest.mark.long
def test_the_same_records_are_rejected_in_one_batch_and_in_several(expecting, tmp_path: Path) -> None:
    world = expecting(MOST, expectation("expect_column_values_to_not_be_null", column="currency"))
    uploads = [few("10.00", "200.00"), [sale(2, revised=1, total="20.00"), sale(3, total="300.00")]]
    for number, records in enumerate(uploads):
        world.upload(records, key=str(number))
        world.run_well("+" + SILVER)
    other = World(world.spark, world.project, tmp_path / "other")
    for number, records in enumerate(uploads):
        other.upload(records, key=str(number))
    other.run_well("+" + SILVER)
    assert world.contents([SILVER]) == other.contents([SILVER])


@pytest.mark.long
def test_in_a_table_without_records_a_failing_row_stops_the_batch(expecting) -> None:
    revenue = expectation("expect_column_values_to_be_between", column="revenue", max_value=100)
    world = expecting(revenue, table=GOLD)
    world.upload([sale(1), sale(2, day=2)], key="a")
    world.run_well()
    before = world.version(GOLD), world.objects(GOLD)
    world.upload([sale(3, day=2, total="500.00")], key="b")
    reports = world.run()
    assert (reports[SILVER].status, reports[GOLD].status) == ("done", "failed")
    assert "revenue=510.00, sale_date=2026-03-02" in reports[GOLD].error["what"]
    assert (world.version(GOLD), world.objects(GOLD)) == before  # the files that it was judged in are gone
    word = Acceptance("expect_column_values_to_be_between(revenue)", "ada", "a large sale")
    assert world.run(accepted=[word])[GOLD].status == "done"
    assert sorted(row["revenue"] for row in world.rows(GOLD)) == [10, 510]


@pytest.mark.long
def test_a_first_build_without_records_is_judged_as_well(expecting) -> None:
    world = expecting(expectation("expect_table_row_count_to_equal", value=9), table=GOLD)
    world.upload([sale(1)], key="a")
    assert world.run()[GOLD].status == "failed"
    assert (world.version(GOLD), world.objects(GOLD)) == (-1, set())


@pytest.mark.long
def test_a_relation_to_another_table_is_a_query_over_its_view(expecting) -> None:
    query = (
        "SELECT g.sale_date FROM (SELECT sale_date, sum(revenue) AS revenue FROM {batch} GROUP BY sale_date) g "
        "JOIN (SELECT sale_date, sum(total) AS total FROM `silver.transactions` GROUP BY sale_date) s "
        "ON g.sale_date = s.sale_date WHERE g.revenue <> s.total"
    )
    equal = expectation("unexpected_rows_expectation", unexpected_rows_query=query, meta={"name": "gold is silver"})
    world = expecting(equal, table=GOLD)
    world.upload([sale(1), sale(2)], key="a")
    reports = world.run_well()
    assert [(r["expectation"], r["success"]) for r in reports[GOLD].quality] == [("gold is silver", True)]


def test_a_suite_that_names_no_column_of_the_table_is_refused_before_data_is_read(expecting) -> None:
    world = expecting(expectation("expect_column_values_to_not_be_null", column="totl"))
    world.upload([sale(1)], key="a")
    report = world.run("+" + SILVER)[SILVER]
    assert report.error["code"] == "suite"
    assert "no column 'totl'. Did you mean 'total'?" in report.error["what"]


@pytest.mark.long
def test_an_append_table_rejects_a_record_whole(spark, tmp_path: Path, sales_project) -> None:
    root = tmp_path / "logs"
    contract = (sales_project.root / "conf/datasets/transactions.yaml").read_text()
    write_project(
        root,
        {
            "conf/environments/local.yaml": (sales_project.root / "conf/environments/local.yaml").read_text(),
            "conf/datasets/transactions.yaml": contract,
            "jobs/silver/lines.py": '''
            from pyspark.sql import functions as F

            from headgate import SOURCE, Append, Changes, table


            @table("silver.lines", reads={"uploads": Changes("bronze.transactions")}, writes=Append())
            def lines(uploads):
                """One row per item of each record."""
                return uploads.select("transaction_id", F.explode("items").alias("item"), SOURCE).select(
                    "transaction_id", "item.quantity", SOURCE
                )
            ''',
        },
    )
    few_items = expectation("expect_column_values_to_be_between", column="quantity", max_value=5)
    world = expect(World(spark, Project(root), tmp_path / "lake"), root, "silver.lines", few_items)
    item = {"line": 1, "product_id": "P1", "unit_price": 1.0}
    many = [{**item, "quantity": 1}, {**item, "line": 2, "quantity": 9}, {**item, "line": 3, "quantity": 8}]
    upload = world.upload([sale(1, items=many), sale(2)], key="a")
    report = world.run_well()["silver.lines"]
    assert numbers(world, "silver.lines") == [2]
    assert [(u, record) for u, record, _ in world.rejected("silver.lines")] == [(upload, 0)]
    receipt = world.receipts("silver.lines")[upload]
    assert (receipt["records"], receipt["rejected"], receipt["accepted"]) == (2, 1, 1)
    assert (report.written, report.quarantined) == (1, 1)


@pytest.mark.long
def test_a_changed_suite_judges_old_rows_on_backfill_and_releases_on_replay(expecting, tmp_path: Path) -> None:
    world = expecting(MOST)
    ids = [world.upload(few("10.00", "200.00", "30.00"), key="a")]
    world.run_well("+" + SILVER)
    expect(world, tmp_path / "project", SILVER, at_most(max_value=20))
    assert world.runner().backfill(SILVER, uploads=ids).status == "done"
    assert numbers(world) == [1]
    expect(world, tmp_path / "project", SILVER, at_most(max_value=1000))
    world.runner().replay(SILVER)
    assert numbers(world) == [1, 2, 3]
    assert not world.rejected()


@pytest.mark.long
def test_no_expectation_is_accepted_that_did_not_fail(expecting) -> None:
    world = expecting(MOST)
    world.upload(few("10.00"), key="a")
    world.run("+" + SILVER, accepted=[Acceptance(MOST_NAME, "ada", "just in case")])
    assert "accepted" not in world.metadata(SILVER)


def test_a_suite_for_no_table_is_refused_when_the_project_is_loaded(expecting) -> None:
    with pytest.raises(HeadgateError, match=r"no table 'silver.transaction'. Did you mean 'silver.transactions'"):
        expecting(MOST, table="silver.transaction")


#: A suite, and of a record's total and currency whether each critical expectation of it takes them.
amounts = st.sampled_from(["0.00", "5.00", "10.00", "99.99", "1000.00"])
currencies = st.sampled_from(["EUR", "USD", "eur", ""])
bounds = st.tuples(st.integers(0, 50), st.integers(50, 500), st.sampled_from(["critical", "warning"]))
allowed = st.tuples(
    st.lists(st.sampled_from(["EUR", "USD"]), min_size=1, unique=True), st.sampled_from(["critical", "info"])
)
records = st.tuples(st.integers(1, 6), st.integers(0, 3), amounts, currencies)
uploaded = st.lists(st.lists(records, max_size=6), min_size=1, max_size=3)


@pytest.mark.long
@settings(max_examples=int(os.environ.get("HEADGATE_HISTORIES", "4")), deadline=None, derandomize=True)
@given(uploaded, bounds, allowed)
def test_the_counts_balance_for_any_data_and_any_suite(new_world, uploads, within, codes) -> None:
    least, most, how = within
    between = expectation("expect_column_values_to_be_between", how, column="total", min_value=least, max_value=most)
    one_of = expectation("expect_column_values_to_be_in_set", codes[1], column="currency", value_set=codes[0])
    world = new_world()
    expect(world, world.lake.parent / "project", SILVER, between, one_of)
    expected = {}

    def is_wrong(total: str, code: str) -> bool:
        by_total = how == "critical" and not least <= float(total) <= most
        return by_total or (codes[1] == "critical" and code not in codes[0])

    for key, given_records in enumerate(uploads):
        sent = [sale(n, revised=hour, total=total, currency=code) for n, hour, total, code in given_records]
        wrong = sum(is_wrong(total, code) for _, _, total, code in given_records)
        upload = world.upload(sent, key=str(key))
        expected[upload] = (len(sent), wrong, len(sent) - wrong)
        world.run_well("+" + SILVER)
    results = [row for row in world.raw_rows(SILVER) if row["_state"] == "receipt"]
    parts = {row["_key"][2:]: row["_receipt"] for row in results}
    assert {name: (p["records"], p["rejected"], p["accepted"]) for name, p in parts.items()} == expected
    for receipt in parts.values():
        assert receipt["accepted"] == sum(receipt[verdict] for verdict in VERDICTS)
    assert len(world.rejected()) == sum(wrong for _, wrong, _ in expected.values())


@pytest.mark.long
def test_uploads_that_bring_no_new_row_are_no_batch_that_could_have_too_few(expecting) -> None:
    world = expecting(expectation("expect_table_row_count_to_be_between", min_value=1))
    world.upload([sale(1, revised=2)], key="a")
    world.run_well("+" + SILVER)
    world.upload([sale(1, revised=1)], key="b")
    assert world.run_well("+" + SILVER)[SILVER].quality == []
