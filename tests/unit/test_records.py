"""Uploads become records exactly as they were sent, or say why not."""

import csv
import gzip
import io
import json
import time
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.formats import records
from headgate.formats.records import Layout, split

OBJECTS = [{"id": "a", "n": 1}, {"id": "b", "n": 9007199254740993}, {"id": "ü\u2028\u0085 x", "n": None}]
GARBLED = b'{"id": "\xff"}'

# U+2028 and U+0085 end a line for str.splitlines, and must not for a record.
special = st.sampled_from('\u2028\u2029\u0085\x0b\x0c\x1c"\\,[]{}\n\r')
texts = st.text(st.characters(exclude_categories=["Cs"]) | special)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=6)
objects = st.dictionaries(texts, values, max_size=4)
spaces = st.text(" \t\r\n", max_size=3)


def layout(format_: str, columns=("id", "n"), **changes) -> Layout:
    return Layout(**{"format": format_, "columns": columns, "max_record_bytes": 2**20, **changes})


def read(body: bytes | str, format_: str | Layout = "jsonl", *, gzipped: bool = False) -> list[records.Record]:
    wanted = layout(format_) if isinstance(format_, str) else format_
    return list(split(body if isinstance(body, bytes) else body.encode(), wanted, gzipped=gzipped))


def raws(read: list[records.Record]) -> list[str]:
    """The raw texts of records of which none has a problem."""
    assert [record.problem for record in read if record.problem] == []
    return [record.raw.decode() for record in read]


def problem(body: bytes | str, format_: str | Layout = "jsonl", *, gzipped: bool = False) -> str:
    """The problem of an upload that is one record, kept whole."""
    [record] = read(body, format_, gzipped=gzipped)
    assert record.raw == (body if isinstance(body, bytes) else body.encode())
    return record.problem or ""


def as_json(item: object) -> str:
    return json.dumps(item, ensure_ascii=False)


def members(body: bytes) -> bytes:
    """`body` as three gzip members, the second of them empty."""
    return gzip.compress(body[:7]) + gzip.compress(b"") + gzip.compress(body[7:])


BODIES = {
    "json": (as_json(OBJECTS[2]), [as_json(OBJECTS[2])]),
    "json_array": (f" [\n{' , '.join(map(as_json, OBJECTS))}\n]\r\n", list(map(as_json, OBJECTS))),
    "jsonl": ("\n".join(map(as_json, OBJECTS)), list(map(as_json, OBJECTS))),
    "csv": ('id,n\na,1\n"b ""x"", y\nz",2\n', ['{"id":"a","n":"1"}', '{"id":"b \\"x\\", y\\nz","n":"2"}']),
}


@pytest.mark.parametrize("format_", BODIES)
@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["plain", "with a BOM"])
@pytest.mark.parametrize("pack", [None, gzip.compress, members], ids=["plain", "gzip", "gzip members"])
def test_each_format_gives_its_records_in_order_as_they_were_sent(format_, bom, pack):
    text, expected = BODIES[format_]
    body = (bom + text).encode()
    assert raws(read(pack(body) if pack else body, format_, gzipped=bool(pack))) == expected


