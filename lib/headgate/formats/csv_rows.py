"""Reads the rows of a CSV strictly: no quote is guessed, and no character is lost.

The grammar is that of RFC 4180, with the delimiter, quote and escape of the contract. A value that begins with the
quote ends with it; inside, the escape (the quote itself, or another character) precedes a quote. An escape that is not
the quote also escapes itself and, outside of quotes, the delimiter. Before any other character it is an ordinary
character. Python's `csv` is not used: it drops such an escape, and accepts text after a closing quote and quotes inside
unquoted values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

QUOTE_INSIDE = "a quote inside an unquoted value: a delimiter or a quote is missing"


class NotCsv(Exception):
    """The rest of the file cannot be divided into rows."""


@dataclass(frozen=True)
class Dialect:
    """The format of a CSV. Each value is a single character. If `escape` equals `quote`, quotes are doubled."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'


class CsvRow(NamedTuple):
    """One row: its values, the text it was cut from, the line it begins at (from 1), and why it is not a row."""

    values: list[str]
    raw: str
    line: int
    problem: str | None = None


# Only \n, \r and \r\n end a line: str.splitlines would also split at characters inside values.
_END_OF_LINE = re.compile(r"\r\n|\r|\n")


def csv_rows(text: str, dialect: Dialect) -> Iterator[CsvRow]:
    """Yields each row, blank lines as rows without values. Raises NotCsv with the line of a quote that is wrong."""
    parser = _Parser(text, dialect)
    at, line = 0, 1
    while at < len(text):
        match = _END_OF_LINE.search(text, at)
        end, following = match.span() if match else (len(text), len(text))
        raw = text[at:end]
        if not parser.is_special(raw):
            yield CsvRow(raw.split(dialect.delimiter) if raw else [], raw, line)
        else:
            row, end = parser.parse(at, line)
            yield row
            match = _END_OF_LINE.match(text, end)
            following = match.end() if match else end
            line += len(_END_OF_LINE.findall(row.raw))
        at, line = following, line + 1


class _Parser:
    """Parses the rows that hold a quote or an escape."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        quote, escape, delimiter = map(re.escape, (dialect.quote, dialect.escape, dialect.delimiter))
        self._text, self._dialect = text, dialect
        self._doubled = dialect.escape == dialect.quote
        # Possessive quantifiers: a quoted value that is still open must not end at an earlier quote.
        if self._doubled:
            inside, outside = f"[^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+", rf"[^{delimiter}\r\n]*+"
        else:
            inside = f"[^{quote}{escape}]*+(?:{escape}(?s:.)[^{quote}{escape}]*+)*+"
            outside = rf"[^{delimiter}{escape}\r\n]*+(?:{escape}[^\r\n]?[^{delimiter}{escape}\r\n]*+)*+"
        self._quoted = re.compile(f"{quote}({inside}){quote}")
        self._plain = re.compile(outside)
        self._escaped_inside = re.compile(f"{escape}({quote}|{escape})")
        self._escaped_outside = re.compile(f"{escape}({quote}|{escape}|{delimiter})")

    def is_special(self, line: str) -> bool:
        """Whether the line needs more than splitting at the delimiter."""
        return self._dialect.quote in line or (not self._doubled and self._dialect.escape in line)

    def parse(self, start: int, line: int) -> tuple[CsvRow, int]:
        """Returns the row that begins at `start`, and the place of its end of line. Raises NotCsv."""
        text, values, at = self._text, [], start
        problem: str | None = None
        while True:
            if text.startswith(self._dialect.quote, at):
                value, at = self._quoted_value(at, line)
            else:
                value, at, is_bare = self._plain_value(at)
                problem = QUOTE_INSIDE if is_bare else problem
            values.append(value)
            if not text.startswith(self._dialect.delimiter, at):
                return CsvRow(values, text[start:at], line, problem), at
            at += 1

    def _quoted_value(self, at: int, line: int) -> tuple[str, int]:
        match = self._quoted.match(self._text, at)
        if match is None:
            raise NotCsv(f"not CSV at line {line}: a quote is not closed")
        end = match.end()
        if end < len(self._text) and self._text[end] not in f"{self._dialect.delimiter}\r\n":
            raise NotCsv(f"not CSV at line {line}: text after a closing quote: {self._text[end : end + 20]!r}")
        return self._unescaped(match[1], self._escaped_inside), end

    def _plain_value(self, at: int) -> tuple[str, int, bool]:
        """An unquoted value, its end, and whether it holds a quote that is not escaped."""
        match = self._plain.match(self._text, at)
        value = match[0] if match else ""
        plain = value if self._doubled else self._escaped_outside.sub("", value)
        unescaped = value if self._doubled else self._unescaped(value, self._escaped_outside)
        return unescaped, at + len(value), self._dialect.quote in plain

    def _unescaped(self, value: str, escaped: re.Pattern[str]) -> str:
        return escaped.sub(r"\1", value) if self._dialect.escape in value else value
