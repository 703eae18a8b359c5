"""Generates the retailer's uploads for demonstrations, tests and benchmarks: a Spec gives the same bytes every time.

One module per dataset, and shared ones. Ids fit together: a return is of an earlier sale, and most customers and
products are known before their first sale. Each upload is made when it is needed, so memory is bounded by one upload.
`retail.generator` offers this to `headgate generate`.
"""

from collections import Counter
from collections.abc import Iterator

from headgate.generate import KEY_STYLES, KINDS, GeneratedUpload
from headgate.generate.planned import PlannedUpload, in_order
from retail.generate.customers import Customers
from retail.generate.export import Export
from retail.generate.orders import Orders
from retail.generate.products import Products
from retail.generate.retailer import Retailer
from retail.generate.returns import Returns
from retail.generate.spec import DATASETS, Facts, Spec
from retail.generate.stores import Stores
from retail.generate.transactions import Transactions

__all__ = [
    "DATASETS",
    "KEY_STYLES",
    "KINDS",
    "Facts",
    "GeneratedUpload",
    "Spec",
    "estimated_bytes",
    "facts",
    "uploads",
]

# Head office comes first: its exports are sent in the morning, before the stores' own uploads.
_FEEDS: dict[str, type[Stores | Export | Transactions]] = {
    "stores": Stores,
    "customers": Customers,
    "products": Products,
    "orders": Orders,
    "transactions": Transactions,
    "returns": Returns,
}


def uploads(spec: Spec) -> Iterator[GeneratedUpload]:
    """Yields the uploads of `spec` in the order in which they are sent."""
    for planned in _plan(spec):
        yield planned.generate()


def facts(spec: Spec) -> Facts:
    """Returns the totals of `uploads(spec)`, counted from the plan without making a body."""
    sent: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for planned in _plan(spec):
        sent[planned.kind] += 1
        rows[planned.kind] += planned.rows
    for batch in Transactions(Retailer(spec)).batches() if "transactions" in spec.datasets else ():
        totals.update(transactions=batch.count, broken=len(batch.broken), corrected=len(batch.revised))
    return Facts(totals["transactions"], totals["broken"], totals["corrected"], dict(sent), dict(rows))


def estimated_bytes(spec: Spec) -> int:
    """Returns about how many bytes of transactions `uploads(spec)` gives, before compression."""
    return Transactions(Retailer(spec)).estimated_bytes() if "transactions" in spec.datasets else 0


def _plan(spec: Spec) -> Iterator[PlannedUpload]:
    retailer = Retailer(spec)
    return in_order(feed(retailer).feed() for dataset, feed in _FEEDS.items() if dataset in spec.datasets)
