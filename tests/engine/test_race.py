"""Two runs that planned against the same head: one wins, and the other detects it."""

from __future__ import annotations

from typing import Any

import pytest
from deltalake.exceptions import CommitFailedError

from headgate.engine.delta.commit import Committer
from tests.engine import model
from tests.engine.world import World, sale

TABLES = ("bronze.transactions", "silver.transactions", "gold.daily_store_sales", "silver.transaction_items")


def test_the_loser_of_a_race_names_the_winner_and_finds_the_work_done(grown: World) -> None:
    """By each way of writing: an append, two kinds of MERGE, and a replaced partition. Delta skips each in silence."""
    grown.upload([sale(1, revised=2, total="12.00"), sale(3, day=5, revised=1), sale(6)], key="third")
    details, expected = {}, {}
    for table in TABLES:
        planner = grown.planner()
        stale, plan = [planner.plan_table(table)], planner.plan_table
        winner = grown.runner()
        version = winner.run([table])[0].version
        planner.plan_table = lambda name, stale=stale, plan=plan: stale.pop() if stale else plan(name)
        report = grown.runner(planner).run([table])[0]
        details[table] = (report.status, report.reason, report.version, grown.version(table))
        expected[table] = ("current", f"run {winner.run_id} committed version {version} first", version, version)
    assert details == expected
    assert grown.tables() == model.tables(grown.sent)


def test_a_commit_whose_answer_was_lost_is_known_as_this_runs(grown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer tried again, met its own commit, and took it for another's."""
    add = Committer._add

    def answer_lost(self: Committer, *arguments: Any) -> None:
        add(self, *arguments)
        raise CommitFailedError("a concurrent transaction")

    monkeypatch.setattr(Committer, "_add", answer_lost)
    grown.upload([sale(6)], key="third")
    before = grown.version("bronze.transactions")
    report = grown.run("bronze.transactions")["bronze.transactions"]
    assert (report.status, report.version) == ("done", before + 1)


def test_two_runs_that_begin_in_the_same_second_have_different_names(two_runs: World) -> None:
    assert two_runs.runner().run_id != two_runs.runner().run_id
