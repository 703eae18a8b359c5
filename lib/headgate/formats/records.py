"""Splits the bytes of an upload into records: raw text by ordinal, or the reason why there is none.

Runs in Spark's Python workers; knows neither Spark nor the types of a contract's columns. A record keeps its text
exactly as it was sent, because a record that is rejected today may be replayed under a corrected contract.
"""

from __future__ import annotations

import pickle
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from headgate.contracts.odcs import DEFAULT_MAX_RECORDS, DEFAULT_MAX_UNCOMPRESSED_BYTES
from headgate.formats.csv_rows import CsvRow, Dialect, NotCsv, csv_rows
from headgate.formats.json_elements import NotAnArray, elements

if TYPE_CHECKING:
    from headgate.contracts.contract import Contract

_BOM = b"\xef\xbb\xbf"
#: Byte order marks of other encodings. That of UTF-32 begins with that of UTF-16.
_OTHER_ENCODINGS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_JSON_SPACE = b" \t\r\n"
_GZIP_PIECE = 16 * 2**10
#: So much of an upload's records is kept in memory; more goes to a temporary file.
_SPOOL_BYTES = 32 * 2**20
_SPOOL_ROWS = 1000


@dataclass(frozen=True)
class Layout:
    """How a dataset's uploads are written, as its contract says it.

    columns: of a CSV, the names of the contract. required: those that a header must have. is_open: whether a header may
    have more. max_record_bytes: the limit of one record. max_records, max_uncompressed_bytes: the
    limits of one upload; the second is that of gzip and Parquet, which may be bombs.
    """

    format: str  # json, json_array, jsonl, csv or parquet
    columns: tuple[str, ...]
    max_record_bytes: int
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    required: tuple[str, ...] | None = None  # None: every column
    is_open: bool = False
    max_records: int = DEFAULT_MAX_RECORDS
    max_uncompressed_bytes: int = DEFAULT_MAX_UNCOMPRESSED_BYTES


def layout_of(contract: Contract) -> Layout:
    """Returns how the contract says that uploads are written."""
    return Layout(
        format=contract.format,
        columns=tuple(column.sent_name for column in contract.fields),
        max_record_bytes=contract.max_record_bytes,
        delimiter=contract.csv.delimiter,
        quote=contract.csv.quote,
        escape=contract.csv.escape,
        required=tuple(column.sent_name for column in contract.fields if column.required),
        is_open=contract.evolution == "add_columns",
        max_records=contract.max_records,
        max_uncompressed_bytes=contract.max_uncompressed_bytes,
    )


@dataclass(frozen=True)
class Record:
    """One record: its raw bytes, and the problem if it cannot be read.

    whole: the record is an upload that cannot be split; `raw` is the upload as it landed. records: how many records
    it has, None where they cannot be counted.
    """

    raw: bytes = field(repr=False)
    problem: str | None = None
    whole: bool = False
    records: int | None = None


class Unreadable(Exception):
    """The upload as a whole cannot be read. `records` is how many it has, None where they cannot be counted."""

    def __init__(self, problem: str, records: int | None = None) -> None:
        super().__init__(problem)
        self.records = records


def split(body: bytes, layout: Layout, *, gzipped: bool) -> Iterator[Record]:
    """Yields the records of an upload, in order. An upload that cannot be read is one record with a problem.

    The whole upload is read before its first record is returned, so that a truncated upload returns no records.
    Memory follows a fixed batch: the records wait in a temporary file.
    """
    try:
        text = (_gunzip(body, layout.max_uncompressed_bytes) if gzipped else body).removeprefix(_BOM)
        if text and not text.isspace():
            _require_utf8_marks(text)
            yield from _spooled(_SPLITTERS[layout.format](text, layout), layout.max_records)
    except Unreadable as error:
        yield Record(body, str(error), whole=True, records=error.records)


