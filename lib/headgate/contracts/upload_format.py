"""How an upload is written: its compression and its CSV dialect, from the custom properties of a contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.document import Document, Problem

#: Compression -> the suffix that it adds to a file's name.
COMPRESSED = {"none": "", "gzip": ".gz"}


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV is written. An escape equal to the quote means that quotes inside a value are doubled."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'


def compressions(custom: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns how uploads may be compressed; a Parquet file is compressed inside."""
    allowed = ["none"] if custom["headgate.format"] == "parquet" else custom.get("headgate.compression", COMPRESSED)
    return tuple(compression for compression in COMPRESSED if compression in allowed)


def read_dialect(custom: Mapping[str, Any]) -> CsvDialect:
    """Returns the CSV dialect; settings that the contract leaves out have defaults."""
    settings = {name.rpartition(".")[2]: value for name, value in custom.items() if name.startswith("headgate.csv.")}
    quote = settings.get("quote", '"')
    return CsvDialect(settings.get("delimiter", ","), quote, settings.get("escape", quote))


def format_problems(custom: Document) -> Iterable[Problem]:
    """Yields the mistakes in compression and CSV dialect that a JSON schema does not find."""
    settings, dialect = custom.value, read_dialect(custom.value)
    if settings["headgate.format"] == "parquet" and "headgate.compression" in settings:
        yield custom.problem(("headgate.compression",), "a parquet file is compressed within", "remove it")
    if settings["headgate.format"] != "csv":
        for name in settings:
            if name.startswith("headgate.csv."):
                yield custom.problem((name,), f"is for CSV; the format is {settings['headgate.format']}", "remove it")
    elif dialect.delimiter in (dialect.quote, dialect.escape):
        yield custom.problem(("headgate.csv.delimiter",), "is also the quote or the escape", "use different characters")
