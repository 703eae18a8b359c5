"""Any value as a partition, slice, key and sequence: it goes in and comes out the same, in every write and rebuild."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.engine.values_project import SILVER, TYPES, Upload, expected_tables, project_files, shown
from tests.engine.world import NOON, World, write_project

LONG = "x" * 300
#: Values that a folder's name, SQL text, Parquet's statistics or Delta's log treat in ways of their own.
FIRST: dict[str, list[Any]] = {
    "text": ["Lindau", "", None, "__HIVE_DEFAULT_PARTITION__", "${spark.app.name}", "SUMMER", "a\0b", "it's \\ %2F"],
    "number": ["-0.0", "-0.0", "1.5", None, "NaN", "1e-7"],
}
THEN: dict[str, list[Any]] = {
    "text": ["", "SUMMER", "${spark.app.name}", LONG, ":" * 90, None, "a\0b", "${env:HOME}"],
    "number": ["-0.0", "0.0", "2.5", "NaN", "Infinity", None],
}
DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(datetime.isoformat)
ANY = {
    "text": st.one_of(
        st.sampled_from([*FIRST["text"], *THEN["text"]]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        st.text("${}'\\%:/=\n\0é\U0001f600", max_size=100),
    ),
    "number": st.one_of(
        st.sampled_from([*FIRST["number"], *THEN["number"]]),
        st.floats().map(lambda value: repr(value).replace("inf", "Infinity").replace("nan", "NaN")),
    ),
    "amount": st.decimals(-(10**15), 10**15, places=4).map(str),
    "count": st.integers(-(2**63), 2**63 - 1),
    "day": DAYS,
    "moment": MOMENTS,
}
#: Of each type. An example takes two minutes, however many values it has.
EXAMPLES = int(os.environ.get("HEADGATE_EXAMPLES", "1"))


@st.composite
def batches(draw: st.DrawFn, kind: str) -> list[Upload]:
    """Two uploads in which each of some values comes several times."""
    assume(draw(st.integers(0, 2**32)) > 0)  # hypothesis tries its simplest example first, which shows nothing here
    values = draw(st.lists(ANY[kind] | st.none(), min_size=8, max_size=16))
    record = st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 3), st.sampled_from(values))
    return [draw(st.lists(record, min_size=12, max_size=24)) for _ in range(2)]


def assert_tables(world: World, uploads: dict[str, list[Upload]]) -> None:
    for kind, batch in uploads.items():
        for table, rows in expected_tables(kind, batch).items():
            assert shown(table, world.rows(table)) == rows, table


def run_uploads(world: World, uploads: dict[str, list[Upload]]) -> None:
    """Uploads and runs phase by phase, then a rebuild; after each the tables are as defined."""
    at, phases = NOON, max(map(len, uploads.values()))
    for phase in range(phases):
        for kind, batch in uploads.items():
            at += timedelta(seconds=1)
            records = [{"id": i, "rev": r, "v": v} for i, r, v in batch[phase]]
            for name in SILVER:
                world.records(f"{name}_{kind}", records, key=f"{kind}-{phase}", at=at)
        world.run_well()
        assert_tables(world, {kind: batch[: phase + 1] for kind, batch in uploads.items()})
    reports = world.run(rebuild=True)
    assert {report.status for report in reports.values()} <= {"done", "current"}
    assert_tables(world, uploads)


def numbered(values: Sequence[Any], first: int, revision: int) -> Upload:
    return [(f"id-{first + n}", revision, value) for n, value in enumerate(values)]


@pytest.mark.long
def test_odd_values_come_back_the_same_from_every_write_increment_and_rebuild(
    spark: SparkSession, tmp_path: Path
) -> None:
    kinds = ("text", "number")
    world = World(spark, write_project(tmp_path, project_files(kinds)), tmp_path / "lake")
    moved = {kind: [("id-0", 2, THEN[kind][0]), ("id-1", 2, FIRST[kind][0])] for kind in kinds}
    run_uploads(
        world,
        {kind: [numbered(FIRST[kind], 0, 1), [*numbered(THEN[kind], 50, 1), *moved[kind]]] for kind in kinds},
    )


@pytest.mark.long
@pytest.mark.parametrize("kind", TYPES)
def test_any_value_comes_back_the_same(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    project = write_project(tmp_path_factory.mktemp("project"), project_files([kind]))

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(batches(kind))
    def any_value(uploads: list[Upload]) -> None:
        world = World(spark, project, tmp_path_factory.mktemp("lake") / "lake")
        run_uploads(world, {kind: uploads})

    any_value()
