"""Generates uploads for demonstrations, tests and benchmarks: seeded, from the contracts of any project.

A Request returns the same bytes every time. Uploads are generated one by one, so memory is bounded by the largest.
A share of the uploads is late or repeated, and a share of the records is corrected or broken. A project can add a
generator of its own for some datasets (`project_generator`).
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from headgate.contracts.contract import Contract
from headgate.generate.feed import Feed
from headgate.generate.planned import in_order
from headgate.generate.project_generator import ProjectGenerator
from headgate.generate.records import RecordMaker
from headgate.generate.request import KEY_STYLES, KINDS, GeneratedUpload, Request

__all__ = ["KEY_STYLES", "KINDS", "GeneratedUpload", "Request", "unbreakable", "uploads"]


def uploads(
    request: Request, contracts: Mapping[str, Contract], generator: ProjectGenerator | None = None
) -> Iterator[GeneratedUpload]:
    """Yields the uploads of `request` in the order in which they are sent.

    The datasets that `generator` names are made by it, the others from their contracts.
    """
    own = tuple(name for name in request.datasets if generator is not None and name in generator.DATASETS)
    others = tuple(name for name in request.datasets if name not in own)
    streams = []
    if generator is not None and own:
        streams.append(generator.uploads(_for(request, own)))
    if others:
        feeds = _feeds(_for(request, others), contracts)
        streams.append(planned.generate() for planned in in_order(feed.planned() for feed in feeds))
    return heapq.merge(*streams, key=lambda upload: upload.sent_on)


def unbreakable(datasets: Iterable[str], contracts: Mapping[str, Contract]) -> list[str]:
    """Returns the datasets whose records cannot be broken, because their contracts accept every record."""
    return [name for name in datasets if not RecordMaker(contracts[name], 0, {}).can_break]


def _for(request: Request, datasets: tuple[str, ...]) -> Request:
    """The request for some of its datasets, with their part of its size."""
    size = None if request.size is None else max(1, request.size * len(datasets) // len(request.datasets))
    return replace(request, datasets=datasets, size=size)


def _feeds(request: Request, contracts: Mapping[str, Contract]) -> list[Feed]:
    """The feeds of the datasets. References to a key are drawn from the ids that its own dataset gets."""
    identifiers: dict[str, int] = {}
    for name in request.datasets:
        feed = Feed(contracts[name], request, {})
        if feed.maker.counter is not None and len(feed.contract.key) == 1:
            identifiers[feed.maker.counter.name] = feed.per_day * len(request.stores) * request.days
    return [Feed(contracts[name], request, identifiers) for name in request.datasets]
