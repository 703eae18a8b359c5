"""One expectation of a suite: what it judges, and what its failure does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.document import Place

SEVERITIES = ("critical", "warning", "info")
#: The expectation of a query that finds no rows: in it `{batch}` is the batch, and other tables stand in back quotes.
QUERY = "unexpected_rows_expectation"

_ABOUT_COLUMNS = ("expect_column_to_exist",)  # a column that is missing is what it judges
_LEGACY_COLUMN = re.compile(r"""col\(["']([^"']+)["']\)""")
_RELATION = re.compile(r"`((?:bronze|silver|gold)\.[^`]+)`")


@dataclass(frozen=True)
class Expectation:
    """One expectation of a suite.

    name: what reports and reasons call it; unique in its suite. type: GX's, in snake case. kwargs: as in the file.
    kind: `row` (judged by a row's own columns) or `batch`. scope: `batch` or `table`. on_failure: what a critical
    one does, `quarantine` or `fail`. columns: those that it judges. mostly: the least share of rows that pass.
    """

    name: str
    type: str
    kwargs: Mapping[str, Any]
    kind: str
    severity: str
    scope: str
    on_failure: str
    columns: tuple[str, ...]
    mostly: float
    place: Place

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that have to be there: those that it judges, and those of its row condition."""
        judged = () if self.type in _ABOUT_COLUMNS else self.columns
        return tuple(dict.fromkeys([*judged, *condition_columns(self.kwargs.get("row_condition"))]))

    @property
    def relations(self) -> tuple[str, ...]:
        """The other tables that its query reads."""
        query = str(self.kwargs["unexpected_rows_query"]) if self.type == QUERY else ""
        return tuple(dict.fromkeys(_RELATION.findall(query)))


def condition_columns(condition: Any) -> list[str]:
    """The columns that a row condition names; those of SQL text are found out by Spark."""
    if isinstance(condition, str):
        return _LEGACY_COLUMN.findall(condition)
    if not isinstance(condition, dict):
        return []
    inner = [name for item in condition.get("conditions") or [] for name in condition_columns(item)]
    column = condition.get("column")
    name = column.get("name") if isinstance(column, dict) else None
    return [*inner, name] if isinstance(name, str) else inner
