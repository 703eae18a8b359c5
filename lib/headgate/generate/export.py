"""What the datasets beside transactions share: batches of rows, late, repeated, corrected and broken like sales."""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from random import Random
from typing import Any, ClassVar

from headgate.generate.numbers import at, days_later, idempotency_key, money, some_of
from headgate.generate.retailer import Retailer
from headgate.generate.spec import FORMATS
from headgate.generate.ticket import Ticket, sendings

#: A record by its columns; what is None is left out.
Row = dict[str, Any]


class Amount(str):
    """An amount of money as it is written: a number in JSON."""

    @classmethod
    def of(cls, cents: int) -> "Amount":
        return cls(money(cents))

    @property
    def cents(self) -> int:
        return int(self.replace(".", ""))


@dataclass(frozen=True)
class RowBatch:
    """The rows that a store sends of a day, at `closed`. `place` counts the batches that may be late or repeated."""

    store: str
    day: date
    place: int
    closed: datetime
    rows: list[Row]


class Export(ABC):
    """One dataset: its subclass says what rows there are, and how one is damaged and corrected."""

    dataset: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    #: Values that take the place of a row's own, after which its contract rejects it; "" is a value too many.
    damages: ClassVar[tuple[Row, ...]]

    def __init__(self, retailer: Retailer) -> None:
        self.retailer, self.spec = retailer, retailer.spec

    @property
    @abstractmethod
    def days(self) -> int:
        """How many days have batches."""

    @property
    @abstractmethod
    def places(self) -> int:
        """How many batches may be late or repeated."""

    @abstractmethod
    def batches(self, number: int) -> Iterator[RowBatch]:
        """The batches of the day of that number, from 0. Asked for day by day."""

    @abstractmethod
    def corrected(self, row: Row, numbers: Random, sent_at: datetime) -> Row:
        """The row as it is sent again, with other content."""

    def feed(self) -> Iterator[tuple[date, Iterator[Ticket]]]:
        """The tickets by day."""
        for number in range(self.days):
            yield self.retailer.day(number), self._day(number)

    def numbers_for(self, *purpose: object) -> Random:
        return self.retailer.numbers_for(self.dataset, *purpose)

    def _day(self, number: int) -> Iterator[Ticket]:
        for batch in self.batches(number):
            if batch.rows:
                yield from self._tickets(batch)

    def _tickets(self, batch: RowBatch) -> Iterator[Ticket]:
        draw = self.numbers_for("fate", batch.store, batch.day).random
        broken = {place for place in range(len(batch.rows)) if draw() < self.spec.broken}
        revised = {place for place in range(len(batch.rows)) if draw() < self.spec.corrected} - broken
        rows = [row | self._damage(draw()) if n in broken else row for n, row in enumerate(batch.rows)]
        numbers = self.numbers_for("sending", batch.store, batch.day)
        ticket = self._ticket(batch, "batch", batch.closed, rows, numbers)
        yield from sendings(ticket, numbers, late=batch.place in self._late, repeated=batch.place in self._repeated)
        if revised:
            yield self._correction(batch, [batch.rows[place] for place in sorted(revised)])

    def _correction(self, batch: RowBatch, rows: list[Row]) -> Ticket:
        numbers = self.numbers_for("correction", batch.store, batch.day)
        sent_at = at(batch.day + timedelta(days=days_later(numbers)), 23 * 3600)
        corrected = [self.corrected(row, numbers, sent_at) for row in rows]
        return self._ticket(batch, "correction", sent_at, corrected, numbers)

    def _ticket(self, batch: RowBatch, kind: str, sent_at: datetime, rows: list[Row], numbers: Random) -> Ticket:
        key = idempotency_key(numbers, self.spec.keys, sent_at, f"{batch.day}-{self.dataset}-{kind}")
        body = partial(self._body, rows)
        return Ticket(self.dataset, batch.store, key, batch.day, sent_at, kind, len(rows), body)

    def _damage(self, draw: float) -> Row:
        return self.damages[int(draw * len(self.damages))]

    @cached_property
    def _late(self) -> frozenset[int]:
        return some_of(self.numbers_for("late"), self.places, self.spec.late)

    @cached_property
    def _repeated(self) -> frozenset[int]:
        return some_of(self.numbers_for("repeated"), self.places, self.spec.repeated)

    def _body(self, rows: list[Row]) -> bytes:
        written = _WRITERS[FORMATS[self.dataset][1]](self.columns, rows)
        # A broken row carries bytes that are not UTF-8 as surrogates.
        return written.encode("utf-8", "surrogateescape")


def moment(day: date, second: int) -> str:
    """A second of a day as ISO 8601 in UTC."""
    return f"{at(day, second).isoformat()}Z"


def _csv(columns: tuple[str, ...], rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        extra = [row[""]] if "" in row else []
        writer.writerow([_csv_value(row.get(column)) for column in columns] + extra)
    return text.getvalue()


def _csv_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _json_lines(columns: tuple[str, ...], rows: list[Row]) -> str:
    return "".join(f"{_json_object(row)}\n" for row in rows)


def _json_array(columns: tuple[str, ...], rows: list[Row]) -> str:
    return "[\n" + ",\n".join(map(_json_object, rows)) + "\n]\n"


def _json_object(row: Row) -> str:
    fields = (f"{json.dumps(name)}:{_json_value(value)}" for name, value in row.items() if value is not None)
    return "{" + ",".join(fields) + "}"


def _json_value(value: Any) -> str:
    return value if isinstance(value, Amount) else json.dumps(value, ensure_ascii=False)


_WRITERS = {".csv": _csv, ".jsonl": _json_lines, ".json": _json_array}
