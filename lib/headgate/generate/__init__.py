"""Realistic retail uploads for demonstrations, tests and benchmarks: a Spec gives the same bytes every time.

Everything is derived from the Spec: no clock, no global random, and of `random` only what Python
keeps stable (a seed of text, `random()`, `getrandbits()`). Each upload has a generator of its own,
so that a repeat is made again instead of kept; memory is bounded by one upload. All that this
framework knows of retail is in this package: one module a dataset, and what they share.
"""

from collections import Counter
from collections.abc import Iterator

from headgate.generate.customers import Customers
from headgate.generate.export import Export
from headgate.generate.orders import Orders
from headgate.generate.products import Products
from headgate.generate.retailer import Retailer
from headgate.generate.returns import Returns
from headgate.generate.spec import DATASETS, KEY_STYLES, KINDS, Facts, GeneratedUpload, Spec
from headgate.generate.stores import Stores
from headgate.generate.ticket import Ticket, in_order
from headgate.generate.transactions import Transactions

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

# Head office first: what it exports in the morning is sent before the stores' own.
_FEEDS: dict[str, type[Stores | Export | Transactions]] = {
    "stores": Stores,
    "customers": Customers,
    "products": Products,
    "orders": Orders,
    "transactions": Transactions,
    "returns": Returns,
}


def uploads(spec: Spec) -> Iterator[GeneratedUpload]:
    """The uploads of `spec` in the order in which they are sent; each body is made when it is asked for."""
    for ticket in _plan(spec):
        yield GeneratedUpload(
            ticket.dataset,
            ticket.store,
            ticket.key,
            ticket.day,
            ticket.sent_at.date(),
            ticket.kind,
            ticket.rows,
            ticket.body(),
        )


def facts(spec: Spec) -> Facts:
    """What `uploads(spec)` makes, counted from the plan without making a body."""
    sent: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for ticket in _plan(spec):
        sent[ticket.kind] += 1
        rows[ticket.kind] += ticket.rows
    for batch in Transactions(Retailer(spec)).batches() if "transactions" in spec.datasets else ():
        seen.update(transactions=batch.count, broken=len(batch.broken), corrected=len(batch.revised))
    return Facts(seen["transactions"], seen["broken"], seen["corrected"], dict(sent), dict(rows))


def estimated_bytes(spec: Spec) -> int:
    """About how many bytes of transactions `uploads(spec)` gives, before compression."""
    return Transactions(Retailer(spec)).estimated_bytes() if "transactions" in spec.datasets else 0


def _plan(spec: Spec) -> Iterator[Ticket]:
    retailer = Retailer(spec)
    return in_order(feed(retailer).feed() for dataset, feed in _FEEDS.items() if dataset in spec.datasets)
