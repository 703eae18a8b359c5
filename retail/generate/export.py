"""The base of all datasets except transactions: batches of rows, some late, repeated, corrected or broken."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from random import Random
from typing import ClassVar

from headgate.generate.numbers import at, days_late, idempotency_key, sample
from headgate.generate.planned import PlannedUpload, deliveries
from headgate.generate.writers import Record, csv_text, json_array, json_lines
from retail.generate.retailer import Retailer
from retail.generate.spec import FORMATS


@dataclass(frozen=True)
class RowBatch:
    """The rows of a business day that a store sends at `closed`.

    `index` counts the batches that may be late or repeated; -1 for a batch that may not.
    """

    store: str
    day: date
    index: int
    closed: datetime
    rows: list[Record]


class Export(ABC):
    """One dataset. A subclass makes its rows, and says how a row is damaged and corrected."""

    dataset: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    #: Values that replace a row's own, after which its contract rejects it; the value of "" is a value too many.
    damages: ClassVar[tuple[Record, ...]]

    def __init__(self, retailer: Retailer) -> None:
        self.retailer, self.spec = retailer, retailer.spec

    @property
    @abstractmethod
    def days(self) -> int:
        """How many days have batches."""

    @property
    @abstractmethod
    def batch_count(self) -> int:
        """How many batches may be late or repeated."""

    @abstractmethod
    def batches(self, number: int) -> Iterator[RowBatch]:
        """Yields the batches of a day, numbered from 0. Called once for each day, in order."""

    @abstractmethod
    def corrected(self, row: Record, numbers: Random, sent_at: datetime) -> Record:
        """Returns the row as a correction sends it, with other content."""

    def feed(self) -> Iterator[tuple[date, Iterator[PlannedUpload]]]:
        """Yields the planned uploads by business day."""
        for number in range(self.days):
            yield self.retailer.day(number), self._day(number)

    def random_for(self, *purpose: object) -> Random:
        """Returns a generator for one purpose of this dataset."""
        return self.retailer.random_for(self.dataset, *purpose)

    def _day(self, number: int) -> Iterator[PlannedUpload]:
        for batch in self.batches(number):
            if batch.rows:
                yield from self._planned(batch)

    def _planned(self, batch: RowBatch) -> Iterator[PlannedUpload]:
        draw = self.random_for("fate", batch.store, batch.day).random
        broken = {n for n in range(len(batch.rows)) if draw() < self.spec.broken}
        revised = {n for n in range(len(batch.rows)) if draw() < self.spec.corrected} - broken
        rows = [row | self._damage(draw()) if n in broken else row for n, row in enumerate(batch.rows)]
        numbers = self.random_for("sending", batch.store, batch.day)
        upload = self._upload(batch, "batch", batch.closed, rows, len(broken), numbers)
        yield from deliveries(upload, numbers, late=batch.index in self._late, repeated=batch.index in self._repeated)
        if revised:
            yield self._correction(batch, [batch.rows[n] for n in sorted(revised)])

    def _correction(self, batch: RowBatch, rows: list[Record]) -> PlannedUpload:
        numbers = self.random_for("correction", batch.store, batch.day)
        sent_at = at(batch.day + timedelta(days=days_late(numbers)), 23 * 3600)
        corrected = [self.corrected(row, numbers, sent_at) for row in rows]
        return self._upload(batch, "correction", sent_at, corrected, 0, numbers)

    def _upload(
        self, batch: RowBatch, kind: str, sent_at: datetime, rows: list[Record], broken: int, numbers: Random
    ) -> PlannedUpload:
        media_type, suffix = FORMATS[self.dataset]
        return PlannedUpload(
            dataset=self.dataset,
            store=batch.store,
            key=idempotency_key(numbers, self.spec.keys, sent_at, f"{batch.day}-{self.dataset}-{kind}"),
            day=batch.day,
            sent_at=sent_at,
            kind=kind,
            rows=len(rows),
            body=partial(self._body, rows),
            media_type=media_type,
            suffix=suffix,
            broken=broken,
        )

    def _damage(self, draw: float) -> Record:
        return self.damages[int(draw * len(self.damages))]

    @cached_property
    def _late(self) -> frozenset[int]:
        return sample(self.random_for("late"), self.batch_count, self.spec.late)

    @cached_property
    def _repeated(self) -> frozenset[int]:
        return sample(self.random_for("repeated"), self.batch_count, self.spec.repeated)

    def _body(self, rows: list[Record]) -> bytes:
        suffix = FORMATS[self.dataset][1]
        if suffix == ".csv":
            text = csv_text(self.columns, rows)
        else:
            text = json_array(rows) if suffix == ".json" else json_lines(rows)
        return text.encode("utf-8", "surrogateescape")  # broken rows have bytes that are not UTF-8, as surrogates


def timestamp(day: date, second: int) -> str:
    """Returns a second of a day as ISO 8601 in UTC."""
    return f"{at(day, second).isoformat()}Z"


def amount(cents: int) -> Decimal:
    """Returns an amount of money with two decimals."""
    return Decimal(cents).scaleb(-2)
