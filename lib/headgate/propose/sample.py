"""Reads the first records of a CSV, JSON or Parquet file, to propose a contract from them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
_DELIMITERS = ",;\t|"
_LINES_FOR_DIALECT = 50


@dataclass(frozen=True)
class Sample:
    """Records of a file, in order. `whole` says whether these are all records of the file.

    A record is a dict; in a CSV its values are text, and None where they are empty. `schema` is a Parquet file's own.
    """

    path: Path
    format: str
    records: Sequence[dict[str, Any]]
    columns: tuple[str, ...]
    whole: bool
    dialect: CsvDialect = field(default_factory=CsvDialect)
    compressed: bool = False
    schema: pa.Schema | None = field(default=None, repr=False)


def read_sample(path: Path, most: int = DEFAULT_RECORDS, format_: str | None = None) -> Sample:
    """Returns at most `most` records of the file. Raises UsageError where it cannot be read or has no record.

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
    records = []
    for row in islice((row for row in reader if row), most):
        if len(row) != len(columns):
            raise ValueError(f"line {reader.line_num} has {len(row)} values, the header has {len(columns)}")
        records.append({name: value if value != "" else None for name, value in zip(columns, row, strict=True)})
    whole = next(reader, None) is None
    return Sample(path, "csv", records, columns, whole, dialect, compressed)


def _dialect_of(head: str) -> CsvDialect:
    """The delimiter that splits the first lines into the most columns, the same number in each line."""
    best, columns = ",", 1
    for delimiter in _DELIMITERS:
        rows = [row for row in csv.reader(io.StringIO(head), delimiter=delimiter) if row]
        sizes = {len(row) for row in (rows[:-1] or rows)}  # the last line may be cut inside quotes
        if len(sizes) == 1 and max(sizes) > columns:
            best, columns = delimiter, max(sizes)
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
    records = [_object(value, number) for number, value in enumerate(values[:most], start=1)]
    return _json_sample(path, "json_array" if is_array else "json", records, len(values) <= most, compressed)


def _json_lines(path: Path, file: Iterable[str], most: int, compressed: bool) -> Sample:
    lines = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    records = [_object(json.loads(line, parse_float=Decimal), number) for number, line in islice(lines, most)]
    return _json_sample(path, "jsonl", records, next(lines, None) is None, compressed)


def _object(value: Any, number: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"record {number} is not a JSON object")
    return value


def _json_sample(path: Path, kind: str, records: Sequence[dict[str, Any]], whole: bool, compressed: bool) -> Sample:
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    return Sample(path, kind, records, columns, whole, compressed=compressed)


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
