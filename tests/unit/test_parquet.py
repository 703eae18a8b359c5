"""A parquet upload becomes the records that its rows are, or says why not."""

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.formats.records import Layout, Record, split

LAYOUT = Layout("parquet", ("id",), max_record_bytes=2**20)


def parquet(table: pa.Table | dict, **options) -> bytes:
    file = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), file, **options)
    return file.getvalue()


def read(body: bytes, layout: Layout = LAYOUT) -> list[Record]:
    return list(split(body, layout, gzipped=False))


def written(values: list, kind: pa.DataType, **options) -> list[str]:
    """How the values of a column of that type are written in JSON."""
    result = read(parquet({"x": pa.array(values, kind)}, **options))
    assert [record.problem for record in result if record.problem] == []
    return [record.raw.decode().removeprefix('{"x":').removesuffix("}") for record in result]


def problem(body: bytes) -> str:
    """The problem of an upload that is one record, kept whole."""
    [record] = read(body)
    assert record.raw == body
    return record.problem or ""


def test_each_row_is_an_object_of_all_columns_in_order():
    body = parquet({"id": ["a", "b"], "n": [1, None]})
    assert [record.raw for record in read(body)] == [b'{"id":"a","n":1}', b'{"id":"b","n":null}']


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (pa.int64(), 9007199254740993, "9007199254740993"),
        (pa.uint64(), 2**64 - 1, "18446744073709551615"),
        (pa.int8(), -7, "-7"),
        (pa.float64(), 0.1, "0.1"),
        (pa.float64(), float("nan"), '"NaN"'),
        (pa.float64(), float("inf"), '"Infinity"'),
        (pa.float32(), float("-inf"), '"-Infinity"'),
        (pa.bool_(), True, "true"),
        (pa.string(), 'ü "\n', '"ü \\"\\n"'),
        (pa.large_string(), "a", '"a"'),
        (pa.dictionary(pa.int8(), pa.string()), "a", '"a"'),
        (pa.decimal128(12, 2), Decimal("12.30"), "12.30"),
        (pa.decimal128(38, 0), Decimal("9" * 38), "9" * 38),
        (pa.decimal128(38, 10), Decimal("0E-10"), "0.0000000000"),
        (pa.date32(), date(2026, 3, 1), '"2026-03-01"'),
        (pa.date64(), date(1969, 12, 31), '"1969-12-31"'),
        (pa.time64("us"), time(9, 30, 0, 5), '"09:30:00.000005"'),
        (pa.timestamp("us", "UTC"), datetime(2026, 3, 1, 9, 30, 0, 5, UTC), '"2026-03-01T09:30:00.000005Z"'),
        (pa.timestamp("ms"), datetime(2026, 3, 1, 9, 30), '"2026-03-01T09:30:00Z"'),
        (pa.timestamp("us", "Europe/Berlin"), datetime(2026, 7, 1, 9, 30, tzinfo=UTC), '"2026-07-01T09:30:00Z"'),
        (pa.timestamp("ns"), 1_000_000_001_999, '"1970-01-01T00:16:40.000001Z"'),
        (pa.timestamp("us"), -1, '"1969-12-31T23:59:59.999999Z"'),
        (pa.struct([("a", pa.decimal128(5, 1)), ("b", pa.string())]), {"a": Decimal("1.0")}, '{"a":1.0,"b":null}'),
        (pa.list_(pa.date32()), [date(2026, 3, 1), None], '["2026-03-01",null]'),
        (pa.list_(pa.int8(), 2), [1, 2], "[1,2]"),
        (pa.list_(pa.list_(pa.struct([("a", pa.int8())]))), [[{"a": 1}, None], [], None], '[[{"a":1},null],[],null]'),
        (pa.null(), None, "null"),
    ],
    ids=str,
)
def test_a_value_is_written_exactly(kind, value, expected):
    assert written([None, value, None], kind) == ["null", expected, "null"]


def test_old_timestamps_of_twelve_bytes_are_read():
    moments = pa.array([datetime(2026, 3, 1, 9, 30)], pa.timestamp("us"))
    assert written(moments, moments.type, use_deprecated_int96_timestamps=True) == ['"2026-03-01T09:30:00Z"']


@pytest.mark.parametrize(("kind", "value"), [(pa.timestamp("us"), 2**62), (pa.date32(), 2**30)])
def test_a_moment_that_has_no_iso_form_stays_a_number_as_text(kind, value):
    assert written([pa.scalar(value, kind)], kind) == [f'"{value}"']


def test_rows_come_in_order_over_row_groups():
    body = parquet({"x": list(range(10_000))}, row_group_size=4_500)
    assert [json.loads(record.raw)["x"] for record in read(body)] == list(range(10_000))


