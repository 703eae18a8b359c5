"""Splits an upload's bytes into records: raw text by ordinal, or the reason why there is none.

Runs in Spark's Python workers, over Arrow; knows neither Spark nor a contract's columns. A record is
kept exactly as it was sent, because what is refused today may be replayed under a corrected contract.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

#: How much a compressed upload may grow: past that it is a bomb, or has to be sent in parts.
MAX_UNCOMPRESSED_BYTES = 2**30
_BOM = b"\xef\xbb\xbf"
_JSON_SPACE = b" \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]*")
_GZIP_PIECE = 16 * 2**10
# Finds where an element ends. Numbers stay text: Python refuses to read one of thousands of digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True)
class Layout:
    """How a dataset's uploads are written, as its contract says it."""

    format: str  # json, json_array, jsonl, csv or parquet
    columns: tuple[str, ...]  # of a CSV: the header it must have
    max_record_bytes: int
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'


@dataclass(frozen=True)
class Record:
    """One record: its raw bytes, and the problem where it cannot be read."""

    raw: bytes = field(repr=False)
    problem: str | None = None


class Unreadable(Exception):
    """The upload as a whole is not what it says."""


def split(body: bytes, layout: Layout, *, gzipped: bool) -> Iterator[Record]:
    """The records of an upload, in order. An upload that is not what it says is one record with a problem."""
    try:
        text = (_gunzip(body) if gzipped else body).removeprefix(_BOM)
        if text and not text.isspace():
            # The whole upload is split before its first record is given, so that one cut at its end gives none.
            yield from list(_SPLITTERS[layout.format](text, layout))
    except Unreadable as error:
        yield Record(body, str(error))


def _gunzip(body: bytes) -> bytes:
    """The content of every gzip member. Taken in small pieces, because each member copies what follows it."""
    parts, total, at = [], 0, 0
    while at < len(body):
        reader = zlib.decompressobj(wbits=31)
        while not reader.eof and at < len(body):
            piece = body[at : at + _GZIP_PIECE]
            at += len(piece)
            try:
                parts.append(reader.decompress(piece, MAX_UNCOMPRESSED_BYTES - total + 1))
            except zlib.error as error:
                raise Unreadable(f"not gzip, or not to its end, though its name says so: {error}") from error
            total += len(parts[-1])
            if total > MAX_UNCOMPRESSED_BYTES:
                raise Unreadable(f"more than {MAX_UNCOMPRESSED_BYTES} bytes when uncompressed: send it in parts")
        if not reader.eof:
            raise Unreadable(f"gzip, but cut after {total} bytes of content")
        at -= len(reader.unused_data)
    return b"".join(parts)


def _json_document(text: bytes, layout: Layout) -> Iterator[Record]:
    yield _json_record(text.strip(_JSON_SPACE), layout)


def _json_lines(text: bytes, layout: Layout) -> Iterator[Record]:
    for line in text.split(b"\n"):
        stripped = line.strip(_JSON_SPACE)
        if stripped:
            yield _json_record(stripped, layout)


def _json_array(text: bytes, layout: Layout) -> Iterator[Record]:
    """Each element of one JSON array, cut out as it was written."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error.reason} at byte {error.start}") from error
    for start, end in _elements(decoded):
        yield _json_record(decoded[start:end].encode(), layout)


def _elements(text: str) -> Iterator[tuple[int, int]]:
    """The bounds of each element of a JSON array. Raises Unreadable where it is not one, or is cut."""
    at = _skip_space(text, 0)
    if not text.startswith("[", at):
        raise Unreadable("not a JSON array: it begins with " + repr(text[at : at + 1]))
    at = _skip_space(text, at + 1)
    if text.startswith("]", at):
        return _check_end(text, at + 1)
    while True:
        try:
            _, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"not a whole JSON array: {error}") from error
        yield at, end
        at = _skip_space(text, end)
        if text.startswith("]", at):
            return _check_end(text, at + 1)
        if not text.startswith(",", at):
            raise Unreadable(f"not a whole JSON array: no ',' or ']' at character {at}")
        at = _skip_space(text, at + 1)


def _check_end(text: str, at: int) -> None:
    if _skip_space(text, at) != len(text):
        raise Unreadable(f"more than one JSON array: text goes on at character {at}")


def _skip_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def _json_record(raw: bytes, layout: Layout) -> Record:
    if len(raw) > layout.max_record_bytes:
        return Record(raw, _too_large(raw, layout))
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Record(raw, f"not JSON: {error}")
    return Record(raw, None if isinstance(value, dict) else "not a JSON object")


def _too_large(raw: bytes, layout: Layout) -> str:
    return f"a record of {len(raw)} bytes; the contract takes {layout.max_record_bytes} (headgate.maxRecordBytes)"


def _csv(text: bytes, layout: Layout) -> Iterator[Record]:
    """Each line below the header as a JSON object of the header's names; an empty value is left out."""
    rows = _csv_rows(text, layout)
    header = next(rows, None)
    if header is None:
        return
    _check_header(header[0], layout)
    for values, raw in rows:
        yield _csv_record(header[0], values, raw, layout)


