"""Registers gold in a Glue database, so that Athena and BI tools can read it. Idempotent.

Terraform makes the database. A table of the same name that Headgate did not register is never changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from headgate.aws.catalog.document import PROJECT, differences, table_input, updated
from headgate.errors import AwsError
from headgate.views.gold import GoldTable

_LOGGER = logging.getLogger(__name__)

CURRENT, CREATE, UPDATE, REMOVE = "current", "create", "update", "remove"
FOREIGN, UNDECLARED = "foreign", "undeclared"


@dataclass(frozen=True)
class Registration:
    """A table of the database: what there is to do, and how it differs from the lake.

    `action`: `current`, `create`, `update`; `foreign` for a table that something else registered; `undeclared` for a
    table that Headgate registered and that the project no longer has, `remove` where it is to be removed.
    """

    table: str
    action: str
    differences: tuple[str, ...] = ()

    @property
    def is_drift(self) -> bool:
        """Whether the catalog differs from the lake."""
        return self.action != CURRENT

    def as_dict(self) -> dict[str, Any]:
        """The registration as `--json` shows it."""
        return asdict(self)


class GlueDatabase:
    """A Glue database of gold. `client` is boto3's `glue`, `project` the name that marks the project's own tables."""

    def __init__(self, client: Any, database: str, project: str) -> None:
        self._client, self.database, self._project = client, database, project

    def compare(self, tables: Iterable[GoldTable], *, prune: bool = False) -> list[Registration]:
        """What `register` would do, in order of name. Raises AwsError where there is no such database."""
        return [registration for registration, _ in self._plan(tables, prune=prune)]

    def register(self, tables: Iterable[GoldTable], *, prune: bool = False) -> list[Registration]:
        """Creates and updates what differs; with `prune` removes what the project no longer has.

        Returns what was done. Raises AwsError where there is no such database.
        """
        results = []
        for registration, document in self._plan(tables, prune=prune):
            self._apply(registration, document)
            results.append(registration)
        return results

    def _plan(self, tables: Iterable[GoldTable], *, prune: bool) -> Iterator[tuple[Registration, dict[str, Any]]]:
        """Each table with the document to send; the document is empty where there is nothing to send."""
        existing = self._existing()
        wanted = {table.short_name: table_input(table, self._project) for table in tables}
        for name in sorted({*existing, *wanted}):
            if name not in wanted:
                if existing[name].get("Parameters", {}).get(PROJECT) == self._project:
                    yield Registration(name, REMOVE if prune else UNDECLARED), {}
            elif name not in existing:
                yield Registration(name, CREATE), wanted[name]
            elif PROJECT not in existing[name].get("Parameters", {}):
                yield Registration(name, FOREIGN), {}
            elif changed := differences(existing[name], wanted[name]):
                yield Registration(name, UPDATE, tuple(changed)), updated(existing[name], wanted[name])
            else:
                yield Registration(name, CURRENT), {}

    def _existing(self) -> dict[str, Mapping[str, Any]]:
        """The tables of the database, by name."""
        pages = self._client.get_paginator("get_tables").paginate(DatabaseName=self.database)
        try:
            return {table["Name"]: table for page in pages for table in page["TableList"]}
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityNotFoundException":
                raise
            raise AwsError(
                f"there is no Glue database '{self.database}'",
                where="catalog.database",
                fix="Terraform makes it (module catalog); apply it, or correct the environment's catalog.database",
            ) from error

    def _apply(self, registration: Registration, document: dict[str, Any]) -> None:
        if registration.action == CREATE:
            self._create(document)
        elif registration.action == UPDATE:
            self._client.update_table(DatabaseName=self.database, TableInput=document)
        elif registration.action == REMOVE:
            self._client.delete_table(DatabaseName=self.database, Name=registration.table)
        else:
            return
        _LOGGER.info("catalog: %s %s.%s", registration.action, self.database, registration.table)

    def _create(self, document: dict[str, Any]) -> None:
        """Creates a table; one that another run has created meanwhile is updated to the same."""
        try:
            self._client.create_table(DatabaseName=self.database, TableInput=document)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AlreadyExistsException":
                raise
            self._client.update_table(DatabaseName=self.database, TableInput=document)