@pytest.mark.parametrize("format_", BODIES)
@pytest.mark.parametrize("body", [b"", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_an_upload_of_nothing_but_space_has_no_records(format_, body):
    assert read(body, format_) == []
    assert read(gzip.compress(body), format_, gzipped=True) == []


def test_an_empty_upload_that_is_named_gzip_has_no_records():
    assert read(b"", gzipped=True) == []


def test_blank_lines_are_no_records():
    assert raws(read('\n{"id":"a"}\r\n\r\n  \n{"id":"b"}\n')) == ['{"id":"a"}', '{"id":"b"}']


def test_an_empty_array_has_no_records():
    assert read("[ ]", "json_array") == []


# --- gzip


def test_an_upload_that_is_not_gzip_is_one_rejected_record():
    assert problem(b'{"id":"a"}', gzipped=True).startswith("not gzip")


@pytest.mark.parametrize("kept", [1, 9, 20, -9, -1])
def test_a_cut_gzip_gives_none_of_its_records(kept):
    body = gzip.compress(b"\n".join(b'{"id":"%d"}' % n for n in range(999)))[:kept]
    assert problem(body, gzipped=True).startswith("gzip, but cut after")


def test_text_after_the_gzip_is_not_passed_over():
    assert "not to its end" in problem(gzip.compress(b'{"id":"a"}') + b"garbage", gzipped=True)


def test_a_gzip_whose_checksum_is_wrong_is_refused():
    body = bytearray(gzip.compress(b'{"id":"a"}'))
    body[-8] ^= 1
    assert "incorrect data check" in problem(bytes(body), gzipped=True)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_bomb_is_refused_and_kept_as_it_was_sent(parts):
    bomb = gzip.compress(b" " * (1001 // parts + 1)) * parts
    said = problem(bomb, layout("jsonl", max_uncompressed_bytes=1000), gzipped=True)
    assert "more than 1000 bytes (headgate.maxUncompressedBytes)" in said


def test_an_upload_as_large_as_is_allowed_passes():
    line = b'{"id":"%s"}' % (b"x" * 991)
    wanted = layout("jsonl", max_uncompressed_bytes=len(line))
    assert len(raws(read(gzip.compress(line[:500]) + gzip.compress(line[500:]), wanted, gzipped=True))) == 1


def test_many_tiny_members_take_time_by_their_number():
    started = time.process_time()
    assert read(gzip.compress(b"") * 100_000, gzipped=True) == []
    assert time.process_time() - started < 6  # 13 s where each member copies all that follows it


# --- JSON


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("plain text", "not JSON: "),
        ('{"id":"a"}{"id":"b"}', "not JSON: unexpected content after document"),
        ('{"id":NaN}', "not JSON: "),
        ('{"id":"a"', "not JSON: unexpected end of data"),
        ('{"id":"\\ud800"}', "not JSON: "),
        (GARBLED, "not JSON: str is not valid UTF-8"),
        ('{"id":' + "[" * 2000 + "]" * 2000 + "}", "not JSON: depth limit exceeded"),
        ('["a"]', "not a JSON object"),
        ('"a"', "not a JSON object"),
        ("null", "not a JSON object"),
        ('\x0b{"id":"a"}', "not JSON: "),
    ],
)
def test_a_line_that_is_no_object_is_rejected_alone(line, reason):
    raw = line if isinstance(line, bytes) else line.encode()
    before, bad, after = read(b'{"id":"x"}\n' + raw + b'\n{"id":"y"}')
    assert (before.problem, after.problem) == (None, None)
    assert bad.raw == raw
    assert bad.problem.startswith(reason)


@pytest.mark.parametrize("format_", ["jsonl", "json", "json_array"])
def test_a_record_beyond_the_contracts_size_is_rejected_and_kept(format_):
    record = as_json({"id": "x" * 100})
    body = f"[{record}]" if format_ == "json_array" else record
    size = len(record)
    assert raws(read(body, layout(format_, max_record_bytes=size))) == [record]
    [result] = read(body, layout(format_, max_record_bytes=size - 1))
    assert result.raw.decode() == record
    assert result.problem == f"a record of {size} bytes; the contract takes {size - 1} (headgate.maxRecordBytes)"


@pytest.mark.parametrize("body", ['{"id":"a", "n"', '{"id":"a"}\n{"id":"b"}', '{"id":"a"} x'])
def test_a_document_that_is_cut_or_goes_on_is_one_rejected_record(body):
    assert problem(body, "json").startswith("not JSON: ")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('[{"id":"a"},{"id":"b"', "not a whole JSON array"),
        ('[{"id":"a"},', "not a whole JSON array"),
        ('[{"id":"a"},]', "not a whole JSON array"),
        ('[{"id":"a"}', "not a whole JSON array: no ',' or ']'"),
        ('[{"id":"a"} {"id":"b"}]', "not a whole JSON array: no ',' or ']'"),
        ("[", "not a whole JSON array"),
        ('[{"id":"a"}] x', "more than one JSON array"),
        ("[][]", "more than one JSON array"),
        ('{"id":"a"}', "not a JSON array: it begins with '{'"),
        (b'[{"id":"a"},' + GARBLED + b"]", "not UTF-8: "),
        ('[{"id":"a"},{"id":"b]', "not a whole JSON array"),
        ('[{"id":"a"},{"id":x],{"id":"b"}]', "not a whole JSON array"),
        ('[{"id":"a"},,{"id":"b"}]', "not a whole JSON array"),
    ],
)
def test_an_array_that_is_not_whole_gives_none_of_its_records(body, reason):
    assert problem(body, "json_array").startswith(reason)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ('{"n":NaN}', "not JSON: "),
        ('{"n":1e999}', "not JSON: number is infinity"),
        ('{"n":' + "9" * 5000 + "}", "not JSON: number is infinity"),
        ("[1]", "not a JSON object"),
        ("7", "not a JSON object"),
        ('{"n":"a\nb"}', "not JSON: "),
        ('{"n":"a\\qb, ]"}', "not JSON: "),
        ('{"n":"\\x41"}', "not JSON: "),
        ('{"n":01}', "not JSON: "),
        ('{"n":True}', "not JSON: "),
        ("{n:1}", "not JSON: "),
        ('{"n":[1,]}', "not JSON: "),
        ('{"n":' + "[" * 5000 + "]" * 5000 + "}", "not JSON: "),
    ],
)
def test_an_element_that_is_no_record_is_rejected_alone(element, reason):
    before, bad, after = read(f'[{{"id":"a"}},{element},{{"id":"b"}}]', "json_array")
    assert (before.problem, after.problem) == (None, None)
    assert bad.raw.decode() == element
    assert bad.problem.startswith(reason)