def _check_header(header: list[str], layout: Layout) -> None:
    missing = [name for name in layout.columns if name not in header]
    unknown = [name for name in header if name not in layout.columns]
    twice = sorted({name for name in header if header.count(name) > 1})
    found = {"missing": missing, "unknown": unknown, "twice": twice}
    if any(found.values()):
        said = ", ".join(f"{kind} {names}" for kind, names in found.items() if names)
        raise Unreadable(f"another CSV header than the contract's: {said}; the contract has {list(layout.columns)}")


def _csv_rows(text: bytes, layout: Layout) -> Iterator[tuple[list[str], str]]:
    """Each row with the text it was cut from. Bytes that are not UTF-8 pass through as surrogates."""
    source = _Lines(text.decode("utf-8", "surrogateescape"))
    doubled = layout.escape == layout.quote
    reader = csv.reader(
        source,
        delimiter=layout.delimiter,
        quotechar=layout.quote,
        doublequote=doubled,
        escapechar=None if doubled else layout.escape,
        strict=True,
    )
    csv.field_size_limit(MAX_UNCOMPRESSED_BYTES)
    try:
        for values in reader:
            raw = source.taken()
            if values:
                yield values, raw
    except csv.Error as error:
        raise Unreadable(f"not CSV at line {reader.line_num}: {error}") from error


class _Lines:
    """Feeds a csv.reader, and remembers the text of the row that it is reading."""

    def __init__(self, text: str) -> None:
        # Only \n, \r and \r\n end a line: str.splitlines would also split at characters inside values.
        self._lines = io.StringIO(text, newline="")
        self._taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken.append(line)
        return line

    def taken(self) -> str:
        raw, self._taken = "".join(self._taken), []
        return raw.rstrip("\r\n")


def _csv_record(header: list[str], values: list[str], raw: str, layout: Layout) -> Record:
    line = raw.encode("utf-8", "surrogateescape")
    if len(line) > layout.max_record_bytes:
        return Record(line, _too_large(line, layout))
    if len(values) != len(header):
        return Record(line, f"{len(values)} values for {len(header)} columns")
    try:
        return Record(orjson.dumps({name: value for name, value in zip(header, values, strict=True) if value != ""}))
    except orjson.JSONEncodeError:
        return Record(line, "not UTF-8")


def _parquet(body: bytes, layout: Layout) -> Iterator[Record]:
    """Each row as a JSON object of its columns."""
    from headgate.formats import parquet

    size = 0
    try:
        for raw in parquet.json_rows(body):
            size += len(raw)
            if size > MAX_UNCOMPRESSED_BYTES:
                raise Unreadable(f"more than {MAX_UNCOMPRESSED_BYTES} bytes when uncompressed: send it in parts")
            yield Record(raw, _too_large(raw, layout) if len(raw) > layout.max_record_bytes else None)
    except parquet.NotParquet as error:
        raise Unreadable(str(error)) from error


_SPLITTERS: dict[str, Callable[[bytes, Layout], Iterator[Record]]] = {
    "json": _json_document,
    "json_array": _json_array,
    "jsonl": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
}