def _spooled(records: Iterable[Record], most: int) -> Iterator[Record]:
    """Reads all records into a spool, then yields them. Raises Unreadable beyond `most` records."""
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
        batch: list[tuple[bytes, str | None]] = []
        batches = 0
        for count, record in enumerate(records, 1):
            batch.append((record.raw, record.problem))
            if count > most:
                raise Unreadable(f"more than {most} records (headgate.maxRecords): send them in parts")
            if len(batch) == _SPOOL_ROWS:
                pickle.dump(batch, spool, pickle.HIGHEST_PROTOCOL)
                batch, batches = [], batches + 1
        spool.seek(0)
        for _ in range(batches):
            yield from (Record(*pair) for pair in pickle.load(spool))  # noqa: S301  # written by this function
        yield from (Record(*pair) for pair in batch)


def _require_utf8_marks(text: bytes) -> None:
    """Raises Unreadable for text that another encoding's byte order mark, or its zero bytes, give away."""
    for mark, name in _OTHER_ENCODINGS.items():
        if text.startswith(mark):
            raise Unreadable(f"{name} (its byte order mark is {mark.hex(' ').upper()}): send UTF-8")
    if text[:4] in (text[:1] + b"\0" + text[2:3] + b"\0", b"\0" + text[1:2] + b"\0" + text[3:4]) and len(text) > 3:
        raise Unreadable("UTF-16 without a byte order mark (every other byte is zero): send UTF-8")


def _too_much(most: int) -> Unreadable:
    return Unreadable(f"more than {most} bytes (headgate.maxUncompressedBytes) when uncompressed: send it in parts")


def _gunzip(body: bytes, most: int) -> bytes:
    """The content of every gzip member, in small pieces, because each member copies the remaining input."""
    parts, total, at = [], 0, 0
    while at < len(body):
        reader = zlib.decompressobj(wbits=31)
        while not reader.eof and at < len(body):
            piece = body[at : at + _GZIP_PIECE]
            at += len(piece)
            try:
                parts.append(reader.decompress(piece, most - total + 1))
            except zlib.error as error:
                raise Unreadable(f"not gzip, or not to its end, though its name says so: {error}") from error
            total += len(parts[-1])
            if total > most:
                raise _too_much(most)
        if not reader.eof:
            raise Unreadable(f"gzip, but cut after {total} bytes of content")
        at -= len(reader.unused_data)
    return b"".join(parts)


def _json_document(text: bytes, layout: Layout) -> Iterator[Record]:
    yield _json_record(text.strip(_JSON_SPACE), layout)


def _json_lines(text: bytes, layout: Layout) -> Iterator[Record]:
    """Each line that is not blank. A byte order mark at the start of a line comes from files that were joined."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].removeprefix(_BOM).strip(_JSON_SPACE)
        if line:
            yield _json_record(line, layout)
        start = end + 1


def _json_array(text: bytes, layout: Layout) -> Iterator[Record]:
    """Each element of a JSON array, as it was written."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"not UTF-8: {error.reason} at byte {error.start}, line {line}") from error
    try:
        for start, end in elements(decoded):
            yield _json_record(decoded[start:end].encode(), layout)
    except NotAnArray as error:
        raise Unreadable(str(error)) from error


def _json_record(raw: bytes, layout: Layout) -> Record:
    if len(raw) > layout.max_record_bytes:
        return Record(raw, _too_large(raw, layout))
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Record(raw, f"not JSON: {error}{_encoding_fault(raw)}")
    return Record(raw, None if isinstance(value, dict) else "not a JSON object")


