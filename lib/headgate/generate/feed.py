"""The uploads of a dataset, generated from its contract."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from random import Random

from headgate.contracts.contract import Contract
from headgate.generate.numbers import at, days_late, idempotency_key, random_for, sample, split
from headgate.generate.planned import PlannedUpload, deliveries
from headgate.generate.records import Place, RecordMaker
from headgate.generate.request import Request
from headgate.generate.writers import Record, write

_OPENS, _CLOSES = 8 * 3600, 20 * 3600  # business hours, in seconds of the day
_CORRECTED_AT = 23 * 3600
_SAMPLE = 50  # records whose size is measured


@dataclass(frozen=True)
class Batch:
    """Some records of a store's day. `first` and `count` number the records of the day; `index` counts all batches.

    `broken` and `revised` are positions in the batch; they have none in common.
    """

    store: int
    day: int
    number: int
    first: int
    count: int
    index: int
    broken: frozenset[int]
    revised: frozenset[int]


class Feed:
    """Plans and generates the uploads of a dataset."""

    def __init__(self, contract: Contract, request: Request, identifiers: Mapping[str, int]) -> None:
        self.contract, self.request = contract, request
        self.maker = RecordMaker(contract, request.seed, identifiers)

    def planned(self) -> Iterator[tuple[date, Iterator[PlannedUpload]]]:
        """Yields the planned uploads by business day."""
        for day in range(self.request.days):
            yield self._date(day), self._day(day)

    @cached_property
    def per_day(self) -> int:
        """How many records a store sends on a day."""
        if self.request.size is None:
            return self.request.records
        share = self.request.size / (len(self.request.datasets) * len(self.request.stores) * self.request.days)
        return max(1, round(share / self._bytes_each))

    def _day(self, day: int) -> Iterator[PlannedUpload]:
        for store in range(len(self.request.stores)):
            batches = list(self._batches(store, day))
            for batch in batches:
                yield from self._deliveries(batch)
            if self.contract.key:  # without a key nothing can be corrected
                yield from self._corrections(store, day, batches)

    def _batches(self, store: int, day: int) -> Iterator[Batch]:
        counts = split(self.per_day, [1.0] * self._batches_per_day)
        first = 0
        for number, count in enumerate(counts):
            if count:
                index = (day * len(self.request.stores) + store) * self._batches_per_day + number
                draw = self._numbers("fate", store, day, number).random
                broken = frozenset(n for n in range(count) if draw() < self.request.broken and self.maker.can_break)
                revised = frozenset(n for n in range(count) if draw() < self.request.corrected) - broken
                yield Batch(store, day, number, first, count, index, broken, revised)
            first += count

    def _deliveries(self, batch: Batch) -> Iterator[PlannedUpload]:
        numbers = self._numbers("sending", batch.store, batch.day, batch.number)
        closed = self._moment(batch.day, batch.first + batch.count) + timedelta(minutes=1)
        upload = self._upload(batch.store, batch.day, "batch", batch.number + 1, closed, partial(self._records, batch))
        planned = upload(rows=batch.count, broken=len(batch.broken))
        return deliveries(planned, numbers, late=batch.index in self._late, repeated=batch.index in self._repeated)

    def _corrections(self, store: int, day: int, batches: list[Batch]) -> Iterator[PlannedUpload]:
        """Yields uploads on a later day with the corrections of a store's day; several if each record is a file."""
        numbers = self._numbers("correction", store, day)
        sent_at = at(self._date(day) + timedelta(days=days_late(numbers)), _CORRECTED_AT)
        places = [self._place(batch, position) for batch in batches for position in sorted(batch.revised)]
        groups = [[place] for place in places] if self.contract.format == "json" else [places] if places else []
        for number, group in enumerate(groups, start=1):
            records = partial(self._corrected, group, sent_at)
            yield self._upload(store, day, "correction", number, sent_at, records)(rows=len(group))

    def _upload(
        self, store: int, day: int, kind: str, number: int, sent_at: datetime, records: "partial[list[Record]]"
    ) -> "partial[PlannedUpload]":
        """A planned upload of this dataset, without its counts."""
        numbers = self._numbers("key", kind, store, day, number)
        key = idempotency_key(
            numbers, self.request.keys, sent_at, f"{self._date(day)}-{self.contract.dataset}-{kind}-{number}"
        )
        return partial(
            PlannedUpload,
            dataset=self.contract.dataset,
            store=self.request.stores[store],
            key=key,
            day=self._date(day),
            sent_at=sent_at,
            kind=kind,
            body=lambda: write(self.contract, records()),
            media_type=self.contract.media_types[0],
            suffix=self.contract.suffixes[0].removesuffix(".gz"),
        )

    def _records(self, batch: Batch) -> list[Record]:
        numbers = self._numbers("broken", batch.store, batch.day, batch.number)
        records = [self.maker.record(self._place(batch, position)) for position in range(batch.count)]
        for position in sorted(batch.broken):
            records[position] = self.maker.broken(records[position], numbers)
        return records

    def _corrected(self, places: list[Place], sent_at: datetime) -> list[Record]:
        return [self.maker.corrected(place, sent_at) for place in places]

    def _place(self, batch: Batch, position: int) -> Place:
        of_day = batch.first + position
        number = (batch.day * len(self.request.stores) + batch.store) * self.per_day + of_day
        return Place(number, self.request.stores[batch.store], self._moment(batch.day, of_day))

    def _moment(self, day: int, of_day: int) -> datetime:
        """When the record of that number is made: the records of a day are spread over the business hours."""
        return at(self._date(day), _OPENS + (_CLOSES - _OPENS) * of_day // self.per_day)

    def _date(self, day: int) -> date:
        return self.request.first_day + timedelta(days=day)

    def _numbers(self, *purpose: object) -> Random:
        return random_for(self.request.seed, self.contract.dataset, *purpose)

    @property
    def _batches_per_day(self) -> int:
        return self.per_day if self.contract.format == "json" else self.request.uploads

    @property
    def _all_batches(self) -> int:
        return self.request.days * len(self.request.stores) * self._batches_per_day

    @cached_property
    def _late(self) -> frozenset[int]:
        return sample(self._numbers("late"), self._all_batches, self.request.late)

    @cached_property
    def _repeated(self) -> frozenset[int]:
        return sample(self._numbers("repeated"), self._all_batches, self.request.repeated)

    @cached_property
    def _bytes_each(self) -> float:
        """The mean size of a record in bytes, measured on a sample, with its share of repeats and corrections."""
        places = [Place(n, self.request.stores[0], at(self.request.first_day, _OPENS)) for n in range(_SAMPLE)]
        records = [self.maker.record(place) for place in places]
        uploads = [[record] for record in records] if self.contract.format == "json" else [records]
        size = sum(len(write(self.contract, upload)) for upload in uploads)
        return size / _SAMPLE * (1 + self.request.repeated + self.request.corrected)
