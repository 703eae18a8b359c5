"""The sources of a table at the versions that its last run read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headgate.ledger.ledger import Head, Ledger
from headgate.ledger.position import SourcePosition
from headgate.reconcile.finding import NotChecked


def sources_as_read(ledger: Ledger, head: Head, names: Iterable[str]) -> dict[str, Any]:
    """Name -> the `deltalake` table at the version that `head` has read; a source that was not built then is left out.

    Raises NotChecked if the version is unknown.
    """
    if not head.exists:
        raise NotChecked("not built yet")
    if head.position is None:
        raise NotChecked(f"position lost: {head.lost}; the next run rebuilds it")
    results = {name: _as_read(ledger, name, head.position.get(name)) for name in names}
    return {name: table for name, table in results.items() if table is not None}


def _as_read(ledger: Ledger, name: str, at: SourcePosition | None) -> Any:
    from deltalake.exceptions import DeltaError

    if at is None:
        raise NotChecked(f"was not built from {name}; the next run rebuilds it")
    if not at.exists:
        return None
    try:
        table = ledger.open(name, at.version)
    except DeltaError:
        raise NotChecked(f"the log of {name} at version {at.version} was cleaned up") from None
    if table is None or str(table.metadata().id) != at.id:
        raise NotChecked(f"{name} is another table than it was built from; the next run rebuilds it")
    return table
