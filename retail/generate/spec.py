"""What to generate, and the totals of it."""

from dataclasses import dataclass
from datetime import date

from headgate.generate.request import KEY_STYLES, require

#: Dataset -> media type and file suffix of its uploads, as in its contract.
FORMATS = {
    "transactions": ("application/x-ndjson", ".jsonl"),
    "stores": ("text/csv", ".csv"),
    "customers": ("application/json", ".json"),
    "products": ("text/csv", ".csv"),
    "orders": ("text/csv", ".csv"),
    "returns": ("application/x-ndjson", ".jsonl"),
}
DATASETS = tuple(FORMATS)

MAX_CUSTOMERS = 8000
MAX_PRODUCTS = 2000


@dataclass(frozen=True)
class Spec:
    """What to generate. `size` (bytes of transactions, before compression) takes the place of `transactions`.

    `late` and `repeated` are shares of a dataset's batches, at least one batch where they are above 0; `broken` is a
    share of the records in batches, and `corrected` a share of the records that are not broken. `customers` and
    `products` limit those datasets to the ones that sales name most.
    Raises UsageError for a value that is out of range.
    """

    seed: int = 7
    stores: int = 3
    first_day: date = date(2026, 3, 1)
    days: int = 2
    transactions: int = 200  # per store and day, on average
    size: int | None = None
    uploads: int = 4  # per store and day
    late: float = 0.02
    repeated: float = 0.02
    corrected: float = 0.02
    broken: float = 0.01
    random_ids: bool = False
    keys: str = "mixed"
    datasets: tuple[str, ...] = ("transactions",)
    customers: int = MAX_CUSTOMERS
    products: int = MAX_PRODUCTS

    def __post_init__(self) -> None:
        for name in ("late", "repeated", "corrected", "broken"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share from 0 to 1, such as 0.02")
        for name in ("stores", "days", "transactions", "uploads"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name, most in (("customers", MAX_CUSTOMERS), ("products", MAX_PRODUCTS)):
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"a whole number from 1 to {most}")
        require(2000 <= self.first_day.year <= 2098, "first-day", self.first_day, "a day from 2000 to 2098")
        require(self.days <= 366, "days", self.days, "at most 366")
        require(self.size is None or self.size >= 1, "size", self.size, "a number of bytes from 1")
        require(self.keys in KEY_STYLES, "keys", self.keys, ", ".join(KEY_STYLES))
        require(bool(self.datasets), "datasets", self.datasets, f"any of {', '.join(DATASETS)}")
        for dataset in self.datasets:
            require(dataset in DATASETS, "dataset", dataset, ", ".join(DATASETS))


@dataclass(frozen=True)
class Facts:
    """The totals of a Spec. `uploads` and `rows` are counts by kind; the rows of a repeat count as `repeat` only.

    `transactions` counts the ids of transactions. `broken` of them were sent in a line that the contract rejects;
    `corrected` of the others were sent again, revised. Records of other datasets are only in `rows`.
    """

    transactions: int
    broken: int
    corrected: int
    uploads: dict[str, int]
    rows: dict[str, int]

    @property
    def valid(self) -> int:
        """The transactions with a valid line: the rows of a table with one row per transaction."""
        return self.transactions - self.broken
