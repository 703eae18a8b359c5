"""What to make, and what is made of it."""

from dataclasses import dataclass, field
from datetime import date

from headgate.errors import UsageError

#: The format of each dataset's uploads, as its contract has it: media type and suffix.
FORMATS = {
    "transactions": ("application/x-ndjson", ".jsonl"),
    "stores": ("text/csv", ".csv"),
    "customers": ("application/json", ".json"),
    "products": ("text/csv", ".csv"),
    "orders": ("text/csv", ".csv"),
    "returns": ("application/x-ndjson", ".jsonl"),
}
DATASETS = tuple(FORMATS)
KEY_STYLES = ("plain", "uuid7", "mixed")
KINDS = ("batch", "late", "repeat", "correction")

MOST_CUSTOMERS = 8000
MOST_PRODUCTS = 2000


@dataclass(frozen=True)
class Spec:
    """What to make. `size` (bytes of transactions, before compression) takes the place of `transactions`.

    `late` and `repeated` are shares of a dataset's batches, each at least one batch where it is above 0;
    `broken` is a share of the lines in batches; `corrected` one of the lines that are not broken.
    `customers` and `products` are how many of those that transactions name are sent: the ones that are met most.
    Raises UsageError for a value that makes no sense.
    """

    seed: int = 7
    stores: int = 3
    first_day: date = date(2026, 3, 1)
    days: int = 2
    transactions: int = 200  # a store and day, on average
    size: int | None = None
    uploads: int = 4  # a store and day
    late: float = 0.02
    repeated: float = 0.02
    corrected: float = 0.02
    broken: float = 0.01
    random_ids: bool = False
    keys: str = "mixed"
    datasets: tuple[str, ...] = ("transactions",)
    customers: int = MOST_CUSTOMERS
    products: int = MOST_PRODUCTS

    def __post_init__(self) -> None:
        for name in ("late", "repeated", "corrected", "broken"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share from 0 to 1, such as 0.02")
        for name in ("stores", "days", "transactions", "uploads"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name, most in (("customers", MOST_CUSTOMERS), ("products", MOST_PRODUCTS)):
            _require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"a whole number from 1 to {most}")
        _require(2000 <= self.first_day.year <= 2098, "first-day", self.first_day, "a day from 2000 to 2098")
        _require(self.days <= 366, "days", self.days, "at most 366")
        _require(self.size is None or self.size >= 1, "size", self.size, "a number of bytes from 1")
        _require(self.keys in KEY_STYLES, "keys", self.keys, f"one of {', '.join(KEY_STYLES)}")
        _require(bool(self.datasets), "datasets", self.datasets, f"at least one of {', '.join(DATASETS)}")
        for dataset in self.datasets:
            _require(dataset in DATASETS, "dataset", dataset, f"one of {', '.join(DATASETS)}")


def _require(holds: bool, option: str, value: object, wanted: str) -> None:
    if not holds:
        raise UsageError(f"{value!r} is not possible", where=f"generate: {option}", fix=f"give {wanted}")


@dataclass(frozen=True)
class GeneratedUpload:
    """One upload. `day` is the business day, `sent_on` the day it is sent, `rows` its records, broken ones included."""

    dataset: str
    store: str
    key: str
    day: date
    sent_on: date
    kind: str
    rows: int
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        return FORMATS[self.dataset][0]

    @property
    def suffix(self) -> str:
        return FORMATS[self.dataset][1]


@dataclass(frozen=True)
class Facts:
    """What a Spec makes. `uploads` and `rows` are counts by kind; a repeat's rows are counted as `repeat` only.

    `transactions` have an id of their own; `broken` of them came in a line that a contract rejects,
    `corrected` others were sent again, revised. The records of other datasets are in `rows` only.
    """

    transactions: int
    broken: int
    corrected: int
    uploads: dict[str, int]
    rows: dict[str, int]

    @property
    def valid(self) -> int:
        """The transactions of which a valid line exists: the rows of a table with one row a transaction."""
        return self.transactions - self.broken
