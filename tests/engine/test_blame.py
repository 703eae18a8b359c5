"""A fault of the engine is reported as Headgate's, with its traceback in the run's log; the author is not blamed."""

from __future__ import annotations

import obstore
import pytest
from pyspark.sql import functions as F

from headgate.engine.write import receipts
from headgate.views.reports import log_path
from tests.engine.world import World, sale


def planted_in_python(*_args, **_kwargs):
    raise KeyError("planted")


def planted_in_an_expression(_records, refused, *_args):
    return refused.select(F.col("no_such_column"))


@pytest.mark.parametrize(
    ("bug", "cause"),
    [(planted_in_python, "KeyError: 'planted'"), (planted_in_an_expression, "no_such_column")],
)
def test_a_bug_in_the_engine_is_internal_and_its_traceback_is_in_the_runs_log(
    spark, sales_project, tmp_path, monkeypatch, bug, cause
):
    world = World(spark, sales_project, tmp_path / "lake")
    world.upload([sale(1)], key="sales")
    monkeypatch.setattr(receipts, "receipts_of", bug)
    runner = world.runner()
    reports = {report.table: report for report in runner.run(["bronze.transactions", "silver.transactions"])}
    error = reports["silver.transactions"].error
    assert error is not None
    assert (error["code"], error["where"], error["retryable"]) == ("internal", "silver.transactions", False)
    assert cause in error["what"]
    assert log_path(runner.run_id) in error["fix"]
    text = bytes(obstore.get(world.environment.object_store(), log_path(runner.run_id)).bytes()).decode()
    assert "Traceback (most recent call last)" in text
    assert bug.__name__ in text or cause in text
    assert "table=silver.transactions" in text