@given(st.lists(st.tuples(spaces, objects, spaces)))
def test_any_objects_written_as_an_array_come_back_with_their_text(given_objects):
    lines = [as_json(item) for _, item, _ in given_objects]
    body = "[" + ",".join(f"{before}{as_json(item)}{after}" for before, item, after in given_objects) + "]"
    assert raws(read(body, "json_array")) == lines


@given(st.lists(objects), st.sampled_from(["\n", "\r\n", "\n\n", " \n\t"]))
def test_any_objects_written_as_lines_come_back_with_their_text(given_objects, end):
    lines = [as_json(item) for item in given_objects]
    assert raws(read(end.join(lines))) == lines


@given(st.binary(max_size=60), st.sampled_from(["json", "json_array", "jsonl", "csv", "parquet"]), st.booleans())
def test_any_bytes_are_records_or_problems_and_never_an_error(body, format_, gzipped):
    for record in read(body, format_, gzipped=gzipped):
        assert record.problem is not None or isinstance(json.loads(record.raw), dict)


# --- CSV


def rows_of(body: str | bytes, wanted: Layout) -> list[dict[str, str]]:
    return [json.loads(raw) for raw in raws(read(body, wanted))]


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("id,n\r\na,1\r\nb,2\r\n", {}),
        ("id,n\ra,1\rb,2", {}),
        ("n,id\n1,a\n\n2,b", {}),
        ("id;n\na;1\nb;2", {"delimiter": ";"}),
        ("id\tn\na\t1\nb\t2", {"delimiter": "\t"}),
        ("id|n\n'a'|1\n'b'|'2'", {"delimiter": "|", "quote": "'", "escape": "'"}),
        ('"id","n"\n"a","1"\n"b","2"', {"escape": "\\"}),
    ],
)
def test_a_csv_is_read_as_its_contract_says(body, changes):
    assert rows_of(body, layout("csv", **changes)) == [{"id": "a", "n": "1"}, {"id": "b", "n": "2"}]


@pytest.mark.parametrize(
    ("written", "value", "changes"),
    [
        ('"a\nb"', "a\nb", {}),
        ('"a\r\nb\r"', "a\r\nb\r", {}),
        ('"a,b"', "a,b", {}),
        ('"a ""b"""', 'a "b"', {}),
        ('"a \\"b\\\\"', 'a "b\\', {"escape": "\\"}),
        ("a\u2028b\u0085c\x0bd\x1ce", "a\u2028b\u0085c\x0bd\x1ce", {}),
        (" a ", " a ", {}),
        ("a\x00", "a\x00", {}),
    ],
)
def test_a_value_of_a_csv_comes_back_as_it_was(written, value, changes):
    body = f"id,n\n{written},1\nb,2\n"
    assert rows_of(body, layout("csv", **changes)) == [{"id": value, "n": "1"}, {"id": "b", "n": "2"}]


def test_an_empty_value_of_a_csv_is_left_out():
    assert rows_of('id,n\na,\n"",2\n', layout("csv")) == [{"id": "a"}, {"n": "2"}]


def test_a_csv_with_a_header_alone_has_no_records():
    assert read("id,n\n", "csv") == []


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("id", "missing ['n'];"),
        ("id,n,x", "unknown ['x'];"),
        ("id,m", "missing ['n'], unknown ['m'];"),
        ("id,n,id", "twice ['id'];"),
        ("ID,n", "missing ['id'], unknown ['ID'];"),
        ("id;n", "missing ['id', 'n'], unknown ['id;n'];"),
    ],
)
def test_another_header_than_the_contracts_rejects_the_upload(header, said):
    assert problem(f"{header}\na,1,2\n", "csv").startswith(f"another CSV header than the contract's: {said}")


