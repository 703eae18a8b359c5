"""Uploads that are planned, and the order in which they are sent."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random

from headgate.generate.numbers import MOST_DAYS_LATER, days_later


@dataclass(frozen=True)
class Ticket:
    """An upload that is planned: `body` makes its bytes."""

    dataset: str
    store: str
    key: str
    day: date
    sent_at: datetime
    kind: str
    rows: int
    body: Callable[[], bytes] = field(repr=False)


#: A dataset's tickets by day, in the order of the days; none is sent before its day.
Feed = Iterable[tuple[date, Iterable[Ticket]]]


def in_order(feeds: Iterable[Feed]) -> Iterator[Ticket]:
    """The tickets in the order of `sent_at`. Held in memory: only those that wait for their day."""
    waiting: list[tuple[datetime, int, Ticket]] = []
    order = itertools.count()
    merged = heapq.merge(*feeds, key=lambda of_day: of_day[0])
    for day, group in itertools.groupby(merged, key=lambda of_day: of_day[0]):
        for _, tickets in group:
            for ticket in tickets:
                heapq.heappush(waiting, (ticket.sent_at, next(order), ticket))
        while waiting and waiting[0][0].date() <= day:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def sendings(batch: Ticket, numbers: Random, *, late: bool, repeated: bool) -> Iterator[Ticket]:
    """The batch on its day or late, and perhaps once more: the same key and bytes."""
    first = batch
    if late:
        first = replace(batch, sent_at=batch.sent_at + timedelta(days=days_later(numbers)), kind="late")
    yield first
    if repeated:
        wait = timedelta(minutes=1 + int(numbers.random() * 60 * 24 * MOST_DAYS_LATER))
        yield replace(first, sent_at=first.sent_at + wait, kind="repeat")
