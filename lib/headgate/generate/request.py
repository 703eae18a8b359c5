"""A request to generate data, and a generated upload."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from headgate.errors import UsageError

KEY_STYLES = ("plain", "uuid7", "mixed")
KINDS = ("batch", "late", "repeat", "correction")

_MAX_DAYS = 366


@dataclass(frozen=True)
class Request:
    """What to generate, for any generator.

    Each of `stores` sends `uploads` batches of each dataset on each of `days` days. `records` is how many records of
    a dataset a store sends on a day, on average; `size` (bytes in all, before compression) takes its place. `late` and
    `repeated` are shares of the batches, `broken` a share of the records, `corrected` a share of the records that are
    not broken. `settings` are the options of a project's own generator, as text.
    Raises UsageError for a value that is out of range.
    """

    datasets: tuple[str, ...]
    stores: tuple[str, ...] = ("store-1", "store-2", "store-3")
    first_day: date = date(2026, 3, 1)
    days: int = 2
    uploads: int = 4
    records: int = 200
    size: int | None = None
    late: float = 0.02
    repeated: float = 0.02
    corrected: float = 0.02
    broken: float = 0.01
    keys: str = "mixed"
    seed: int = 7
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("late", "repeated", "corrected", "broken"):
            share = getattr(self, name)
            require(0 <= share <= 1, name, share, "a share from 0 to 1, such as 0.02")
        for name in ("days", "uploads", "records"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        require(bool(self.stores), "stores", len(self.stores), "a whole number from 1")
        require(2000 <= self.first_day.year <= 2098, "first-day", self.first_day, "a day from 2000 to 2098")
        require(self.days <= _MAX_DAYS, "days", self.days, f"at most {_MAX_DAYS}")
        require(self.size is None or self.size >= 1, "size", self.size, "a number of bytes from 1")
        require(self.keys in KEY_STYLES, "keys", self.keys, ", ".join(KEY_STYLES))


def require(condition: bool, option: str, value: object, allowed: str) -> None:
    """Raises UsageError with the option and its accepted values, if `condition` is false."""
    if not condition:
        raise UsageError(f"{value!r} is not possible", where=f"generate: {option}", fix=f"use {allowed}")


@dataclass(frozen=True)
class GeneratedUpload:
    """One upload.

    `day` is the business day and `sent_on` the day it is sent; `kind` is a member of KINDS. `rows` counts its
    records, and `broken` how many of those are damaged so that their contract rejects them.
    """

    dataset: str
    store: str
    key: str
    day: date
    sent_on: date
    kind: str
    rows: int
    body: bytes = field(repr=False)
    media_type: str = field(default="", repr=False)
    suffix: str = field(default="", repr=False)
    broken: int = field(default=0, repr=False)
