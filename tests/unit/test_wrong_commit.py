"""A commit whose own counts are not those of the batch that the gate passed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from headgate.engine.write.outcome import Job
from headgate.engine.write.record_commit import check_metrics
from headgate.errors import BatchRefused, WrongCommit
from headgate.ledger.ledger import Commit
from headgate.ledger.record_table import RecordCounts

COUNTS = RecordCounts(inserted=2, updated=1, rejected=1, uploads=1, replacing=1)


def job(version: int) -> Job:
    head = SimpleNamespace(version=version, exists=version >= 0)
    return cast(Job, SimpleNamespace(node=SimpleNamespace(name="silver.t"), work=SimpleNamespace(head=head)))


def commit(operation: str, **metrics: int) -> Commit:
    return cast(Commit, SimpleNamespace(version=4, operation=operation, metrics=cast(dict[str, Any], metrics)))


def test_a_commit_with_the_counts_of_the_verdicts_is_right() -> None:
    check_metrics(job(3), COUNTS, commit("WRITE", numOutputRows=5))
    check_metrics(job(3), COUNTS, commit("MERGE", numTargetRowsInserted=4, numTargetRowsUpdated=1))


@pytest.mark.parametrize(
    "wrong",
    [
        commit("WRITE", numOutputRows=4),
        commit("WRITE"),
        commit("MERGE", numTargetRowsInserted=5, numTargetRowsUpdated=0),
        commit("MERGE", numTargetRowsInserted=4, numTargetRowsUpdated=2),
    ],
)
def test_a_commit_with_other_counts_says_how_to_take_it_back(wrong: Commit) -> None:
    with pytest.raises(WrongCommit, match="version 4 is committed") as raised:
        check_metrics(job(3), COUNTS, wrong)
    assert "headgate rollback silver.t --to 3" in raised.value.fix
    assert not isinstance(raised.value, BatchRefused)  # that says that the table is unchanged


def test_a_first_version_with_other_counts_is_built_again() -> None:
    with pytest.raises(WrongCommit) as raised:
        check_metrics(job(-1), COUNTS, commit("WRITE", numOutputRows=4))
    assert "headgate run --rebuild -s silver.t" in raised.value.fix
