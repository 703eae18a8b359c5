"""A suite: the expectations of a table's rows, from GX's own JSON in conf/expectations (`suite_document`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from headgate.document import Invalid, Place, Problem, as_error
from headgate.errors import SuiteError, suggestion
from headgate.modules import table_names
from headgate.project import Project
from headgate.suites.expectation import Expectation
from headgate.suites.suite_document import read_suite

_NOT_NUMBERS = ("string", "boolean", "date", "timestamp")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Suite:
    """The expectations of a table. `hash` is SHA-256 over the effective content, without ids, notes and layout.

    fresh_within: how long the table may be without anything new, as `duration_of` reads it; empty for no promise.
    """

    table: str
    expectations: tuple[Expectation, ...]
    hash: str
    path: Path
    fresh_within: str = ""

    @property
    def rows(self) -> tuple[Expectation, ...]:
        """The row expectations that judge a batch."""
        return tuple(e for e in self.expectations if e.kind == "row" and e.scope == "batch")

    @property
    def batches(self) -> tuple[Expectation, ...]:
        """The batch expectations that judge a batch."""
        return tuple(e for e in self.expectations if e.kind == "batch" and e.scope == "batch")

    @property
    def relations(self) -> tuple[str, ...]:
        """The other tables that queries of the suite read."""
        return tuple(dict.fromkeys(name for expectation in self.expectations for name in expectation.relations))


def suite_files(project: Project) -> list[Path]:
    """The files of conf/expectations that are suites, in a stable order."""
    return sorted(project.expectations.rglob("*.json"))


def load_suites(project: Project) -> dict[str, Suite]:
    """The suites of conf/expectations, by table. Raises SuiteError with the problems of every file."""
    tables = table_names(project)
    results: dict[str, Suite] = {}
    problems: list[Problem] = []
    for path in suite_files(project):
        table = ".".join(path.relative_to(project.expectations).with_suffix("").parts)
        try:
            results[table] = _read(path, table, project.relative(path), tables)
        except Invalid as invalid:
            problems.extend(invalid.problems)
        if table not in tables:
            message = f"no table '{table}'.{suggestion(table, tables)}"
            fix = "name the file conf/expectations/<layer>/<table>.json after a module in jobs"
            problems.append(Problem(Place(project.relative(path)), "", message, fix))
    if problems:
        raise as_error(SuiteError, problems)
    return results


def _read(path: Path, table: str, file: str, tables: Collection[str]) -> Suite:
    """The suite at `path`. Raises Invalid with every problem of the file."""
    result, fresh_within = read_suite(path, table, file, tables)
    return Suite(table, tuple(result), _hash(result), path, fresh_within)


def duration_of(text: str) -> timedelta:
    """The time that a number with `m`, `h` or `d` names, such as 26h."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def require_columns(suite: Suite, columns: Collection[str]) -> None:
    """Raises SuiteError where the suite names a column that a table with `columns` has not.

    A field of a struct, `a.b`, is looked up by its first part.
    """
    problems = []
    for expectation in suite.expectations:
        for name in expectation.needs:
            if name not in columns and name.partition(".")[0].strip("`") not in columns:
                message = f"{suite.table} has no column '{name}'.{suggestion(name, columns)}"
                fix = f"the columns are {', '.join(columns)}"
                problems.append(Problem(expectation.place, expectation.name, message, fix))
    if problems:
        raise as_error(SuiteError, problems)


def require_types(suite: Suite, types: Mapping[str, Any]) -> None:
    """Raises SuiteError where an expectation is impossible for its column's type. types: as Delta's log has them."""
    problems = []
    for expectation in suite.expectations:
        for name in expectation.columns:
            if message := _impossible(expectation, types.get(name)):
                fix = "correct the expectation, or the type in the contract and the function"
                problems.append(
                    Problem(expectation.place, expectation.name, f"{name} is {types[name]}: {message}", fix)
                )
    if problems:
        raise as_error(SuiteError, problems)


def _impossible(expectation: Expectation, kind: Any) -> str:
    if expectation.type == "expect_column_values_to_match_strftime_format" and kind not in (None, "string"):
        return "only text has a format"
    if expectation.type == "expect_column_values_to_be_between" and kind in _NOT_NUMBERS:
        bounds = [expectation.kwargs.get(name) for name in ("min_value", "max_value")]
        if any(isinstance(bound, int | float) for bound in bounds):
            return "it cannot be between numbers"
    return ""


def require_relations(suite: Suite, sources: Collection[str]) -> None:
    """Raises SuiteError if a batch query reads a table that is not in `sources`, the sources of its table.

    A run pins the versions of a table's sources only. A query with scope `table` may read any table.
    """
    problems = [
        Problem(
            expectation.place,
            expectation.name,
            f"the query reads `{name}`, and {suite.table} does not",
            'read it in the table\'s module, or give the expectation the scope "table"',
        )
        for expectation in suite.batches
        for name in expectation.relations
        if name not in sources
    ]
    if problems:
        raise as_error(SuiteError, problems)


def _hash(expectations: list[Expectation]) -> str:
    judged = [[e.name, e.type, e.kwargs, e.severity, e.scope, e.on_failure] for e in expectations]
    return hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()
