"""What the API says about a table: columns and owner from its contract, freshness and quality from its commits."""

from __future__ import annotations

from typing import Any

from headgate.contracts.read_access import ReadApi
from headgate.ledger.ledger import Commit, Ledger
from read_api.catalog import Access
from read_api.columns import Column
from read_api.snapshots import Snapshot

# The maximum of commits to search for the last change of rows.
_COMMITS = 50


def summary(access: Access) -> dict[str, Any]:
    """Returns a table's line in the list of tables."""
    contract = access.contract
    return {
        "table": access.table,
        "description": contract.description,
        "owner": contract.owner,
        "contract_version": contract.version,
        "links": {"self": f"/v1/tables/{access.table}", "rows": f"/v1/tables/{access.table}/rows"},
    }


def details(access: Access, snapshot: Snapshot, ledger: Ledger, settings: ReadApi) -> dict[str, Any]:
    """Returns everything about a version of a table.

    A key that is limited to some stores gets neither the number of rows nor the quality results, of all stores.
    """
    last = _last_change(ledger, snapshot)
    whole = access.stores is None
    return {
        **summary(access),
        "id": snapshot.id,
        "version": snapshot.version,
        "rows": snapshot.rows if whole else None,
        "stores": None if whole else list(access.stores or ()),
        "columns": [_column(column) for column in access.columns.values()],
        "partition_columns": [name for name in snapshot.partition_columns if name in access.columns],
        "freshness": _freshness(last),
        "quality": _quality(last) if whole else None,
        "limits": {"max_rows": settings.max_rows, "max_seconds": settings.max_seconds},
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "description": column.description,
        "classification": column.classification or None,
        "masked": column.masked,
    }


def _last_change(ledger: Ledger, snapshot: Snapshot) -> Commit | None:
    """The newest commit up to the version that changed rows, as far as the log tells."""
    for version in range(snapshot.version, max(-1, snapshot.version - _COMMITS), -1):
        commit = ledger.commit(snapshot.table, version)
        if commit is None or commit.changes_rows:
            return commit
    return None


def _freshness(commit: Commit | None) -> dict[str, Any] | None:
    if commit is None:
        return None
    return {"changed_at": commit.time, "version": commit.version}


def _quality(commit: Commit | None) -> list[dict[str, Any]] | None:
    """The expectations of the last run, without example values; None for a commit that Headgate did not make."""
    if commit is None or commit.metadata is None:
        return None
    names = ("expectation", "severity", "success", "judged", "unexpected")
    results = (result.as_dict() for result in commit.metadata.quality)
    return [{name: result.get(name) for name in names} for result in results]