def test_a_csv_without_its_header_is_rejected():
    assert "another CSV header" in problem("a,1\nb,2\n", "csv")


@pytest.mark.parametrize(("line", "count"), [("b", 1), ("b,2,3", 3), (" ", 1), ('"b\nx"', 1)])
def test_a_line_of_too_few_or_too_many_values_is_rejected_alone(line, count):
    before, bad, after = read(f"id,n\na,1\n{line}\nc,3\n", "csv")
    assert (before.problem, after.problem) == (None, None)
    assert (bad.raw.decode(), bad.problem) == (line, f"{count} values for 2 columns")


def test_a_line_of_a_csv_that_is_not_utf8_is_rejected_alone_with_its_bytes():
    before, bad, after = read(b"id,n\na,1\nb\xff,2\nc,3\n", "csv")
    assert (before.problem, after.problem) == (None, None)
    assert (bad.raw, bad.problem) == (b"b\xff,2", "not UTF-8 (byte 1 of the record), line 3")


def test_a_line_of_a_csv_beyond_the_contracts_size_is_rejected_alone():
    before, bad, after = read("id,n\na,1\nbbbbbbbb,2\nc,3\n", layout("csv", max_record_bytes=9))
    assert (before.problem, after.problem) == (None, None)
    assert (bad.raw.decode(), bad.problem[:20]) == ("bbbbbbbb,2", "a record of 10 bytes")


@pytest.mark.parametrize("body", ['id,n\na,1\n"b,2\n', 'id,n\na,1\n"b"x,2\n'])
def test_a_quote_that_is_wrong_rejects_the_upload_because_lines_are_not_sure_after_it(body):
    assert problem(body, "csv").startswith("not CSV at line 3")


def not_joined(row: tuple[str, ...]) -> bool:
    """Whether a row cannot be the start of a second file: the header again, or a byte order mark."""
    return row != ("id", "n") and not row[0].startswith("\ufeff")


