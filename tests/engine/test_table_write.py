"""Files before their commit: what no reader sees yet, what is refused, and what their statistics say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from headgate.engine.delta.statistics import PREFIX
from headgate.engine.delta.table_write import TableWrite, write_files

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
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "table")


def begun(
    rows: DataFrame, uri: str, txn: int = 1, partition_by: tuple[str, ...] = (), indexed: str | None = None
) -> Any:
    options = {"txnAppId": "table", "txnVersion": str(txn), "mergeSchema": "true"}
    made = {"delta.enableChangeDataFeed": "true", **({INDEXED: indexed} if indexed else {})}
    return write_files(rows, uri, "append", options, made, partition_by)


def committed(rows: DataFrame, uri: str, **asked: Any) -> TableWrite:
    write = begun(rows, uri, **asked)
    write.commit(json.dumps({"of": "a test"}))
    return write


def read(spark: SparkSession, uri: str) -> DataFrame:
    return spark.read.format("delta").load(uri)


def data_files(uri: str) -> set[Path]:
    return set(Path(uri).rglob("*.parquet"))


def test_what_is_written_is_there_to_be_read_and_in_no_version(spark, uri):
    committed(spark.range(3), uri)
    write = begun(spark.range(3, 5), uri, txn=2)
    assert sorted(row.id for row in write.rows.collect()) == [3, 4]
    assert sorted(row.id for row in read(spark, uri).collect()) == [0, 1, 2]
    write.commit("{}")
    assert sorted(row.id for row in read(spark, uri).collect()) == [0, 1, 2, 3, 4]


def test_what_is_discarded_leaves_the_folder_as_it_was(spark, uri):
    committed(spark.range(3), uri)
    before = data_files(uri)
    write = begun(spark.range(3, 5), uri, txn=2)
    assert data_files(uri) > before
    write.discard()
    assert data_files(uri) == before


def test_a_commit_says_what_sparks_own_writer_says(spark, uri, tmp_path):
    committed(spark.range(3), uri)
    options = {"txnAppId": "table", "txnVersion": 1, "userMetadata": json.dumps({"of": "a test"})}
    spark.range(3).write.format("delta").mode("append").options(**options).save(f"{tmp_path}/other")
    ours, theirs = (DeltaTable(place).history(1)[0] for place in (uri, f"{tmp_path}/other"))
    sized = ("numOutputBytes",)
    metrics = [{k: v for k, v in one["operationMetrics"].items() if k not in sized} for one in (ours, theirs)]
    assert metrics[0] == metrics[1]
    for name in ("operation", "userMetadata", "isBlindAppend"):
        assert ours[name] == theirs[name]
    assert DeltaTable(uri).transaction_version("table") == 1


def test_a_commit_without_rows_adds_no_file(spark, uri):
    committed(spark.range(3), uri)
    committed(spark.range(0), uri, txn=2)
    assert DeltaTable(uri).transaction_version("table") == 2
    assert sum(1 for _ in added(uri)) == len(DeltaTable(uri, version=0).file_uris())


def test_a_transaction_version_that_is_taken_writes_nothing(spark, uri):
    committed(spark.range(3), uri)
    before = data_files(uri)
    assert begun(spark.range(5), uri) is None
    assert data_files(uri) == before


def test_of_two_that_wrote_their_files_only_one_commits(spark, uri):
    committed(spark.range(3), uri)
    first, second = (begun(spark.range(3, 5), uri, txn=2) for _ in range(2))
    first.commit("{}")
    with pytest.raises(Exception, match=r"ConcurrentTransaction|DELTA_CONCURRENT_TRANSACTION"):
        second.commit("{}")
    assert read(spark, uri).count() == 5


def test_a_partition_may_be_called_anything(spark, uri):
    places = ["New York", "a/b", "50%", "é=ß", "c:d", None]
    rows = spark.createDataFrame([(place, number) for number, place in enumerate(places)], "place string, number int")
    write = begun(rows, uri, partition_by=("place",))
    assert {(row.place, row.number) for row in write.rows.collect()} == {(p, n) for n, p in enumerate(places)}
    write.commit("{}")
    assert {row.place: row.number for row in read(spark, uri).collect()} == {p: n for n, p in enumerate(places)}
    numbers = [json.loads(action["add"]["stats"])["maxValues"]["number"] for action in added(uri)]
    assert sorted(numbers) == list(range(len(places)))


def added(uri: str) -> Iterator[dict[str, Any]]:
    for log in sorted(Path(uri, "_delta_log").glob("*.json")):
        yield from (action for action in map(json.loads, log.read_text().split("\n")[:-1]) if "add" in action)


def test_statistics_are_those_that_delta_would_have_taken(spark, uri, tmp_path):
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
    committed(rows, uri, indexed=indexed)
    rows.write.format("delta").option(INDEXED, indexed).save(f"{tmp_path}/other")
    ours, theirs = (next(added(place))["add"]["stats"] for place in (uri, f"{tmp_path}/other"))
    assert json.loads(ours, parse_float=Decimal) == json.loads(theirs, parse_float=Decimal)


@pytest.mark.long
@settings(max_examples=15, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(st.lists(rows_of_any_kind, min_size=1, max_size=4), min_size=1, max_size=3),
    st.randoms(),
    st.sampled_from([None, ",".join([*COMPARED, "_source.upload"])]),
)
@example([[(None,) * 10]], Random(1), None)  # noqa: S311
def test_no_reader_skips_a_row_that_it_asked_for(spark, tmp_path_factory, files, random, indexed):
    """Delta skips files by statistics: a filter finds what it finds without them."""
    uri = str(tmp_path_factory.mktemp("statistics") / "table")
    for number, rows in enumerate(files):
        frame = spark.createDataFrame(rows, SCHEMA).coalesce(1)
        committed(frame, uri, txn=number + 1, indexed=indexed)
    rows = [row for file in files for row in file]
    table, plain = read(spark, uri), spark.createDataFrame(rows, SCHEMA)
    asked = list(conditions(plain, rows, random))
    asked = random.sample(asked, min(len(asked), 8))
    wanted = plain.agg(*(F.count_if(condition) for condition in asked)).collect()[0]
    assert [table.filter(condition).count() for condition in asked] == list(wanted)
    assert sum(json.loads(action["add"]["stats"])["numRecords"] for action in added(uri)) == len(rows)


def conditions(plain: DataFrame, rows: list[tuple], random: Random) -> Iterator[Column]:
    """Of each column, that it is null, and how it compares with a value that it has somewhere."""
    for number, name in enumerate(COMPARED):
        yield F.col(name).isNull()
        if held := [row[number] for row in rows if row[number] is not None]:
            value = F.lit(random.choice(held)).cast(plain.schema[name].dataType)
            yield from (F.col(name) == value, F.col(name) < value, F.col(name) > value, F.col(name) >= value)
    if uploads := [row[-1][0] for row in rows if row[-1] and row[-1][0] is not None]:
        yield F.col("_source.upload") == random.choice(uploads)
