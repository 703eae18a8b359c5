"""A slice is recomputed whole, and only where something in it changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from headgate.engine.verbs.table_report import Report
from headgate.ledger.ledger import Commit, Ledger
from tests.engine.world import World, sale, write_project

SILVER, ITEMS, GOLD = "silver.transactions", "silver.transaction_items", "gold.daily_store_sales"
TWO_ITEMS = [{"line": n, "product_id": "P", "quantity": 1, "unit_price": 5.0} for n in (1, 2)]


@dataclass(frozen=True)
class Revised:
    """A lake after a run of late and corrected sales, and the files of each of gold's days before it."""

    world: World
    files: dict[int, set[str]]

    def unchanged_days(self) -> list[int]:
        return [day for day, files in self.files.items() if files == gold_files(self.world, day)]

    def gold(self, day: int) -> list[tuple[int, int]]:
        """(transactions, items) of a day of March."""
        rows = [row for row in self.world.rows(GOLD) if row["sale_date"] == date(2026, 3, day)]
        return [(row["transactions"], row["items"]) for row in rows]

    def items_of(self, record: dict[str, Any]) -> list[int]:
        return [row["line"] for row in self.world.rows(ITEMS) if row["transaction_id"] == record["transaction_id"]]


def gold_files(world: World, day: int) -> set[str]:
    return {Path(file).name for file in world.files(GOLD, sale_date=f"2026-03-{day:02d}")}


@pytest.fixture(scope="module")
def revised(two_runs: World, tmp_path_factory: pytest.TempPathFactory) -> Revised:
    world = two_runs.copy(tmp_path_factory.mktemp("revised") / "lake")
    before = {day: gold_files(world, day) for day in (1, 2, 3, 4, 6)}
    corrections = [
        sale(6, day=1),  # late
        sale(3, day=2, revised=1, sold_at="2026-03-03T09:00:00Z"),  # moved to day 3
        sale(5, day=3, revised=2, items=[]),
        sale(7, day=4, revised=1, voided=True),  # the only sale of the day
    ]
    world.upload(corrections, key="third")
    world.run_well()
    return Revised(world, before)


def test_a_late_sale_recomputes_its_day(revised: Revised) -> None:
    assert revised.gold(1) == [(2, 2)]


def test_a_day_without_a_change_keeps_its_files(revised: Revised) -> None:
    assert revised.unchanged_days() == [6]


def test_a_sale_that_moves_to_another_day_changes_both(revised: Revised) -> None:
    assert (revised.gold(2), revised.gold(3)) == ([(1, 1)], [(2, 1)])


def test_a_sale_that_moves_to_another_day_takes_its_items_along(revised: Revised) -> None:
    days = {row["transaction_id"]: row["sale_date"] for row in revised.world.rows(ITEMS)}
    assert days[sale(3, day=2)["transaction_id"]] == date(2026, 3, 3)


def test_a_correction_to_no_items_removes_the_old_ones(revised: Revised) -> None:
    assert revised.items_of(sale(5, day=3)) == []


def test_a_day_that_lost_its_only_sale_is_emptied(revised: Revised) -> None:
    assert revised.gold(4) == []


def test_changes_that_cancel_out_change_neither_items_nor_gold(revised: Revised, tmp_path: Path) -> None:
    """x -> y -> x by ties of revised_at in two runs of silver, and an old version that loses."""
    world = revised.world.copy(tmp_path / "lake")
    days = {day: gold_files(world, day) for day in (1, 2, 3, 6)}
    rows = world.rows(ITEMS)
    world.upload([sale(8, day=6, total="80.00"), sale(5, day=3, revised=1, items=TWO_ITEMS)], key="y")
    world.run_well("bronze.transactions", SILVER)
    assert world.rows(SILVER) != revised.world.rows(SILVER)
    world.upload([sale(8, day=6)], key="x again", at=world.now.replace(minute=30))
    reports = world.run_well()
    assert world.rows(SILVER) == revised.world.rows(SILVER)
    assert {table: reports[table].written for table in (ITEMS, GOLD)} == {ITEMS: 0, GOLD: 0}
    assert {day: gold_files(world, day) for day in days} == days
    assert world.rows(ITEMS) == rows  # the old version's items stayed out
    assert world.kinds() == {}


