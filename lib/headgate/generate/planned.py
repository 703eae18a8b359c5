"""Planned uploads, and the order in which they are sent."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random

from headgate.generate.numbers import MAX_DAYS_LATE, days_late
from headgate.generate.request import GeneratedUpload


@dataclass(frozen=True)
class PlannedUpload:
    """An upload whose bytes are not made yet: `body` makes them.

    `day` is the business day, `sent_at` when it is sent (UTC), `rows` its records and `broken` how many of those are
    damaged. `media_type` and `suffix` are those of its format.
    """

    dataset: str
    store: str
    key: str
    day: date
    sent_at: datetime
    kind: str
    rows: int
    body: Callable[[], bytes] = field(repr=False)
    media_type: str = ""
    suffix: str = ""
    broken: int = 0

    def generate(self) -> GeneratedUpload:
        """Returns the upload with its bytes."""
        return GeneratedUpload(
            dataset=self.dataset,
            store=self.store,
            key=self.key,
            day=self.day,
            sent_on=self.sent_at.date(),
            kind=self.kind,
            rows=self.rows,
            body=self.body(),
            media_type=self.media_type,
            suffix=self.suffix,
            broken=self.broken,
        )


#: The planned uploads of a dataset by business day, in the order of the days; none is sent before its day.
Feed = Iterable[tuple[date, Iterable[PlannedUpload]]]


def in_order(feeds: Iterable[Feed]) -> Iterator[PlannedUpload]:
    """Yields the uploads by `sent_at`. Only uploads that wait for a later day are kept in memory."""
    waiting: list[tuple[datetime, int, PlannedUpload]] = []
    order = itertools.count()
    merged = heapq.merge(*feeds, key=lambda of_day: of_day[0])
    for day, group in itertools.groupby(merged, key=lambda of_day: of_day[0]):
        for _, uploads in group:
            for upload in uploads:
                heapq.heappush(waiting, (upload.sent_at, next(order), upload))
        while waiting and waiting[0][0].date() <= day:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def deliveries(batch: PlannedUpload, numbers: Random, *, late: bool, repeated: bool) -> Iterator[PlannedUpload]:
    """Yields the batch, on its day or late, and where `repeated` a second time with the same key and bytes."""
    first = batch
    if late:
        first = replace(batch, sent_at=batch.sent_at + timedelta(days=days_late(numbers)), kind="late")
    yield first
    if repeated:
        wait = timedelta(minutes=1 + int(numbers.random() * 60 * 24 * MAX_DAYS_LATE))
        yield replace(first, sent_at=first.sent_at + wait, kind="repeat")
