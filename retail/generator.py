"""The retailer's generator for `headgate generate`: named by `generator` in conf/environments/local.yaml."""

from collections.abc import Iterator
from dataclasses import replace

from headgate.errors import UsageError
from headgate.generate import GeneratedUpload, Request
from retail import generate
from retail.generate import DATASETS, Spec
from retail.generate.spec import MAX_CUSTOMERS, MAX_PRODUCTS

__all__ = ["DATASETS", "OPTIONS", "spec_of", "uploads"]

OPTIONS = {
    "customers": f"how many customers are sent, from 1 to {MAX_CUSTOMERS} (all that sales name)",
    "products": f"how many products are sent, from 1 to {MAX_PRODUCTS} (all that sales name)",
    "random_ids": "true: random transaction ids instead of day, store and number",
}
_TRUTH = {"true": True, "false": False}


def uploads(request: Request) -> Iterator[GeneratedUpload]:
    """Yields the uploads of a request. Raises UsageError for an option that is not possible."""
    return generate.uploads(spec_of(request))


def spec_of(request: Request) -> Spec:
    """Returns the retailer's Spec of a request: `records` are transactions, `size` is bytes of transactions."""
    spec = Spec(
        seed=request.seed,
        stores=len(request.stores),
        first_day=request.first_day,
        days=request.days,
        transactions=request.records,
        size=request.size,
        uploads=request.uploads,
        late=request.late,
        repeated=request.repeated,
        corrected=request.corrected,
        broken=request.broken,
        keys=request.keys,
        datasets=request.datasets,
    )
    return replace(spec, **{name: _parsed(name, text) for name, text in request.settings.items()})


def _parsed(name: str, text: str) -> int | bool:
    if name == "random_ids" and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if name != "random_ids" and text.isdecimal():
        return int(text)
    allowed = "true or false" if name == "random_ids" else "a whole number"
    raise UsageError(f"{name}={text} is not possible", where="generate: --set", fix=f"give {allowed}")
