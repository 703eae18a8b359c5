"""Every read, write and legal pair on a small project: propagation of changes, and refusals."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from pyspark.sql import SparkSession

from headgate.engine.verbs.table_report import Report
from tests.engine import club_model
from tests.engine.club import (
    CITIES,
    DAILY,
    FED,
    FIRST_SCANS,
    FROZEN,
    GOLD,
    HISTORY,
    KNOWN,
    SCAN_LOG,
    SCANS,
    VALUE,
    VISITS,
    assert_counts_balance,
    club,
    member,
    own_club,
    scan,
    tables,
    visit,
)
from tests.engine.test_position import clean_up_log
from tests.engine.world import NOON, World

pytestmark = pytest.mark.long

FIRST_MEMBERS = [
    member("m", 1),
    member("m", 3, "B", level="two"),
    member("n", 2),
    member("g", 1),
    member("g", 4, gone=True),
    {"member_id": "z"},
    "{broken",
]
FIRST_VISITS = [
    visit("v1"),
    visit("v2", "n", 2),
    visit("v3", None, None),
    visit("v4", "x", 2),
    visit("v5", "m", 3),
    visit("v6", "m", 4, void=True),
    visit("v7", amount=1.234),
    "{broken",
]
FIRST_SCANS_SENT = [scan("s1", "x", "y", "x"), scan("s2"), scan("s3", "", "x"), scan("s4", None), "{broken"]


@pytest.fixture(scope="module")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The club after one run, to be copied and never changed."""
    world = club(spark, tmp_path_factory.mktemp("club") / "lake")
    world.records("members", FIRST_MEMBERS, key="first")
    world.records("visits", FIRST_VISITS, key="first")
    world.records("scans", FIRST_SCANS_SENT, key="first")
    world.run_well()
    return world


@pytest.fixture
def grown(built: World, tmp_path: Path) -> World:
    return built.copy(tmp_path / "lake")


def assert_as_defined(world: World) -> None:
    assert tables(world) == club_model.tables(world.sent)
    assert_counts_balance(world)


def works(reports: dict[str, Report], *names: str) -> dict[str, tuple[str, int]]:
    """(kind of work, rows written) of each table that had any."""
    return {name: (reports[name].work, reports[name].written) for name in names if reports[name].status == "done"}


# --- runs


def test_one_run_gives_the_tables_of_the_definitions(built: World) -> None:
    assert_as_defined(built)


def test_a_second_run_commits_nothing(built: World) -> None:
    before = built.versions()
    reports = built.run()
    assert {report.status for report in reports.values()} == {"current"}
    assert built.versions() == before


def test_the_counts_of_a_table_fed_by_an_append_table_are_records(built: World) -> None:
    """s1 and s3 have codes; the rows of s1 are x, y, x, and those of s3 are '' and x."""
    details = {name: next(built.planner().ledger.history(name)).metadata.counts for name in FED}
    parts = ("records", "accepted", "no_row", "inserted")
    assert [details[FIRST_SCANS][part] for part in parts] == [2, 2, 0, 2]
    assert [details[SCAN_LOG][part] for part in parts] == [2, 2, 0, 4]


# --- sources that are not built yet


def test_a_source_that_is_not_built_is_empty_until_it_comes(spark: SparkSession, tmp_path: Path) -> None:
    world = club(spark, tmp_path / "lake")
    world.records("visits", [visit("v1"), visit("v2", "n", 2)], key="first")
    reports = world.run_well()
    assert reports[HISTORY].reason == "silver.members is not built yet"
    assert {row["city"] for row in world.rows(VALUE)} == {"unknown"}
    assert {row["cities"] for row in world.rows(KNOWN)} == {0}
    assert world.kinds() == {}
    world.records("members", [member("m", 1), member("n", 2, "B")], key="first")
    world.run_well()
    assert {row["member_id"]: row["city"] for row in world.rows(VALUE)} == {"m": "A", "n": "B"}
    assert {row["cities"] for row in world.rows(KNOWN)} == {2}
    assert {row["cities"] for row in world.rows(FROZEN)} == {0}
    assert world.kinds() == {}


def test_either_driving_read_may_come_later(spark: SparkSession, tmp_path: Path) -> None:
    world = club(spark, tmp_path / "lake")
    world.records("members", [member("m", 1), member("n", 2, "B")], key="first")
    world.run_well()
    assert world.rows(VALUE) == []
    world.records("visits", [visit("v1"), visit("v2", "x", 2)], key="first")
    reports = world.run_well()
    assert reports[VALUE].work == "increment"
    assert {row["member_id"]: row["city"] for row in world.rows(VALUE)} == {"m": "A", "x": "unknown"}
    assert tables(world) == club_model.tables(world.sent)


# --- net changes


