"""An expectation of a suite: the rows that it checks, and the effect of its failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.document import Place

SEVERITIES = ("critical", "warning", "info")
#: The expectation that a query returns no rows: `{batch}` is the batch, names of other tables are in backquotes.
QUERY = "unexpected_rows_expectation"

_ABOUT_COLUMNS = ("expect_column_to_exist",)  # it checks for missing columns
_LEGACY_COLUMN = re.compile(r"""col\(["']([^"']+)["']\)""")
_RELATION = re.compile(r"`((?:bronze|silver|gold)\.[^`]+)`")


@dataclass(frozen=True)
class Expectation:
    """One expectation of a suite.

    name: the name in reports and reasons; unique in its suite. type: GX's, in snake case. kwargs: as in the file.
    kind: `row` (judged by a row's own columns) or `batch`. scope: `batch` or `table`. on_failure: the effect if it
    is critical, `quarantine` or `fail`. columns: those that it judges. mostly: the least share of rows that pass.
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
    """The columns that a row condition names; Spark determines those of SQL text."""
    if isinstance(condition, str):
        return _LEGACY_COLUMN.findall(condition)
    if not isinstance(condition, dict):
        return []
    inner = [name for item in condition.get("conditions") or [] for name in condition_columns(item)]
    column = condition.get("column")
    name = column.get("name") if isinstance(column, dict) else None
    return [*inner, name] if isinstance(name, str) else inner