def _encoding_fault(raw: bytes) -> str:
    """Where a record that is not UTF-8 goes wrong."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f" (byte {error.start} of the record)"
    return ""


def _too_large(raw: bytes, layout: Layout) -> str:
    return f"a record of {len(raw)} bytes; the contract takes {layout.max_record_bytes} (headgate.maxRecordBytes)"


def _csv(text: bytes, layout: Layout) -> Iterator[Record]:
    """Each row below the header as a JSON object of the header's names; an empty value is left out.

    Blank lines are not rows, except in a CSV with a single column, where a blank line is an empty value.
    """
    rows = csv_rows(text.decode("utf-8", "surrogateescape"), Dialect(layout.delimiter, layout.quote, layout.escape))
    try:
        header = next((row for row in rows if row.values), None)
        if header is None:
            return
        if fault := _header_fault(header, layout):
            raise Unreadable(fault, _count(rows, header))
        for row in rows:
            if row.values or len(header.values) == 1:
                yield _csv_record(header.values, row, layout)
    except NotCsv as error:
        raise Unreadable(str(error)) from error


def _count(rows: Iterable[CsvRow], header: CsvRow) -> int | None:
    """How many records the rows below a header are; None where they cannot be divided into rows."""
    try:
        return sum(bool(row.values) or len(header.values) == 1 for row in rows)
    except NotCsv:
        return None


def _header_fault(header: CsvRow, layout: Layout) -> str:
    """Why a header is refused: it lacks required columns, or has unknown or repeated ones; empty if it fits."""
    names = header.values
    if any("\udc80" <= char <= "\udcff" for char in header.raw):
        return f"the header is not UTF-8: {_shown(header.raw)}"
    if header.problem:
        return f"the header has {header.problem}"
    required = layout.columns if layout.required is None else layout.required
    faults = {
        "missing": [name for name in required if name not in names],
        "unknown": [] if layout.is_open else [name for name in names if name not in layout.columns],
        "twice": sorted({name for name in names if names.count(name) > 1}),
    }
    if not any(faults.values()):
        return ""
    text = ", ".join(f"{kind} {columns}" for kind, columns in faults.items() if columns)
    return f"another CSV header than the contract's: {text}; the contract has {list(layout.columns)}"


def _shown(text: str) -> str:
    return repr(text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")[:80])


def _csv_record(header: list[str], row: CsvRow, layout: Layout) -> Record:
    line = row.raw.encode("utf-8", "surrogateescape")
    values = row.values or [""]
    if problem := _row_problem(header, row, values, line, layout):
        return Record(line, problem)
    content = {name: value for name, value in zip(header, values, strict=True) if value != ""}
    try:
        # orjson leaves each result in a buffer of 4 KB: a copy needs less memory.
        return Record(bytes(bytearray(orjson.dumps(content))))
    except orjson.JSONEncodeError:
        return Record(line, f"not UTF-8{_encoding_fault(line)}, line {row.line}")


def _row_problem(header: list[str], row: CsvRow, values: list[str], line: bytes, layout: Layout) -> str | None:
    """Why a row is not a record; None if it is."""
    if len(line) > layout.max_record_bytes:
        return _too_large(line, layout)
    if [values[0].removeprefix("\ufeff"), *values[1:]] == header:
        return f"the header again, line {row.line}: files were joined"
    if values[0].startswith("\ufeff"):
        return f"a byte order mark inside the file, line {row.line}: files were joined"
    if row.problem:
        return f"{row.problem}, line {row.line}"
    if len(values) != len(header):
        return f"{len(values)} values for {len(header)} columns"
    return None


def _parquet(body: bytes, layout: Layout) -> Iterator[Record]:
    """Each row as a JSON object of its columns."""
    from headgate.formats import parquet

    size = 0
    try:
        for raw in parquet.json_rows(body):
            size += len(raw)
            if size > layout.max_uncompressed_bytes:
                raise _too_much(layout.max_uncompressed_bytes)
            yield Record(raw, _too_large(raw, layout) if len(raw) > layout.max_record_bytes else None)
    except parquet.NotParquet as error:
        raise Unreadable(str(error), error.records) from error


_SPLITTERS: dict[str, Callable[[bytes, Layout], Iterator[Record]]] = {
    "json": _json_document,
    "json_array": _json_array,
    "jsonl": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
}