def test_rows_that_are_deleted_and_restored_affect_nothing(grown: World) -> None:
    """x -> y -> x by ties, in silver only: members and visits return to their first values."""
    before = {name: grown.rows(name) for name in GOLD}
    for number, (city, amount) in enumerate([("C", 9.0), ("B", 1.5)]):
        at = NOON + timedelta(minutes=1 + number)
        grown.records("members", [member("m", 3, city, level="two")], key=f"{number}", at=at)
        grown.records("visits", [visit("v2", "n", 2, amount=amount)], key=f"{number}", at=at)
        grown.run_well("+silver.members", "+silver.visits")
    reports = grown.run_well()
    assert works(reports, *GOLD) == dict.fromkeys((HISTORY, DAILY, VALUE, KNOWN, FROZEN), ("increment", 0))
    assert {name: grown.rows(name) for name in GOLD} == before
    assert grown.kinds() == {}
    assert_as_defined(grown)


def test_a_snapshot_that_moved_rebuilds_and_a_frozen_one_does_not(grown: World) -> None:
    grown.records("members", [member("k", 2, "C")], key="second")
    reports = grown.run_well()
    assert works(reports, CITIES, KNOWN, FROZEN) == {CITIES: ("rebuild", 3), KNOWN: ("rebuild", 4)}
    assert reports[KNOWN].reason == "gold.cities changed, which is read whole"
    assert {row["cities"] for row in grown.rows(FROZEN)} == {2}
    assert_as_defined(grown)
    grown.records("visits", [visit("v8", "m", 2)], key="second")
    grown.run_well("+gold.daily_frozen")
    assert {row["day"]: row["cities"] for row in grown.rows(FROZEN)} == {
        date(2026, 3, 1): 2,
        date(2026, 3, 2): 3,
        date(2026, 3, 3): 2,
        None: 2,
    }


def test_a_snapshot_that_was_written_again_as_it_was_rebuilds_nothing(grown: World) -> None:
    """Another level of a member: gold.members moved, gold.cities is computed again and is the same."""
    grown.records("members", [member("n", 5, level="two")], key="second")
    files = grown.files(KNOWN)
    reports = grown.run_well()
    assert works(reports, CITIES, KNOWN) == {CITIES: ("rebuild", 2), KNOWN: ("increment", 0)}
    assert grown.files(KNOWN) == files
    assert grown.kinds() == {}
    assert_as_defined(grown)


def test_a_whole_table_is_written_only_where_its_snapshot_moved_on_net(grown: World) -> None:
    files = grown.files(CITIES)
    for number, city in enumerate(["C", "B"]):
        at = NOON + timedelta(minutes=1 + number)
        grown.records("members", [member("m", 3, city, level="two")], key=f"{number}", at=at)
        grown.run_well("+gold.members")
    reports = grown.run_well(CITIES)
    assert works(reports, CITIES) == {CITIES: ("increment", 0)}
    assert grown.files(CITIES) == files
    assert tables(grown)[CITIES] == club_model.tables(grown.sent)[CITIES]


def test_a_slice_that_lost_its_rows_is_emptied_and_null_is_a_slice(grown: World) -> None:
    grown.records("visits", [visit("v5", "m", 3, revision=2, void=True)], key="second")
    grown.records("visits", [visit("v3", None, None, revision=2, void=True)], key="third")
    grown.records("visits", [visit("v8", None, 5), visit("v9", "q", None)], key="fourth")
    grown.run_well()
    for table in (DAILY, KNOWN, FROZEN):
        assert {row["day"]: row["visits"] for row in grown.rows(table)} == {
            date(2026, 3, 1): 1,
            date(2026, 3, 2): 2,
            date(2026, 3, 5): 1,
            None: 1,
        }
    assert {row["member_id"] for row in grown.rows(VALUE)} == {"m", "n", "x", "q", None}
    assert_as_defined(grown)
    grown.records("visits", [visit("v9", "q", None, revision=2, void=True)], key="fifth")
    grown.run_well()
    assert {row["day"] for row in grown.rows(DAILY)} == {date(2026, 3, day) for day in (1, 2, 5)}
    assert_as_defined(grown)


# --- changes of an insert-only table by other writers


def test_a_rollback_of_an_append_table_rebuilds_readers_of_its_changes(grown: World) -> None:
    grown.records("scans", [scan("s5", "z"), scan("s6", "x")], key="second")
    grown.run_well()
    grown.delta(SCANS).restoreToVersion(0)
    reports = grown.run_well()
    assert reports[SCANS].work == "increment"
    for table in FED:
        assert (reports[table].work, reports[table].reason) == ("rebuild", "rows went away from silver.scans")
    assert_as_defined(grown)