def test_a_file_without_rows_has_no_records():
    assert read(parquet({"x": pa.array([], pa.int8())})) == []


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        (pa.binary(), b"a", "'x' is binary"),
        (pa.binary(3), b"abc", "'x' is fixed_size_binary[3]"),
        (pa.struct([("photo", pa.binary())]), {"photo": b"a"}, "'x.photo' is binary"),
        (pa.list_(pa.large_binary()), [b"a"], "'x[]' is large_binary"),
        (pa.map_(pa.string(), pa.int8()), [("a", 1)], "'x' is map<string, int8"),
        (pa.duration("us"), 1, "'x' is duration[us]"),
    ],
    ids=str,
)
def test_a_column_that_json_cannot_hold_refuses_the_file_by_name(kind, value, named):
    said = problem(parquet({"id": ["a"], "x": pa.array([value], kind)}))
    assert named in said and said.endswith("which has no form in JSON: write it as text")


@pytest.mark.parametrize("body", [b"PAR1", b"id,n\na,1\n", b"PAR1" + b"x" * 50 + b"PAR1"])
def test_invalid_parquet_is_a_single_rejected_record(body):
    assert problem(body).startswith("not parquet, or cut: ")


@pytest.mark.parametrize("kept", [-1, -8, 40])
def test_a_cut_file_gives_none_of_its_records(kept):
    assert problem(parquet({"x": list(range(999))})[:kept]).startswith("not parquet, or cut: ")


def test_a_page_whose_checksum_is_wrong_is_refused():
    plain = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    body = bytearray(parquet({"x": ["unmistakable"]}, write_page_checksum=True, **plain))
    body[body.index(b"unmistakable")] ^= 1
    assert "CRC checksum" in problem(bytes(body))


def test_text_that_is_not_utf8_refuses_the_file():
    garbled = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
    assert problem(parquet({"x": garbled})).startswith("parquet with text that is not UTF-8")


def test_a_bomb_is_refused_and_kept_as_it_was_sent():
    bomb = parquet({"x": ["x" * 100] * 100})
    [result] = read(bomb, replace(LAYOUT, columns=("x",), max_uncompressed_bytes=10_000))
    assert result.raw == bomb
    assert str(result.problem).startswith("more than 10000 bytes (headgate.maxUncompressedBytes) when uncompressed")


def test_a_record_beyond_the_contracts_size_is_rejected_alone():
    small, large = read(parquet({"x": ["a", "b" * 99]}), Layout("parquet", ("x",), max_record_bytes=20))
    assert (small.problem, large.problem) == (
        None,
        "a record of 107 bytes; the contract takes 20 (headgate.maxRecordBytes)",
    )


rows = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "money": st.none() | st.decimals(-(10**10), 10**10, places=2),
        "at": st.none() | st.datetimes(),
        "items": st.none() | st.lists(st.none() | st.fixed_dictionaries({"n": st.none() | st.integers(0, 9)})),
    }
)
SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "whole": pa.int64(),
        "money": pa.decimal128(13, 2),
        "at": pa.timestamp("us"),
        "items": pa.list_(pa.struct({"n": pa.int8()})),
    }
)


@given(st.lists(rows, min_size=1), st.integers(1, 3))
def test_any_rows_come_back_the_same(given_rows, group):
    body = parquet(pa.Table.from_pylist(given_rows, SCHEMA), row_group_size=group)
    results = [json.loads(record.raw, parse_float=Decimal, parse_int=Decimal) for record in read(body)]
    for row in results:
        row["at"] = row["at"] and datetime.fromisoformat(row["at"].removesuffix("Z"))
    assert results == given_rows


@given(st.integers(0), st.integers(1, 255))
def test_a_file_with_one_wrong_byte_is_records_or_a_problem_and_never_an_error(place, by):
    body = bytearray(parquet({"x": [1, None, 3], "y": [["a"], [], None]}, write_page_checksum=True))
    body[place % len(body)] ^= by
    for record in read(bytes(body)):
        assert record.problem is not None or isinstance(json.loads(record.raw), dict)


def test_a_uuid_and_a_json_document_are_their_text():
    uuid = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(range(16)), None], pa.binary(16)))
    document = pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(['{"a":1}', None]))
    rows = read(parquet(pa.table({"u": uuid, "j": document})))
    assert [json.loads(row.raw) for row in rows] == [
        {"u": "00010203-0405-0607-0809-0a0b0c0d0e0f", "j": '{"a":1}'},
        {"u": None, "j": None},
    ]


@pytest.mark.parametrize("name", ["a.x", "a[].x"])
def test_two_fields_of_one_name_refuse_the_file_also_inside(name):
    fields = [pa.field("x", pa.int64()), pa.field("x", pa.int64())]
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], fields=fields)
    array = twice if name == "a.x" else pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), twice)
    assert problem(parquet(pa.table({"a": array}))) == f"two columns have the name '{name}': rename one column"


def test_two_columns_of_one_name_refuse_the_file():
    table = pa.Table.from_arrays([pa.array(["o1"]), pa.array([1]), pa.array([2])], names=["id", "amount", "amount"])
    assert problem(parquet(table)) == "two columns have the name 'amount': rename one column"
