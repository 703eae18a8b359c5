"""Numbers, moments and keys that are the same on every machine: no clock, no global random."""

import itertools
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random

# A late upload, a repeat or a correction comes at most so many days after its day.
MOST_DAYS_LATER = 3
_TWO_DIGITS = tuple(f"{n:02d}" for n in range(100))


def numbers_for(seed: int, *purpose: object) -> Random:
    """A generator for one purpose: the same purpose gives the same numbers."""
    return Random("/".join(map(str, (seed, *purpose))))  # noqa: S311


def split(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in whole parts, in proportion to `weights`; the parts add up to `total`."""
    sums = list(itertools.accumulate(weights))
    ends = [round(total * part / sums[-1]) for part in sums]
    return [end - start for start, end in itertools.pairwise([0, *ends])]


def money(cents: int) -> str:
    return f"{cents // 100}.{_TWO_DIGITS[cents % 100]}"


def time_text(second: int) -> str:
    return f"{_TWO_DIGITS[second // 3600]}:{_TWO_DIGITS[second // 60 % 60]}:{_TWO_DIGITS[second % 60]}"


def at(day: date, second: int) -> datetime:
    """A moment in UTC, without a zone."""
    return datetime(day.year, day.month, day.day) + timedelta(seconds=second)


def days_later(numbers: Random) -> int:
    return 1 + int(numbers.random() * MOST_DAYS_LATER)


def some_of(numbers: Random, count: int, share: float) -> frozenset[int]:
    """A share of the places 0 to `count`; at least one, so that a small demonstration shows it too."""
    draw = numbers.random
    some = frozenset(place for place in range(count) if draw() < share)
    return some or frozenset([int(draw() * count)] if share else [])


def idempotency_key(numbers: Random, style: str, moment: datetime, plain: str) -> str:
    as_uuid = numbers.random() < {"plain": 0.0, "uuid7": 1.0, "mixed": 0.5}[style]
    return uuid7(numbers, moment) if as_uuid else plain


def uuid7(numbers: Random, moment: datetime) -> str:
    """A key in the shape of RFC 9562's version 7: `moment` in milliseconds, then drawn bits."""
    millis = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1) + numbers.getrandbits(9)
    time = f"{millis:012x}"
    tail = f"{8 + numbers.getrandbits(2):x}{numbers.getrandbits(12):03x}-{numbers.getrandbits(48):012x}"
    return f"{time[:8]}-{time[8:]}-7{numbers.getrandbits(12):03x}-{tail}"
