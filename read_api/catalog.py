"""What a client may see: its tables, their columns, and the rows of its stores.

Only gold tables with a contract are published, and of those only the columns of the contract. Everything else does not
exist for a client, and is answered like a name that was never there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from headgate.contracts.contract import Field
from headgate.contracts.read_access import Scopes
from headgate.contracts.table_contract import TableContract
from headgate.http.problems import Problem
from read_api.columns import Column

#: Classifications whose columns everybody may read. Any other classification is masked.
OPEN_CLASSIFICATIONS = frozenset({"", "public", "internal"})


@dataclass(frozen=True)
class Access:
    """A table as a client may read it: its contract, its visible columns, and the filter on stores.

    `stores` is None if the client reads the rows of all stores; otherwise those whose `store_column` is listed.
    """

    contract: TableContract
    columns: Mapping[str, Column]
    stores: tuple[str, ...] | None
    store_column: str

    @property
    def table(self) -> str:
        """The table's name, such as gold.daily_store_sales."""
        return self.contract.table

    def at(self, types: Mapping[str, Any]) -> Access:
        """Returns the access for a version with these columns: those that are both visible and there.

        Raises Problem 404 if rows are limited to stores and the version has no column of stores.
        """
        if self.stores is not None and types.get(self.store_column) != "string":
            raise unknown_table()
        columns = {name: replace(c, type=types[name]) for name, c in self.columns.items() if name in types}
        return replace(self, columns=columns)

    def column(self, name: str) -> Column:
        """Returns a visible column. Raises Problem 400 for any other name."""
        if name not in self.columns:
            visible = ", ".join(self.columns)
            raise Problem(400, "unknown-column", f"no column '{name[:80]}' in {self.table}; columns: {visible}")
        return self.columns[name]

    def fingerprint(self) -> str:
        """Returns a hash of what is visible, so that a cache or cursor of a client is never used by another."""
        visible = [[c.name, c.masked] for c in self.columns.values()]
        text = json.dumps([self.table, visible, self.stores, self.store_column])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Catalog:
    """The published tables, by contract."""

    def __init__(self, contracts: Mapping[str, TableContract], store_column: str) -> None:
        self._contracts = {name: c for name, c in sorted(contracts.items()) if name.startswith("gold.")}
        self._store_column = store_column

    def tables(self, scopes: Scopes) -> list[Access]:
        """Returns the tables that the scopes allow."""
        accesses = (self._access(contract, scopes) for contract in self._contracts.values())
        return [access for access in accesses if access is not None]

    def table(self, name: str, scopes: Scopes) -> Access:
        """Returns one table. Raises Problem 404 if it is not published or not allowed; the answer is the same."""
        contract = self._contracts.get(name)
        access = self._access(contract, scopes) if contract else None
        if access is None:
            raise unknown_table()
        return access

    def _access(self, contract: TableContract, scopes: Scopes) -> Access | None:
        if not scopes.allows(contract.table):
            return None
        fields = {field.name: field for field in contract.fields}
        if scopes.stores is not None and self._store_column not in fields:
            return None
        allowed = scopes.columns.get(contract.table)
        columns = {
            name: Column(name, None, field.description, field.classification, _is_masked(field, scopes))
            for name, field in fields.items()
            if allowed is None or name in allowed
        }
        return Access(contract, columns, scopes.stores, self._store_column)


def unknown_table() -> Problem:
    """Returns the answer for a table that is not published or not allowed."""
    return Problem(404, "unknown-table", "no such table for this key; GET /v1/tables lists the tables that it may read")


def _is_masked(field: Field, scopes: Scopes) -> bool:
    return not scopes.personal and _is_personal(field)


def _is_personal(field: Field) -> bool:
    """Whether the contract classifies the field, or anything inside it, as not open."""
    inner = (*field.fields, *([field.item] if field.item else []))
    return field.classification.lower() not in OPEN_CLASSIFICATIONS or any(_is_personal(part) for part in inner)
