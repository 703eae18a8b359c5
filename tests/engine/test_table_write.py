"""The commits of Spark's batches: invisible files, refusals, and the rows of a version."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from delta.tables import DeltaTable as SparkTable
from deltalake import DeltaTable
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.contracts.environment import Environment, load_environment
from headgate.engine.delta.commit import Committer
from headgate.engine.delta.partition_text import UnfitPartitionText
from headgate.engine.delta.statistics import PREFIX
from headgate.errors import BatchRefused, LostRace
from headgate.lake.query import Query
from headgate.ledger.ledger import Commit, Ledger
from headgate.planning.graph import load_graph
from headgate.planning.plan import Kind, Work
from headgate.project import Project

TABLE = "silver.transactions"
PLACES = [
    "plain",
    None,
    "New York",
    "a/b",
    "50%",
    "é=ß",
    "c:d",
    "x" * 240,
    "${x}",
    "null",
]
SCHEMA = """text string, number bigint, small int, amount decimal(38, 10), day date, at timestamp, rate double,
    flag boolean, bytes binary, _source struct<upload: string, record: bigint>"""
INDEXED = "delta.dataSkippingStatsColumns"
COMPARED = ("text", "number", "small", "amount", "day", "at", "rate")

texts = st.one_of(st.text(max_size=4), st.text("a\U0010ffffé", min_size=PREFIX - 1, max_size=PREFIX + 2))
wide = st.decimals(min_value=Decimal("-1e27"), max_value=Decimal("1e27"), places=10)
days = st.dates(date(1900, 1, 1), date(2200, 1, 1))
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
rows_of_any_kind = st.tuples(
    *(
        st.one_of(st.none(), values)
        for values in (
            texts,
            st.integers(-(2**63), 2**63 - 1),
            st.integers(-(2**31), 2**31 - 1),
            wide,
            days,
            times,
            st.floats(),
            st.booleans(),
            st.binary(max_size=3),
        )
    ),
    st.one_of(st.none(), st.tuples(st.one_of(st.none(), texts), st.integers(0, 9))),
)


@pytest.fixture
def environment(sales_project: Project, tmp_path: Path) -> Environment:
    return load_environment(sales_project, environ={"HEADGATE_LAKE": str(tmp_path / "lake")})


def committer_of(spark: SparkSession, environment: Environment, project: Project, run: str = "run-1") -> Committer:
    """What commits the work of a run that is planned now."""
    ledger = Ledger(environment)
    work = Work(TABLE, Kind.INCREMENT, "", ledger.head(TABLE))
    return Committer(spark, ledger, load_graph(project).node(TABLE), work, run)


@pytest.fixture
def table(spark: SparkSession, environment: Environment, sales_project: Project) -> Callable[..., Committer]:
    return lambda run="run-1": committer_of(spark, environment, sales_project, run)


def made(
    committer: Committer, rows: DataFrame, partition_by: tuple[str, ...] = (), properties: dict[str, str] | None = None
) -> Commit:
    with committer.writing(rows, partition_by, properties or {}) as batch:
        pass
    return committer.overwrite(batch, partition_by, properties or {})


def appended(committer: Committer, rows: DataFrame) -> Commit:
    with committer.writing(rows) as batch:
        pass
    return committer.append(batch)


def replaced(committer: Committer, rows: DataFrame, places: list[str | None], predicate: str) -> Commit:
    with committer.writing(rows) as batch:
        pass
    return committer.replace(batch, pa.table({"place": pa.array(places, pa.string())}), predicate)


def read(spark: SparkSession, uri: str) -> DataFrame:
    return spark.read.format("delta").load(uri)


def by_place(spark: SparkSession, places: list[str | None], first: int = 0) -> DataFrame:
    rows = [(place, number) for number, place in enumerate(places, first)]
    return spark.createDataFrame(rows, "place string, number int")


def numbers(rows: DataFrame) -> dict[str | None, int]:
    return {row.place: row.number for row in rows.collect()}


def changes(spark: SparkSession, uri: str, version: int) -> Counter[tuple[str, str | None, int]]:
    """The change feed of a version: kind of change, place, number."""
    feed = spark.read.format("delta").option("readChangeFeed", "true")
    rows = feed.option("startingVersion", version).option("endingVersion", version).load(uri).collect()
    return Counter((row._change_type, row.place, row.number) for row in rows)


def data_files(uri: str) -> set[Path]:
    return set(Path(uri).rglob("*.parquet"))


def added(uri: str) -> Iterator[dict[str, Any]]:
    for log in sorted(Path(uri, "_delta_log").glob("*.json")):
        yield from (json.loads(line)["add"] for line in log.read_text().splitlines() if line.startswith('{"add"'))


def test_written_files_can_be_read_and_are_in_no_version(spark, table):
    made(table(), spark.range(3))
    committer = table()
    with committer.writing(spark.range(3, 5)) as batch:
        assert sorted(row.id for row in batch.rows.collect()) == [3, 4]
        assert sorted(row.id for row in read(spark, committer.uri).collect()) == [0, 1, 2]
    committer.append(batch)
    assert sorted(row.id for row in read(spark, committer.uri).collect()) == [0, 1, 2, 3, 4]


def test_a_refused_batch_leaves_no_file(spark, table):
    made(table(), spark.range(3))
    committer = table()
    before = data_files(committer.uri)
    with pytest.raises(BatchRefused), committer.writing(spark.range(3, 5)):
        assert data_files(committer.uri) > before
        raise BatchRefused("no", where="here", fix="none")
    assert data_files(committer.uri) == before
    assert table().work.head.version == 0


def test_a_commit_has_the_same_statistics_as_sparks_writer(spark, table, tmp_path):
    commit = made(table(), spark.range(3).coalesce(1))
    spark.range(3).coalesce(1).write.format("delta").save(f"{tmp_path}/other")
    theirs = DeltaTable(f"{tmp_path}/other").history(1)[0]["operationMetrics"]
    assert {name: commit.metrics[name] for name in ("numFiles", "numOutputRows")} == {
        name: theirs[name] for name in ("numFiles", "numOutputRows")
    }
    more = appended(table("run-2"), spark.range(4))
    assert (more.operation, more.metrics["numOutputRows"], more.metadata.run) == ("WRITE", "4", "run-2")
    assert table().work.head.txn == 1


def test_files_without_rows_are_in_no_version(spark, table):
    made(table(), spark.range(3))
    appended(table(), spark.range(0, 1, 1, 4))
    assert [json.loads(add["stats"])["numRecords"] for add in added(table().uri) if add["path"]].count(0) == 0
    assert table().work.head.version == 1


def test_a_commit_without_rows_starts_no_spark_job(spark, table):
    made(table(), spark.range(3))
    spark.sparkContext.setJobGroup("advance", "a commit without rows")
    try:
        commit = table().advance(spark.range(0).schema, changes_rows=False)
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)
    assert list(spark.sparkContext.statusTracker().getJobIdsForGroup("advance")) == []
    assert (commit.version, table().work.head.txn) == (1, 1)


def test_of_two_that_wrote_their_files_only_one_commits(spark, table):
    made(table(), spark.range(3))
    first, second = table("run-1"), table("run-2")
    with first.writing(spark.range(3, 5)) as batch, second.writing(spark.range(5, 7)) as other:
        pass
    first.append(batch)
    with pytest.raises(LostRace, match="run run-1 committed version 1 first"):
        second.append(other)
    assert read(spark, first.uri).count() == 5


def test_a_partition_may_have_any_text(spark, table):
    rows = by_place(spark, PLACES)
    committer = table()
    with committer.writing(rows, ["place"], {}) as batch:
        assert numbers(batch.rows) == numbers(rows)
    committer.overwrite(batch, ["place"], {})
    assert numbers(read(spark, committer.uri)) == numbers(rows)
    bounds = [json.loads(add["stats"])["maxValues"]["number"] for add in added(committer.uri)]
    assert sorted(bounds) == list(range(len(PLACES)))


def test_partitions_are_replaced_exactly(spark, table):
    made(table(), by_place(spark, PLACES), ("place",))
    new = [None, "a/b", "${x}", "fresh"]
    condition = "place IS NULL OR place IN ('a/b', '${x}', 'fresh', '50%')"
    commit = replaced(table(), by_place(spark, new, 100), [*new, "50%"], condition)
    expected = {place: number for number, place in enumerate(PLACES)} | {p: n for n, p in enumerate(new, 100)}
    del expected["50%"]  # it has no rows left
    assert numbers(read(spark, table().uri)) == expected
    assert commit.metadata.counts == {"inserted": 4, "deleted": 4}
    assert (commit.metrics["numOutputRows"], commit.metrics["numDeletedRows"]) == ("4", "4")
    assert all("/batch-" in path for path in DeltaTable(table().uri).file_uris())  # by no other writer
    inserts = [("insert", place, number) for number, place in enumerate(new, 100)]
    deletes = [("delete", place, PLACES.index(place)) for place in (None, "a/b", "${x}", "50%")]
    assert changes(spark, table().uri, commit.version) == Counter([*inserts, *deletes])


def test_spark_merges_and_compacts_commits_of_deltalake(spark, table):
    made(table(), by_place(spark, ["a", "a", None]), ("place",))
    replaced(table(), by_place(spark, ["a", "a"], 10), ["a"], "place = 'a'")
    uri = table().uri
    SparkTable.forPath(spark, uri).optimize().executeCompaction()
    batch = spark.createDataFrame([("a", 10, 5), ("b", 1, 6)], "place string, number int, more long")

    def build(target: SparkTable) -> Any:
        merge = target.alias("t").merge(batch.alias("b"), "t.number = b.number").withSchemaEvolution()
        return merge.whenMatchedUpdateAll().whenNotMatchedInsertAll()

    commit = table().merge(build, batch)
    rows = [(row.place, row.number, row.more) for row in read(spark, uri).collect()]
    assert sorted(rows, key=str) == [("a", 10, 5), ("a", 11, None), ("b", 1, 6), (None, 2, None)]
    feed = changes(spark, uri, commit.version)
    assert feed[("insert", "b", 1)] == 1 and feed[("update_postimage", "a", 10)] == 1


def test_partition_values_of_every_type_are_the_same_for_every_reader(spark, table):
    at = datetime(2026, 1, 2, 3, 4, 5, 123456)
    values = [
        (date(2026, 1, 2), at, Decimal("-1.20"), True, -5, 1e-7, 1),
        (None, None, None, None, None, None, 2),
        (date(1, 1, 1), datetime(1969, 1, 1), Decimal("0.00"), False, 2**62, float("nan"), 3),
        (date(9999, 12, 31), at, Decimal("1.00"), False, 0, float("-inf"), 4),
    ]
    columns = "day date, at timestamp, amount decimal(10, 2), flag boolean, number bigint, rate double"
    rows = spark.createDataFrame(values, f"{columns}, id int")
    names = [name for name in rows.columns if name != "id"]
    made(table(), rows, tuple(names))
    exact = [F.col(name).cast("string").alias(name) for name in rows.columns]
    by_spark = {row.id: row for row in read(spark, table().uri).select(exact).collect()}
    assert by_spark == {row.id: row for row in rows.select(exact).collect()}
    ours = Query(t=DeltaTable(table().uri)).table("SELECT * FROM t").to_pylist()
    assert {(row["id"], row["day"], row["amount"], row["flag"], row["number"]) for row in ours} == {
        (row[6], row[0], row[2], row[3], row[4]) for row in values
    }
    assert {row["id"]: row["at"] for row in ours}[1] == at.replace(tzinfo=UTC)
    replaced_all = table()
    with replaced_all.writing(rows) as batch:
        pass
    assert replaced_all.replace(batch, rows.select(names).toArrow(), "true").metadata.counts == {
        "inserted": 4,
        "deleted": 4,
    }


UNFIT = ["", "__HIVE_DEFAULT_PARTITION__", "a\0b", "x" * 300, ":" * 90]


@pytest.mark.parametrize("text", UNFIT, ids=["empty", "Hive's null", "NUL", "long", "long when escaped"])
def test_a_text_that_no_partition_can_hold_is_refused_before_the_commit(spark, table, text):
    committer = table()
    with (
        pytest.raises(UnfitPartitionText, match="'place' has a text that no partition can hold"),
        committer.writing(by_place(spark, [text]), ["place"], {}),
    ):
        pass
    assert data_files(committer.uri) == set()


def test_a_whole_table_keeps_a_column_with_such_a_text_as_an_ordinary_column(spark, table):
    made(table(), by_place(spark, ["a", None]), ("place",))
    rows = by_place(spark, [*UNFIT, None, "a"])
    committer = table()
    with committer.writing_whole(rows, ["place"]) as batch:
        assert numbers(batch.rows) == numbers(rows)
    assert "`place`" in batch.properties[INDEXED]
    committer.overwrite(batch, batch.partition_by, batch.properties)
    assert numbers(read(spark, committer.uri)) == numbers(rows)
    assert table().partition_by == []
    assert DeltaTable(committer.uri).to_pyarrow_table().num_rows == len(UNFIT) + 2


def test_a_merge_of_such_a_text_is_refused_before_it_is_made(spark, table):
    made(table(), by_place(spark, ["a"]), ("place",))
    batch = by_place(spark, ["__HIVE_DEFAULT_PARTITION__"])
    with pytest.raises(UnfitPartitionText):
        table().merge(
            lambda target: target.alias("t").merge(batch.alias("b"), "false").whenNotMatchedInsertAll(), batch
        )
    assert table().work.head.version == 0


def test_a_column_that_delta_refuses_is_refused_before_anything_is_written(spark, table):
    committer = table()
    with pytest.raises(BatchRefused, match="rename it"), committer.writing(spark.range(1).toDF("a b"), [], {}):
        pass
    assert not Path(committer.uri).exists()


def test_a_table_gains_columns(spark, table):
    made(table(), by_place(spark, ["a"]), ("place",))
    committer = table()
    commit = appended(committer, by_place(spark, ["b"]).withColumn("more", F.lit("x")))
    assert {(row.place, row.more) for row in read(spark, committer.uri).collect()} == {("a", None), ("b", "x")}
    assert commit.version == 2
    head = table().work.head
    assert head.position == head.commit.metadata.position
    assert Ledger(committer.ledger.environment).commit(TABLE, 1).changes_rows is False


@pytest.mark.parametrize(
    ("rows", "partition_by"),
    [("place, cast(number as string) AS number", ["place"]), ("place, number", ["number"]), ("place", [])],
    ids=["another type", "another partition column", "a column less"],
)
def test_a_rebuilt_table_may_have_other_columns(spark, table, rows, partition_by):
    made(table(), by_place(spark, ["a", None]), ("place",))
    identity = table().work.head.id
    new = by_place(spark, ["a", "b", "c"]).selectExpr(*rows.split(", "))
    commit = made(table("run-2"), new, tuple(partition_by))
    assert sorted(map(str, read(spark, table().uri).collect())) == sorted(map(str, new.collect()))
    assert DeltaTable(table().uri).metadata().partition_columns == partition_by
    assert (commit.metadata.run, commit.metadata.counts) == ("run-2", {"inserted": 3, "deleted": 2})
    assert table().work.head.id == identity
    assert not any("batch-" in path for path in DeltaTable(table().uri).file_uris())


def test_a_table_that_spark_wrote_with_odd_paths_is_replaced_all_the_same(spark, table, tmp_path):
    """deltalake would leave such a file in the table (tests/unit/test_deltalake.py)."""
    uri = table().uri
    by_place(spark, ["é=ß", "a b", "it's"]).write.format("delta").partitionBy("place").save(uri)
    committer = table()
    commit = replaced(committer, by_place(spark, ["é=ß"], 7), ["é=ß", "it's"], "place IN ('é=ß', 'it\\'s')")
    assert numbers(read(spark, uri)) == {"é=ß": 7, "a b": 1}
    assert commit.metadata.counts == {"inserted": 1, "deleted": 2}


def test_statistics_are_those_that_delta_would_have_taken(spark, environment, table, tmp_path):
    columns = "text string, number bigint, amount decimal(38, 10), day date, at timestamp, other string"
    exact, at = Decimal("12345678901234567890.0123456789"), datetime(2026, 1, 2, 3, 4, 5, 999999)
    rows = spark.createDataFrame(
        [
            ("b", 2**62, exact, date(1, 2, 3), at, "a", ("u",)),
            ("a", None, Decimal("-0.5"), date(2026, 1, 1), at.replace(microsecond=1000), "b", ("v",)),
        ],
        f"{columns}, _source struct<upload: string>",
    )
    rows = rows.coalesce(1)
    indexed = "number,`text`,amount,day,at,`_source`.upload"  # and not `other`
    made(table(), rows, properties={INDEXED: indexed})
    rows.write.format("delta").option(INDEXED, indexed).save(f"{tmp_path}/other")
    ours, theirs = (next(added(place))["stats"] for place in (table().uri, f"{tmp_path}/other"))
    assert json.loads(ours, parse_float=Decimal) == json.loads(theirs, parse_float=Decimal)


@pytest.mark.long
@settings(max_examples=15, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.lists(rows_of_any_kind, min_size=1, max_size=4), min_size=1, max_size=3),
    st.randoms(),
    st.sampled_from([None, ",".join([*COMPARED, "_source.upload"])]),
)
@example([[(None,) * 10]], Random(1), None)  # noqa: S311
def test_no_reader_skips_a_matching_row(spark, sales_project, tmp_path_factory, files, random, indexed):
    """Delta skips files by statistics: a filter returns the same rows as without them."""
    lake = load_environment(sales_project, environ={"HEADGATE_LAKE": str(tmp_path_factory.mktemp("statistics"))})
    for number, rows in enumerate(files):
        frame = spark.createDataFrame(rows, SCHEMA).coalesce(1)
        committer = committer_of(spark, lake, sales_project)
        if number:
            appended(committer, frame)
        else:
            made(committer, frame, properties={INDEXED: indexed} if indexed else {})
    uri = committer.uri
    rows = [row for file in files for row in file]
    table, plain = read(spark, uri), spark.createDataFrame(rows, SCHEMA)
    requested = list(conditions(plain, rows, random))
    requested = random.sample(requested, min(len(requested), 8))
    wanted = plain.agg(*(F.count_if(condition) for condition in requested)).collect()[0]
    assert [table.filter(condition).count() for condition in requested] == list(wanted)
    assert sum(json.loads(add["stats"])["numRecords"] for add in added(uri)) == len(rows)


def conditions(plain: DataFrame, rows: list[tuple], random: Random) -> Iterator[Column]:
    """Of each column, that it is null, and how it compares with a value that it has somewhere."""
    for number, name in enumerate(COMPARED):
        yield F.col(name).isNull()
        if existing := [row[number] for row in rows if row[number] is not None]:
            value = F.lit(random.choice(existing)).cast(plain.schema[name].dataType)
            yield from (F.col(name) == value, F.col(name) < value, F.col(name) > value, F.col(name) >= value)
    if uploads := [row[-1][0] for row in rows if row[-1] and row[-1][0] is not None]:
        yield F.col("_source.upload") == random.choice(uploads)
