"""The commit metadata: round trip, older formats are read, newer formats are refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from headgate import __version__
from headgate.errors import SetupError, StorageError
from headgate.ledger.ledger import parse_commit
from headgate.ledger.metadata import FORMAT, CommitMetadata, Replay
from headgate.ledger.position import Position, SourcePosition
from headgate.ledger.record_table import RecordCounts
from headgate.suites.quality import Acceptance, Result

POSITION = Position({"bronze.sales": SourcePosition("an-id", 7)})
RESULT = Result("a is set", "expect_column_values_to_not_be_null", ("a",), "row", "critical", True, 3, 0)

#: Every field with a value that is not its default.
FULL = CommitMetadata(
    table="silver.sales",
    run="20260302T120000-1",
    position=POSITION,
    planned=4,
    declared='{"reads": []}',
    code="c1",
    codes=("c0", "c1"),
    contract={"columns": {"a": "string"}},
    suite="s1",
    suites=("s0", "s1"),
    changes_rows=False,
    counts=RecordCounts(records=3, accepted=3, inserted=3, rows=3, uploads=1).as_dict(),
    quality=(RESULT,),
    accepted=(Acceptance("a is set", "Ada", "known"),),
    replay=Replay("record = 1", 2, {"u": 2}),
    rolled_back=(5, 3),
    copied_from=4,
    copied_version=2,
)

#: A document as versions of Headgate wrote it before there was a format number.
FORMAT_1 = {
    "headgate": "0.1.0",
    "table": "silver.sales",
    "run": "20260302T120000-1",
    "position": {"bronze.sales": {"id": "an-id", "version": 7}},
    "planned": 4,
    "declared": '{"reads": []}',
    "code": "c1",
    "codes": ["c0", "c1"],
    "counts": {"records": 3, "unparsable": 0, "rejected": 1, "accepted": 2, "quarantined": 1},
    "changes_rows": True,
    "quality": [RESULT.as_dict()],
    "rolled_back": [5, 3],
}


def read(value: Any) -> CommitMetadata:
    metadata = CommitMetadata.from_json(json.dumps(value), where="silver.sales, version 5")
    assert metadata is not None
    return metadata


def written(metadata: CommitMetadata) -> dict[str, Any]:
    return dict(json.loads(metadata.to_json()))


# --- round trips


@pytest.mark.parametrize(
    "metadata",
    [FULL, CommitMetadata(), CommitMetadata(position=Position()), CommitMetadata(position=POSITION, changes_rows=True)],
    ids=["every field", "no field", "an empty position", "a position"],
)
def test_metadata_is_read_back_as_it_was_written(metadata: CommitMetadata) -> None:
    assert CommitMetadata.from_json(metadata.to_json()) == metadata


def test_a_bronze_position_is_the_time_of_its_listing() -> None:
    position = Position(listed_at=datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert position.as_dict() == {"landing": {"listed_at": "2026-03-02T12:00:00+00:00"}}
    assert Position.from_dict(position.as_dict()) == position


def test_a_document_names_its_format_and_version_and_leaves_out_what_is_empty() -> None:
    expected = {"headgate": __version__, "format": FORMAT, "table": "t", "changes_rows": True, "run": "r"}
    assert written(CommitMetadata(table="t", run="r")) == expected


def test_the_full_document_has_the_documented_keys() -> None:
    assert written(FULL) == {
        "headgate": __version__,
        "format": FORMAT,
        "table": "silver.sales",
        "run": "20260302T120000-1",
        "position": {"bronze.sales": {"id": "an-id", "version": 7}},
        "planned": 4,
        "declared": '{"reads": []}',
        "code": "c1",
        "codes": ["c0", "c1"],
        "contract": {"columns": {"a": "string"}},
        "suite": "s1",
        "suites": ["s0", "s1"],
        "changes_rows": False,
        "counts": dict(FULL.counts),
        "quality": [RESULT.as_dict()],
        "accepted": [{"expectation": "a is set", "by": "Ada", "reason": "known"}],
        "replay": {"where": "record = 1", "released": 2, "uploads": {"u": 2}},
        "rolled_back": [5, 3],
        "copied_from": 4,
        "copied_version": 2,
    }


# --- formats


def test_format_1_is_read() -> None:
    metadata = read(FORMAT_1)
    assert (metadata.position, metadata.planned, metadata.codes) == (POSITION, 4, ("c0", "c1"))
    assert (metadata.quality, metadata.rolled_back, metadata.headgate) == ((RESULT,), (5, 3), "0.1.0")
    counts = metadata.record_counts
    assert counts is not None and (counts.records, counts.quarantined, counts.changed) == (3, 1, None)


def test_the_oldest_documents_name_only_the_code_of_their_own_batch() -> None:
    old = {key: value for key, value in FORMAT_1.items() if key not in ("codes", "changes_rows", "counts", "quality")}
    metadata = read(old)
    assert (metadata.codes, metadata.changes_rows, metadata.record_counts) == (("c1",), True, None)


def test_format_1_is_written_again_as_the_current_format() -> None:
    assert written(read(FORMAT_1))["format"] == FORMAT


@pytest.mark.parametrize("number", [FORMAT + 1, "next"])
def test_a_newer_format_is_refused_and_says_what_to_install(number: Any) -> None:
    newer = {**FORMAT_1, "format": number, "headgate": "99.0.0"}
    with pytest.raises(SetupError) as error:
        read(newer)
    assert f"the commit metadata has format {number}" in error.value.message
    assert error.value.where == "silver.sales, version 5"
    assert error.value.fix == f"upgrade Headgate from {__version__} to 99.0.0 or newer"


def test_a_key_that_this_version_does_not_know_is_ignored() -> None:
    assert read({**FORMAT_1, "format": FORMAT, "added_later": 1}) == read({**FORMAT_1, "format": FORMAT})


@pytest.mark.parametrize("damage", [{"position": {"bronze.sales": {"id": "x"}}}, {"quality": [{"x": 1}]}, {"codes": 1}])
def test_a_damaged_document_is_an_error_that_names_the_commit(damage: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match="the commit metadata cannot be read") as error:
        read({**FORMAT_1, "format": FORMAT, **damage})
    assert error.value.where == "silver.sales, version 5"


@pytest.mark.parametrize("text", [None, "", "not JSON", "[]", '{"run": "of another writer"}'])
def test_the_metadata_of_another_writer_is_none(text: str | None) -> None:
    assert CommitMetadata.from_json(text) is None


def test_a_commit_in_the_log_is_refused_by_its_table_and_version() -> None:
    info = {"commitInfo": {"userMetadata": json.dumps({"headgate": "9", "format": 99})}}
    with pytest.raises(SetupError) as error:
        parse_commit(5, json.dumps(info).encode(), where="silver.sales, version 5")
    assert error.value.where == "silver.sales, version 5"


# --- copies


def test_a_copied_position_leaves_out_what_belongs_to_the_batch() -> None:
    copied = FULL.taken_over("r2", 9, copied_from=9, changes_rows=False)
    assert (copied.run, copied.planned, copied.copied_from, copied.position) == ("r2", 9, 9, POSITION)
    assert (copied.codes, copied.suites, copied.contract) == (FULL.codes, FULL.suites, FULL.contract)
    batch = {"counts", "quality", "accepted", "replay", "rolled_back"}
    assert not batch & written(copied).keys()
