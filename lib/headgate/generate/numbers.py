"""Random numbers, timestamps and keys that depend on a seed only.

Nothing here reads the clock or the global random generator. Of `random.Random` only the stable parts are used:
a text seed, `random()` and `getrandbits()`. So the same seed gives the same bytes on every machine.
"""

import itertools
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random

#: A late upload, a repeat or a correction is sent at most this many days after its business day.
MAX_DAYS_LATE = 3
_TWO_DIGITS = tuple(f"{n:02d}" for n in range(100))


def random_for(seed: int, *purpose: object) -> Random:
    """Returns a generator for one purpose; the same seed and purpose give the same numbers."""
    return Random("/".join(map(str, (seed, *purpose))))  # noqa: S311 - test data, not a secret


def split(total: int, weights: Sequence[float]) -> list[int]:
    """Splits `total` into whole parts in proportion to `weights`; the parts add up to `total`."""
    sums = list(itertools.accumulate(weights))
    ends = [round(total * part / sums[-1]) for part in sums]
    return [end - start for start, end in itertools.pairwise([0, *ends])]


def money(cents: int) -> str:
    """Returns an amount in cents (0 or more) as text with two decimals."""
    return f"{cents // 100}.{_TWO_DIGITS[cents % 100]}"


def time_text(second: int) -> str:
    """Returns a second of the day as HH:MM:SS."""
    return f"{_TWO_DIGITS[second // 3600]}:{_TWO_DIGITS[second // 60 % 60]}:{_TWO_DIGITS[second % 60]}"


def at(day: date, second: float) -> datetime:
    """Returns the timestamp `second` seconds after the start of `day`, in UTC without a time zone."""
    return datetime(day.year, day.month, day.day) + timedelta(seconds=second)


def days_late(numbers: Random) -> int:
    """Returns a delay of 1 to MAX_DAYS_LATE days."""
    return 1 + int(numbers.random() * MAX_DAYS_LATE)


def sample(numbers: Random, count: int, share: float) -> frozenset[int]:
    """Returns a random share of the numbers 0 to `count - 1`: at least one if `share` is above 0."""
    draw = numbers.random
    chosen = frozenset(number for number in range(count) if draw() < share)
    return chosen or frozenset([int(draw() * count)] if share and count else [])


def idempotency_key(numbers: Random, style: str, timestamp: datetime, plain: str) -> str:
    """Returns `plain`, or a UUIDv7 of `timestamp`; `style` is plain, uuid7 or mixed (half of each)."""
    as_uuid = numbers.random() < {"plain": 0.0, "uuid7": 1.0, "mixed": 0.5}[style]
    return uuid7(numbers, timestamp) if as_uuid else plain


def uuid7(numbers: Random, timestamp: datetime) -> str:
    """Returns a UUID version 7 (RFC 9562): `timestamp` in milliseconds, then random bits."""
    millis = (timestamp - datetime(1970, 1, 1)) // timedelta(milliseconds=1) + numbers.getrandbits(9)
    time = f"{millis:012x}"
    tail = f"{8 + numbers.getrandbits(2):x}{numbers.getrandbits(12):03x}-{numbers.getrandbits(48):012x}"
    return f"{time[:8]}-{time[8:]}-7{numbers.getrandbits(12):03x}-{tail}"