def test_compaction_of_an_append_table_is_no_work(grown: World) -> None:
    grown.records("scans", [scan("s5", "z")], key="second")
    grown.run_well()
    before = grown.versions()
    grown.delta(SCANS).optimize().executeCompaction()
    assert grown.version(SCANS) == before[SCANS] + 1
    assert grown.kinds() == {}
    grown.records("scans", [scan("s6", "z")], key="third")
    reports = grown.run_well()
    assert {reports[table].work for table in FED} == {"increment"}
    assert_as_defined(grown)


# --- refusals


def module(name: str, read: str, writes: str, body: str) -> str:
    return dedent(f'''\
        from pyspark.sql import DataFrame
        from pyspark.sql import functions as F

        from headgate import SOURCE, Affected, Append, Changes, History, Merge, Replace, table


        @table("{name}", reads={{"rows": {read}}}, writes={writes})
        def declared(rows: DataFrame) -> DataFrame:
            """One row per thing."""
            return {body}
    ''')


OF_SCANS, BY_MEMBER, BY_DAY = (
    'Changes("silver.scans")',
    'Affected("silver.visits", by=["member_id"])',
    'Affected("silver.visits", by=["day"])',
)
SPENT = 'select("member_id", "day", "amount")'
VERSIONED = 'History(keys=["member_id"], sequence_by="day")'
STRAYED = 'F.when(F.col("amount") == 66, "elsewhere").otherwise(F.col("member_id")).alias("member_id")'
LEAPT = 'F.when(F.col("amount") == 66, F.lit("1999-01-01").cast("date")).otherwise(F.col("day")).alias("day")'
#: Tables that fail in a second run with invalid rows -> module, and a part of the error.
MISTAKES = {
    "silver_doubled": (
        module("silver.doubled", OF_SCANS, 'Merge(keys=["scan_id", "code"])', 'rows.filter("place <> 1")'),
        "has 2 rows; Merge accepts one",
    ),
    "silver_keyless": (
        module(
            "silver.keyless",
            OF_SCANS,
            'Merge(keys=["key"])',
            'rows.filter("place = 0").withColumn("key", F.expr("nullif(code, \'\')"))',
        ),
        "key key is null",
    ),
    "gold_tied": (
        module("gold.tied", BY_MEMBER, VERSIONED, f'rows.filter("day IS NOT NULL").{SPENT}'),
        "two versions of member_id=m at day=2026-03-01 differ",
    ),
    "gold_timeless": (
        module("gold.timeless", BY_MEMBER, VERSIONED, f'rows.filter("amount = 77").{SPENT}'),
        "a version of member_id=t has no day",
    ),
    "gold_strayed": (
        module("gold.strayed", BY_MEMBER, VERSIONED, f'rows.filter("amount = 66").select("day", {STRAYED})'),
        "gave a row of the slice member_id=elsewhere",
    ),
    "gold_strays": (
        module("gold.strays", BY_MEMBER, 'Replace(by=["member_id"])', f'rows.select("amount", {STRAYED})'),
        "gave a row of the slice member_id=elsewhere",
    ),
    "gold_partly": (
        module("gold.partly", BY_DAY, 'Replace(by=["day"], partition_by=["day"])', f'rows.select({LEAPT}, "amount")'),
        "gave a row of the slice day=1999-01-01",
    ),
}
NAMED = {
    "gold_named": module("gold.named", BY_MEMBER, VERSIONED, 'rows.withColumn("valid_from", F.lit(1))'),
}


@pytest.fixture(scope="module")
def mistaken(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict, dict[str, Report]]:
    """A club whose tables have mistakes, their rows before the second run, and the reports."""
    modules = {name: text for name, (text, _) in MISTAKES.items()} | NAMED
    world = own_club(spark, tmp_path_factory.mktemp("mistaken"), **modules)
    names = [name.replace("_", ".", 1) for name in MISTAKES]
    world.records("visits", [visit("v1"), visit("v2", "n", 2)], key="first")
    world.records("scans", [scan("s1", "x"), scan("s2", "y", "x")], key="first")
    world.run("+silver.doubled", "+silver.keyless", *(f"+{name}" for name in names))
    before = {name: (world.version(name), world.rows(name)) for name in names}
    second = [visit("v3", amount=9), visit("s", "s", 4, amount=66), visit("t", "t", None, amount=77)]
    world.records("visits", second, key="second")
    world.records("scans", [scan("s3", "x", "y", "x"), scan("s4", "", "x")], key="second")
    return world, before, world.run("+silver.doubled", "+silver.keyless", "gold.named", *(f"+{n}" for n in names))


