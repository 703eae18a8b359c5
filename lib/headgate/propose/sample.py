"""Reads the first records of a CSV, JSON or Parquet file, to propose a contract from them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from headgate.contracts.upload_format import CsvDialect
from headgate.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

#: How many records are read where the command does not say otherwise.
DEFAULT_RECORDS = 100_000

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
#: A record, or the place of one that cannot be read and what is wrong with it.
_Record: TypeAlias = dict[str, Any] | str
_DELIMITERS = ",;\t|"
_LINES_FOR_DIALECT = 50


@dataclass(frozen=True)
class Sample:
    """Records of a file, in order. `whole` says whether these are all records of the file.

    A record is a dict; in a CSV its values are text, and None where they are empty. `schema` is a Parquet file's own.
    `broken` says of each record that cannot be read where it is and why: a run quarantines it, the others go on.
    """

    path: Path
    format: str
    records: Sequence[dict[str, Any]]
    columns: tuple[str, ...]
    whole: bool
    dialect: CsvDialect = field(default_factory=CsvDialect)
    compressed: bool = False
    schema: pa.Schema | None = field(default=None, repr=False)
    broken: Sequence[str] = ()


def read_sample(path: Path, most: int = DEFAULT_RECORDS, format_: str | None = None) -> Sample:
    """Returns at most `most` records of the file. Raises UsageError where it, or most of its records, cannot be read.

    The format is that of the suffix, unless `format_` names it; .json is a document, an array or JSON lines.
    """
    compressed = path.suffix == ".gz"
    suffix = Path(path.stem).suffix if compressed else path.suffix
    kind = format_ or _SUFFIXES.get(suffix.lower())
    if kind is None:
        raise UsageError(
            f"the format of '{path.name}' is unknown",
            where=str(path),
            fix="name the file .csv, .jsonl, .json or .parquet, or give --format",
        )
    try:
        sample = _parquet(path, most) if kind == "parquet" else _text_sample(path, kind, most, compressed)
    except (OSError, EOFError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise UsageError(
            f"cannot be read as {kind}: {error}", where=str(path), fix="check the file, or give --format"
        ) from error
    if len(sample.broken) > len(sample.records):
        raise UsageError(
            f"cannot be read as {kind}: {sample.broken[0]} "
            f"(readable records: {len(sample.records):,}, others: {len(sample.broken):,})",
            where=str(path),
            fix="check the file, or give --format",
        )
    if not sample.records:
        raise UsageError("the file has no record", where=str(path), fix="give a file with data")
    return sample


def _text_sample(path: Path, kind: str, most: int, compressed: bool) -> Sample:
    with gzip.open(path, "rb") if compressed else path.open("rb") as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        if kind == "csv":
            return _csv(path, file, most, compressed)
        return _json(path, file, kind, most, compressed)


# --- CSV


def _csv(path: Path, file: io.TextIOWrapper, most: int, compressed: bool) -> Sample:
    head = "".join(islice(file, _LINES_FOR_DIALECT))
    file.seek(0)
    dialect = _dialect_of(head)
    doubled = dialect.escape == dialect.quote
    reader = csv.reader(
        file,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        doublequote=doubled,
        escapechar=None if doubled else dialect.escape,
        strict=True,
    )
    columns = tuple(next(reader, ()))
    rows = _csv_records(reader, columns)
    records, broken = _divided(islice(rows, most))
    return Sample(path, "csv", records, columns, next(rows, None) is None, dialect, compressed, broken=broken)


def _csv_records(reader: Any, columns: Sequence[str]) -> Iterator[_Record]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"line {reader.line_num}: {error}"
            continue
        if len(row) == len(columns):
            yield {name: value if value != "" else None for name, value in zip(columns, row, strict=True)}
        elif row:
            yield f"line {reader.line_num} has {len(row)} values, the header has {len(columns)}"


def _divided(records: Iterable[_Record]) -> tuple[list[dict[str, Any]], list[str]]:
    """The records, and what is wrong with those that cannot be read."""
    every = list(records)
    return [r for r in every if isinstance(r, dict)], [r for r in every if isinstance(r, str)]


def _dialect_of(head: str) -> CsvDialect:
    """The delimiter that splits the header, and most of the first lines, into the most columns."""
    best, columns = ",", 1
    for delimiter in _DELIMITERS:
        rows = [row for row in csv.reader(io.StringIO(head), delimiter=delimiter) if row]
        size = len(rows[0]) if rows else 0
        alike = sum(len(row) == size for row in rows)  # a few lines may be broken, and the last one cut inside quotes
        if size > columns and 2 * alike > len(rows):
            best, columns = delimiter, size
    escape = "\\" if '\\"' in head else '"'
    return CsvDialect(best, '"', escape)


# --- JSON


def _json(path: Path, file: io.TextIOWrapper, kind: str, most: int, compressed: bool) -> Sample:
    if kind == "jsonl":
        return _json_lines(path, file, most, compressed)
    text = file.read()
    try:
        document = json.loads(text, parse_float=Decimal)
    except ValueError:
        if kind == "json_array" or "\n" not in text.strip():
            raise
        return _json_lines(path, io.StringIO(text), most, compressed)
    is_array = isinstance(document, list)
    values = document if is_array else [document]
    elements = (_object(f"element {number}", value) for number, value in enumerate(values[:most], start=1))
    return _json_sample(path, "json_array" if is_array else "json", elements, len(values) <= most, compressed)


def _json_lines(path: Path, file: Iterable[str], most: int, compressed: bool) -> Sample:
    lines = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    records = [_json_line(f"line {number}", line) for number, line in islice(lines, most)]
    return _json_sample(path, "jsonl", records, next(lines, None) is None, compressed)


def _json_line(place: str, line: str) -> _Record:
    try:
        return _object(place, json.loads(line, parse_float=Decimal))
    except ValueError as error:
        return f"{place}: {error}"


def _object(place: str, value: Any) -> _Record:
    return value if isinstance(value, dict) else f"{place}: it is not a JSON object"


def _json_sample(path: Path, kind: str, values: Iterable[_Record], whole: bool, compressed: bool) -> Sample:
    records, broken = _divided(values)
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    return Sample(path, kind, records, columns, whole, compressed=compressed, broken=broken)


# --- Parquet


def _parquet(path: Path, most: int) -> Sample:
    from pyarrow.parquet import ParquetFile

    with path.open("rb") as source:
        file = ParquetFile(source)
        records: list[dict[str, Any]] = []
        for batch in file.iter_batches(batch_size=min(most, 10_000)):
            records.extend(batch.slice(0, most - len(records)).to_pylist())
            if len(records) >= most:
                break
        schema = file.schema_arrow
        whole = len(records) == file.metadata.num_rows
    return Sample(path, "parquet", records, tuple(schema.names), whole, schema=schema)