NOTES = {
    "conf/environments/local.yaml": "lake: lake\nengine: local\n",
    "conf/datasets/notes.yaml": """
        apiVersion: v3.1.0
        kind: DataContract
        id: notes
        version: 1.0.0
        status: active
        team: {name: tests}
        schema:
          - name: notes
            logicalType: object
            properties:
              - {name: note_id, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1}
              - {name: revision, logicalType: integer, required: true}
              - {name: day, logicalType: date}
              - {name: label, logicalType: string}
              - {name: gone, logicalType: boolean}
        customProperties:
          - {property: headgate.format, value: jsonl}
    """,
    "jobs/silver/notes.py": """
        from headgate import SOURCE, Changes, Merge, table

        @table(
            "silver.notes",
            reads={"uploads": Changes("bronze.notes")},
            writes=Merge(["note_id"], sequence_by="revision", delete_when="gone", partition_by=["day"]),
        )
        def notes(uploads):
            '''One row per note.'''
            return uploads.select("note_id", "revision", "day", "label", "gone", SOURCE)
    """,
    "jobs/gold/days.py": """
        from headgate import Affected, Replace, table

        @table("gold.days", reads={"notes": Affected("silver.notes", by=["day"])},
               writes=Replace(by=["day"], partition_by=["day"]))
        def days(notes):
            '''One row per day.'''
            return notes.groupBy("day").count()
    """,
    "jobs/gold/labels.py": """
        from headgate import Affected, Replace, table

        @table("gold.labels", reads={"notes": Affected("silver.notes", by=["label"])}, writes=Replace(by=["label"]))
        def labels(notes):
            '''One row per note, without its name.'''
            return notes.select("label", "day")
    """,
    "jobs/gold/shifted.py": """
        from pyspark.sql import functions as F
        from headgate import Affected, Replace, table

        @table("gold.shifted", reads={"notes": Affected("silver.notes", by=["label"])}, writes=Replace(by=["label"]))
        def shifted(notes):
            '''One row per label, but for strays.'''
            label = F.when(F.col("label") == "stray", "elsewhere").otherwise(F.col("label"))
            return notes.select(label.alias("label")).distinct()
    """,
}


@dataclass(frozen=True)
class Notes:
    """A project of notes whose days and labels may be null, before and after a second run.

    commit: the second one of gold.labels. operation: how it is made.
    """

    before: dict[str, list[tuple]]
    after: dict[str, list[tuple]]
    reports: dict[str, Report]
    commit: Commit
    operation: str


def note(name: str, day: int | None, label: str | None, *, revision: int = 1, gone: bool = False) -> dict[str, Any]:
    written = f"2026-03-{day:02d}" if day else None
    return {"note_id": name, "revision": revision, "day": written, "label": label, "gone": gone}


@pytest.fixture(scope="module", params=["WRITE", "MERGE"], ids=["files are replaced", "by a MERGE"])
def notes(request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Notes:
    root = tmp_path_factory.mktemp("notes")
    world = World(spark, write_project(root, NOTES), root / "lake")
    first = [
        note("a", None, "twin"),
        note("b", None, "twin"),
        note("c", 1, None),
        note("d", 2, "kept"),
        note("e", None, "three"),
        note("f", None, "three"),
        note("g", 3, "only"),
    ]
    world.records("notes", first, key="first")
    world.run_well()
    before = tables_of_notes(world)
    second = [
        note("b", None, "twin", revision=2, gone=True),
        note("c", 1, None, revision=2, gone=True),
        note("h", None, "three"),
        note("i", 5, None),
        note("s", 4, "stray"),
        note("g", 3, "only", revision=2, gone=True),
    ]
    world.records("notes", second, key="second")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "MERGE":
            patch.setattr("headgate.engine.write.rewrite._MOST_ROWS", 0)
        reports = world.run()
    commit = Ledger(world.environment).commit("gold.labels", 1)
    return Notes(before, tables_of_notes(world), reports, commit, request.param)


def tables_of_notes(world: World) -> dict[str, list[tuple]]:
    names = ("gold.days", "gold.labels", "gold.shifted")
    return {name: sorted((tuple(row.values()) for row in world.rows(name)), key=str) for name in names}


def test_a_partition_of_null_is_replaced_like_any_other(notes: Notes) -> None:
    counts = [[row[1] for row in result["gold.days"] if row[0] is None] for result in (notes.before, notes.after)]
    assert counts == [[4], [4]]  # one note deleted, one inserted: still a single row


def test_a_partition_that_became_empty_is_emptied(notes: Notes) -> None:
    days = [[row[0].day for row in result["gold.days"] if row[0]] for result in (notes.before, notes.after)]
    assert days == [[1, 2, 3], [2, 4, 5]]


def labels(tables: dict[str, list[tuple]], label: str | None) -> int:
    return sum(row[0] == label for row in tables["gold.labels"])


@pytest.mark.parametrize(
    ("label", "copies"),
    [("twin", [2, 1]), ("three", [2, 3]), ("only", [1, 0]), ("kept", [1, 1])],
    ids=["two go down to one", "two go up to three", "one goes", "one stays"],
)
def test_equal_rows_of_a_slice_are_kept_as_many_as_there_are(notes: Notes, label: str, copies: list[int]) -> None:
    assert [labels(notes.before, label), labels(notes.after, label)] == copies


def test_a_change_by_difference_counts_the_rows_that_differ(notes: Notes) -> None:
    before, after = (Counter(tables["gold.labels"]) for tables in (notes.before, notes.after))
    changed = {row for row in before | after if before[row] != after[row]}  # equal rows cannot be distinguished
    came, went = (sum(count for row, count in rows.items() if row in changed) for rows in (after, before))
    assert notes.commit.operation == notes.operation
    assert notes.commit.metadata.counts == {"inserted": came, "deleted": went}


def test_a_slice_of_null_by_keys_loses_missing_rows(notes: Notes) -> None:
    results = [[row[1].day for row in rows["gold.labels"] if row[0] is None] for rows in (notes.before, notes.after)]
    assert results == [[1], [5]]


def test_a_row_outside_its_slice_is_refused_and_the_table_is_as_it_was(notes: Notes) -> None:
    report = notes.reports["gold.shifted"]
    assert report.status == "failed"
    assert "gave a row of the slice label=elsewhere" in report.reason
    assert notes.after["gold.shifted"] == notes.before["gold.shifted"]