@pytest.mark.parametrize("name", MISTAKES)
def test_invalid_output_fails_the_table_and_does_not_change_it(mistaken, name):
    world, before, reports = mistaken
    table = name.replace("_", ".", 1)
    version, rows = before[table]
    assert version == 0
    assert reports[table].status == "failed"
    assert MISTAKES[name][1] in reports[table].error["what"]
    assert reports[table].error["where"].startswith(f"jobs/{table.replace('.', '/')}.py:")
    assert reports[table].error["fix"]
    assert (world.version(table), world.rows(table)) == (version, rows)


def test_a_column_that_history_adds_is_refused(mistaken):
    _, _, reports = mistaken
    assert reports["gold.named"].error["what"] == "History adds the column 'valid_from'"


# --- a column that a function starts to return

WITH_MORE = {
    "silver/visits.py": ('"void", SOURCE', '"void", SOURCE, F.col("amount").cast("int").alias("more")'),
    "silver/scans.py": (", SOURCE)", ', SOURCE, F.length("scan_id").alias("more"))'),
    "silver/scan_log.py": (", SOURCE)", ', SOURCE, F.lit(7).alias("more"))'),
    "gold/members.py": ("return versions", 'return versions.withColumn("more", F.lit(7))'),
    "gold/daily.py": (
        '.alias("amount"),\n    )',
        '.alias("amount"),\n        F.max("amount").cast("int").alias("more"),\n    )',
    ),
    "gold/member_value.py": ('        "amount",\n    )', '        "amount",\n        F.lit(7).alias("more"),\n    )'),
}
GAINING = tuple(name.replace("/", ".").removesuffix(".py") for name in WITH_MORE)


def start_to_return_more(world: World) -> World:
    """The same lake, with functions that return a column `more`."""
    for name, (old, new) in WITH_MORE.items():
        path = world.project.jobs / name
        text = path.read_text()
        assert old in text
        text = text.replace(old, new)
        path.write_text(f"from pyspark.sql import functions as F\n{text}")
    changed = World(world.spark, world.project, world.lake)
    changed.sent = world.sent
    return changed


@pytest.fixture
def changed(spark: SparkSession, built: World, tmp_path: Path) -> World:
    world = own_club(spark, tmp_path)
    shutil.copytree(built.lake, world.lake)
    world.sent = list(built.sent)
    return start_to_return_more(world)


def test_a_new_column_is_added_and_old_rows_have_null(changed: World) -> None:
    changed.records("visits", [visit("v2", "n", 2, revision=2, amount=3), visit("v9", "m", 9)], key="second")
    changed.records("members", [member("n", 6, "C")], key="second")
    changed.records("scans", [scan("s7", "w")], key="second")
    reports = changed.run_well()
    assert {reports[name].work for name in GAINING} == {"increment"}
    assert {name: {row["more"] for row in changed.rows(name)} for name in GAINING} == {
        "silver.visits": {1, 3, None},
        "silver.scans": {2, None},
        "silver.scan_log": {7, None},
        "gold.members": {7, None},
        "gold.daily": {1, 3, None},
        "gold.member_value": {7, None},
    }
    defined = club_model.tables(changed.sent)
    for name in GAINING:
        plain = [{key: value for key, value in row.items() if key != "more"} for row in changed.rows(name)]
        assert sorted(plain, key=club_model.ordered_by) == defined[name]


def test_a_new_column_comes_with_new_rows_alone_too(changed: World) -> None:
    """Nothing is updated or deleted, so every commit is an append."""
    changed.records("visits", [visit("v9", "q", 9)], key="second")
    changed.records("scans", [scan("s7", "w")], key="second")
    changed.records("members", [member("q", 6, "C")], key="second")
    reports = changed.run_well()
    assert {reports[name].work for name in GAINING} == {"increment"}
    for name in GAINING:
        assert {row["more"] for row in changed.rows(name)} > {None}


def test_a_source_with_a_new_column_and_a_lost_log_is_read_again(changed: World) -> None:
    changed.records("visits", [visit("v2", "n", 2, revision=2, amount=3)], key="second")  # a MERGE: one commit
    changed.run_well("+silver.visits")
    clean_up_log(changed, VISITS)  # its newest commit, which adds the column, is still there
    reports = changed.run_well(DAILY)
    assert (reports[DAILY].work, reports[DAILY].reason) == ("rebuild", "the schema of silver.visits changed")


def test_a_new_column_waits_where_nothing_is_affected(changed: World) -> None:
    """Silver's new rows net to nothing for gold.members: its position moves, and its columns may wait."""
    for number, city in enumerate(["C", "B"]):
        at = NOON + timedelta(minutes=1 + number)
        changed.records("members", [member("m", 3, city, level="two")], key=f"{number}", at=at)
        changed.run_well("+silver.members")
    reports = changed.run_well("gold.members")
    assert works(reports, HISTORY) == {HISTORY: ("increment", 0)}
    assert {row.get("more") for row in changed.rows(HISTORY)} == {None}