@given(
    st.lists(st.tuples(texts, texts).filter(not_joined)),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([('"', '"'), ("'", "'"), ('"', "\\")]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_any_csv_that_python_writes_comes_back_the_same(rows, delimiter, quoting_by, quoting):
    quote, escape = quoting_by
    dialect = {"delimiter": delimiter, "quotechar": quote, "quoting": quoting}
    dialect |= {"doublequote": True} if quote == escape else {"doublequote": False, "escapechar": escape}
    file = io.StringIO()
    csv.writer(file, **dialect).writerows([("id", "n"), *rows])
    expected = [{name: value for name, value in zip(("id", "n"), row, strict=True) if value} for row in rows]
    assert rows_of(file.getvalue(), layout("csv", delimiter=delimiter, quote=quote, escape=escape)) == expected


def tokens_of(rows: list[tuple[str, ...]], delimiter: str, escape: str, end: str) -> list[tuple[str, str]]:
    """A CSV by a strict writer, as (kind, text): kind is `quote`, `delimiter`, `end`, or `text` between them."""
    tokens = []
    for row in rows:
        for number, value in enumerate(row):
            tokens += [("delimiter", delimiter)] if number else []
            if value and not set(value) & {delimiter, '"', escape, "\r", "\n"}:
                tokens.append(("text", value))
            else:
                inside = value.replace(escape, 2 * escape).replace('"', escape + '"') if escape != '"' else None
                inside = value.replace('"', '""') if inside is None else inside
                tokens += [("quote", '"'), ("text", inside), ("quote", '"')]
        tokens.append(("end", end))
    return tokens


@given(
    rows=st.lists(st.tuples(texts.filter(bool), texts).filter(not_joined), min_size=1, max_size=4),
    delimiter=st.sampled_from([",", ";"]),
    escape=st.sampled_from(['"', "\\"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
def test_a_lost_or_added_quote_delimiter_or_line_end_alters_no_row_in_silence(rows, delimiter, escape, end, data):
    tokens = tokens_of([("id", "n"), *rows], delimiter, escape, end)
    wanted = layout("csv", delimiter=delimiter, escape=escape)
    expected = [{name: value for name, value in zip(("id", "n"), row, strict=True) if value} for row in rows]
    assert rows_of("".join(text for _, text in tokens), wanted) == expected
    place = data.draw(st.sampled_from([n for n, (kind, _) in enumerate(tokens) if kind != "text"]))
    kept = data.draw(st.sampled_from(["", 2 * tokens[place][1]]), label="instead of it")
    damaged = "".join(kept if number == place else text for number, (_, text) in enumerate(tokens))
    result = read(damaged, wanted)
    problems = [record.problem for record in result if record.problem]
    assert problems or [json.loads(record.raw) for record in result] == expected


@pytest.mark.parametrize(
    ("written", "value"),
    [("C:\\temp", "C:\\temp"), ('"C:\\temp"', "C:\\temp"), ("\\N", "\\N"), ('"a\\\\b"', "a\\b"), ("a\\,b", "a,b")],
)
def test_an_escape_that_is_not_the_quote_alters_no_other_character(written, value):
    assert rows_of(f"id,n\n{written},1\n", layout("csv", escape="\\")) == [{"id": value, "n": "1"}]


@pytest.mark.parametrize("body", ['id,n\n"10" hose",1\n', 'id,n\n"a ""b"" c",1\n'])
def test_text_after_a_closing_quote_is_refused_under_every_escape(body):
    assert "text after a closing quote" in problem(body, layout("csv", escape="\\"))


def test_a_quote_inside_an_unquoted_value_rejects_its_row_because_a_separator_may_be_lost():
    before, bad, after = read('id,n\na,1\nb"c,2\nd,3\n', "csv")
    assert (before.problem, after.problem) == (None, None)
    assert bad.problem == "a quote inside an unquoted value: a delimiter or a quote is missing, line 3"


@pytest.mark.parametrize("line", ["id,n", "\ufeffid,n", "\ufeffb,2"])
def test_files_that_were_joined_leave_no_header_and_no_byte_order_mark_in_a_record(line):
    before, bad, after = read(f"id,n\na,1\n{line}\nc,3\n", "csv")
    assert (before.problem, after.problem) == (None, None)
    assert bad.problem is not None
    assert bad.problem.endswith("line 3: files were joined")


def test_a_byte_order_mark_between_joined_json_lines_is_no_part_of_a_record():
    assert raws(read('{"id":"a"}\n\ufeff{"id":"b"}\n')) == ['{"id":"a"}', '{"id":"b"}']


def test_a_blank_line_is_an_empty_value_of_a_csv_of_one_column_and_nothing_elsewhere():
    assert rows_of('id\na\n\n""\n', layout("csv", columns=("id",))) == [{"id": "a"}, {}, {}]
    assert rows_of("id,n\na,1\n\nb,2\n", layout("csv")) == [{"id": "a", "n": "1"}, {"id": "b", "n": "2"}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("format_", ["csv", "jsonl", "json", "json_array"])
def test_another_encoding_is_named(encoding, format_):
    text, _ = BODIES[format_]
    assert f"UTF-{encoding[4:6]}" in problem(text.encode(encoding), format_)


def test_a_header_that_is_not_utf8_says_so():
    assert problem("größe,n\na,1\n".encode("cp1252"), "csv").startswith("the header is not UTF-8: ")


def test_a_header_may_lack_optional_columns_and_with_an_open_contract_have_more():
    optional = layout("csv", required=("id",))
    assert rows_of("id\na\n", optional) == [{"id": "a"}]
    assert "unknown ['x']" in problem("id,x\na,1\n", optional)
    assert rows_of("id,x\na,1\n", layout("csv", required=("id",), is_open=True)) == [{"id": "a", "x": "1"}]


def test_an_upload_with_too_many_records_is_refused_whole():
    assert (
        problem("{}\n" * 11, layout("jsonl", max_records=10))
        == "more than 10 records (headgate.maxRecords): send them in parts"
    )
    assert len(read("{}\n" * 10, layout("jsonl", max_records=10))) == 10


def parquet_of(count: int) -> bytes:
    """A Parquet file of `count` short rows."""
    file = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array(["abc"] * count), "n": pa.array(range(count))}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        ("csv", lambda: b"id,n\n" + b"abc,12345\n" * 100_000),
        ("jsonl", lambda: b'{"id":"abc"}\n' * 100_000),
        ("parquet", lambda: parquet_of(100_000)),
    ],
)
def test_memory_does_not_follow_the_number_of_records(format_, body):
    upload = body()
    tracemalloc.start()
    count = sum(1 for _ in split(upload, layout(format_), gzipped=False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 60 * 2**20  # the text, its copies, and 32 MiB of spool; 8 GB where each record kept a buffer
