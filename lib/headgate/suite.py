"""A suite: what is expected of a table's rows, from GX's own JSON in conf/expectations.

A suite is checked whole when it is loaded, by the table of what Headgate does with each expectation
(expectations.json, made from GX): what cannot be judged is refused by name, and nothing is skipped. GX is not imported.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import isfinite
from pathlib import Path
from string import Formatter
from typing import Any

from headgate.document import Document, Invalid, Place, Problem, Trail, as_error, check, parse_document
from headgate.errors import SuiteError, suggestion
from headgate.modules import table_names
from headgate.project import Project

SEVERITIES = ("critical", "warning", "info")
#: The expectation of a query that finds no rows: in it `{batch}` is the batch, and other tables stand in back quotes.
QUERY = "unexpected_rows_expectation"

_RESULT_ONLY = ("result_format", "catch_exceptions")  # kwargs that say how GX reports, not what it judges
_LABELS = ("id", "rendered_content", "expectation_context")  # what GX adds when it saves; `normalised` leaves it out
_ABOUT_COLUMNS = ("expect_column_to_exist",)  # a column that is missing is what it judges
_LEGACY_COLUMN = re.compile(r"""col\(["']([^"']+)["']\)""")
_RELATION = re.compile(r"`((?:bronze|silver|gold)\.[^`]+)`")
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN")
_ESCAPE = re.compile(r"\\.")
_TEXT = {"type": "string", "minLength": 1, "pattern": r"^\S([^\n]*\S)?$", "x-wanted": "a line of text"}
_NOTES = {"type": ["string", "array", "null"]}
_HEADGATE = {
    "type": "object",
    "title": "headgate",
    "additionalProperties": False,
    "properties": {
        "name": _TEXT,
        "scope": {"enum": ["batch", "table"]},
        "on_failure": {"enum": ["quarantine", "fail"]},
    },
}
_OF_SUITE = {
    "type": "object",
    "title": "headgate",
    "additionalProperties": False,
    "properties": {
        "fresh_within": {
            "type": "string",
            "pattern": r"^[1-9]\d{0,4}[mhd]$",
            "x-wanted": 'a number of minutes, hours or days, such as "26h"',
        }
    },
}
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_EXPECTATION: dict[str, Any] = {
    "type": "object",
    "title": "expectation",
    "additionalProperties": False,
    "required": ["type", "kwargs"],
    "properties": {
        "type": {"type": "string"},
        "kwargs": {"type": "object"},
        "severity": {"enum": [*SEVERITIES, None]},
        "meta": {"type": ["object", "null"], "properties": {"headgate": _HEADGATE}},
        "description": {"type": ["string", "null"]},
        "notes": _NOTES,
        **{label: {} for label in _LABELS},
    },
}
_SUITE: dict[str, Any] = {
    "type": "object",
    "title": "suite",
    "additionalProperties": False,
    "required": ["name", "expectations"],
    "properties": {
        "name": {"type": "string"},
        "expectations": {"type": "array"},
        "meta": {"type": ["object", "null"], "properties": {"headgate": _OF_SUITE}},
        "notes": _NOTES,
        "id": {},
        "suite_parameters": {"type": ["object", "null"], "maxProperties": 0, "x-wanted": "nothing: write the values"},
    },
}
_NOT_TAKEN = {
    "batch_id": ("names another batch", "remove it: a suite judges its own table's batch"),
    "windows": ("is a feature of GX Cloud", "write min_value and max_value"),
    "mostly": ("is not possible here: the expectation gives one answer", "remove it"),
}


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
    place: str

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that have to be there: those that it judges, and those of its row condition."""
        judged = () if self.type in _ABOUT_COLUMNS else self.columns
        return tuple(dict.fromkeys([*judged, *_condition_columns(self.kwargs.get("row_condition"))]))

    @property
    def relations(self) -> tuple[str, ...]:
        """The other tables that its query reads."""
        query = str(self.kwargs["unexpected_rows_query"]) if self.type == QUERY else ""
        return tuple(dict.fromkeys(_RELATION.findall(query)))


@dataclass(frozen=True)
class Suite:
    """What is expected of a table. `hash` is SHA-256 over what is judged: ids, notes and layout do not count.

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
    found: dict[str, Suite] = {}
    problems: list[Problem] = []
    for path in suite_files(project):
        table = ".".join(path.relative_to(project.expectations).with_suffix("").parts)
        try:
            found[table] = _read(path, table, project.relative(path), tables)
        except Invalid as invalid:
            problems.extend(invalid.problems)
        if table not in tables:
            what = f"no table '{table}'.{suggestion(table, tables)}"
            fix = "name the file conf/expectations/<layer>/<table>.json after a module in jobs"
            problems.append(Problem(Place(project.relative(path)), "", what, fix))
    if problems:
        raise as_error(SuiteError, problems)
    return found


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
                what = f"{suite.table} has no column '{name}'.{suggestion(name, columns)}"
                fix = f"the columns are {', '.join(columns)}"
                problems.append(Problem(_place(expectation.place), expectation.name, what, fix))
    if problems:
        raise as_error(SuiteError, problems)


def require_relations(suite: Suite, sources: Collection[str]) -> None:
    """Raises SuiteError where a query that judges batches reads a table that is none of `sources`: what its own reads.

    A run pins what a table reads, and nothing else. Of scope `table` a query may read any.
    """
    problems = [
        Problem(
            _place(expectation.place), expectation.name, f"the query reads `{name}`, and {suite.table} does not",
            'read it in the table\'s module, or give the expectation the scope "table"',
        )
        for expectation in suite.batches
        for name in expectation.relations
        if name not in sources
    ]  # fmt: skip
    if problems:
        raise as_error(SuiteError, problems)


def normalised(text: str) -> str:
    """A suite's text in the one layout that keeps differences small: sorted keys, severities, no ids of GX's.

    Raises ValueError where `text` is no JSON.
    """
    suite = _plain(json.loads(text))
    suite.get("meta", {}).pop("great_expectations_version", None)
    suite["expectations"] = [_plain(expectation) for expectation in suite.get("expectations", [])]
    for expectation in suite["expectations"]:
        expectation["kwargs"] = {name: _number(given) for name, given in expectation.get("kwargs", {}).items()}
        expectation.setdefault("severity", SEVERITIES[0])
    return json.dumps(_plain(suite), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without labels, and without what says nothing: null, {} and [], which `kwargs` and `expectations` may be."""
    kept = ("kwargs", "expectations")
    return {k: v for k, v in value.items() if k not in _LABELS and (k in kept or v not in (None, {}, []))}


def _number(value: Any) -> Any:
    """A kwarg as a person writes it: GX saves 0 as 0.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- reading


def _read(path: Path, table: str, file: str, tables: Collection[str]) -> Suite:
    """The suite at `path`. Raises Invalid with every problem of the file."""
    document = _load(path, file)
    _raise(_check_form(document))
    found = _expectations(document)
    problems = [*_check_name(document, table), *_check_expectations(document), *_check_twice(document, found)]
    _raise([*problems, *(problem for one in found for problem in _check_query(one, tables))])
    fresh_within = _headgate(document.value).get("fresh_within", "")
    return Suite(table, tuple(found), _hash(found), path, fresh_within)


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(problems)


def _load(path: Path, file: str) -> Document:
    """The JSON file at `path`, and the places of what is in it: those are read as YAML, of which JSON is a part."""
    try:
        text = path.read_text()
        value = json.loads(text)
    except OSError as error:
        raise Invalid([Problem(Place(file), "", f"cannot be read: {error.strerror}")]) from error
    except json.JSONDecodeError as error:
        raise Invalid([Problem(Place(file, error.lineno), "", f"not JSON: {error.msg}")]) from error
    except ValueError as error:
        raise Invalid([Problem(Place(file), "", f"not JSON: {error}")]) from error
    # YAML knows neither tabs between values nor all escapes of JSON.
    return Document(file, value, parse_document(_ESCAPE.sub("__", text.replace("\t", " ")), file).places)


@cache
def _known() -> dict[str, dict[str, Any]]:
    """What Headgate does with each expectation of GX, by type."""
    return json.loads(Path(__file__).with_name("expectations.json").read_text())["expectations"]


def _schema_of(value: Any) -> dict[str, Any]:
    """The schema of a suite, with one for each of its expectations: each has the kwargs of its type."""
    listed = value.get("expectations") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return _SUITE
    items = {"type": "array", "items": [_schema_of_one(expectation) for expectation in listed]}
    return {**_SUITE, "properties": {**_SUITE["properties"], "expectations": items}}


def _schema_of_one(value: Any) -> dict[str, Any]:
    entry = _known().get(str(value.get("type"))) if isinstance(value, dict) else None
    if entry is None or entry["kind"] == "refused":
        return _EXPECTATION
    kwargs = {
        "type": "object",
        "title": value["type"],
        "additionalProperties": False,
        "required": entry["required"],
        "properties": {**entry["kwargs"], **{name: {} for name in _RESULT_ONLY}},
    }
    return {**_EXPECTATION, "properties": {**_EXPECTATION["properties"], "kwargs": kwargs}}


def _explain(level: str, key: str) -> tuple[str, str] | None:
    ignored = _known().get(level, {}).get("ignored", {})
    if key in ignored:
        return f"is not possible here: {ignored[key]}", "remove it"
    return _NOT_TAKEN.get(key) if level in _known() else None


def _check_name(document: Document, table: str) -> Iterator[Problem]:
    if document.value["name"] != table:
        what = f"is '{document.value['name']}', and the file is {table}'s"
        yield document.problem(("name",), what, f'write "{table}", or move the file')


def _check_expectations(document: Document) -> Iterator[Problem]:
    for index, value in enumerate(document.value["expectations"]):
        trail: Trail = ("expectations", index)
        entry = _known().get(value["type"])
        if entry is None:
            what = f"no expectation '{value['type']}'.{suggestion(value['type'], _known())}"
            yield document.problem((*trail, "type"), what, "docs/expectations.md lists what there is")
        elif entry["kind"] == "refused":
            what = f"{value['type']} cannot be judged: {entry['why']}"
            yield document.problem((*trail, "type"), what, "docs/expectations.md lists what can be")
        else:
            yield from _check_kwargs(document, (*trail, "kwargs"))
            yield from _check_meaning(document, trail, entry["kind"])


def _check_form(document: Document) -> list[Problem]:
    """Values that no key takes, and what the schema says of the others."""
    values = [*_check_numbers(document), *_check_parameters(document)]
    told = {problem.trail for problem in values}
    by_schema = check(document, _schema_of(document.value), _explain)
    return [*values, *(problem for problem in by_schema if problem.trail not in told)]


def _check_numbers(document: Document) -> Iterator[Problem]:
    """Python reads NaN, Infinity and 1e999, and JSON has none of them."""
    for trail in document.places:
        value = document.at(trail)
        if isinstance(value, float) and not isfinite(value):
            yield document.problem(trail, f"{json.dumps(value)} is no number", "give a finite one")


def _check_parameters(document: Document) -> Iterator[Problem]:
    for trail in document.places:
        if trail[-1:] == ("$PARAMETER",) and trail[2:3] == ("kwargs",):
            what = "is a suite parameter, and nobody gives it a value"
            yield document.problem(trail[:-1], what, "write the value")


def _check_kwargs(document: Document, trail: Trail) -> Iterator[Problem]:
    kwargs = document.at(trail)
    least, most, kind = kwargs.get("min_value"), kwargs.get("max_value"), document.at(trail[:-1])["type"]
    if kind.endswith("_between") and "min_value" in _known()[kind]["kwargs"] and least is None and most is None:
        yield document.problem(trail, "has neither min_value nor max_value: nothing would fail", "give one, or both")
    for name, value in (("min_value", least), ("max_value", most)):
        if isinstance(value, str) and not _is_time(value):
            what = f"{json.dumps(value, ensure_ascii=False)} is no date and no time"
            yield document.problem((*trail, name), what, 'give a number, or a date or time such as "2026-01-31"')
    if _inverted(least, most):
        what = f"min_value {json.dumps(least)} is more than max_value {json.dumps(most)}: no value is between"
        yield document.problem((*trail, "min_value"), what, "give them the other way round")
    mostly = kwargs.get("mostly", 1)
    if not 0 <= mostly <= 1:
        yield document.problem((*trail, "mostly"), f"{mostly} is no share", "give a number from 0 to 1, such as 0.95")
    if kwargs.get("column_index") == 0:
        what = "0 is no place to GX: the column would pass anywhere"
        yield document.problem((*trail, "column_index"), what, "use expect_table_columns_to_match_ordered_list")
    yield from _check_quantiles(document, (*trail, "quantile_ranges"))
    yield from _check_condition(document, (*trail, "row_condition"))


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _inverted(least: Any, most: Any) -> bool:
    try:
        if isinstance(least, str) and isinstance(most, str):
            return datetime.fromisoformat(least) > datetime.fromisoformat(most)
        return least > most
    except (TypeError, ValueError):
        return False


def _check_query(expectation: Expectation, tables: Collection[str]) -> Iterator[Problem]:
    """A query reads the batch, and other tables by their names."""
    if expectation.type != QUERY:
        return
    place, query = _place(expectation.place), str(expectation.kwargs["unexpected_rows_query"])
    try:
        fields = {field for _, field, _, _ in Formatter().parse(query) if field is not None}
    except ValueError:
        fields = set()
    if fields != {"batch"}:
        what = "the query has to read {batch}, and may have no other braces"
        yield Problem(place, expectation.name, what, "write FROM {batch}; a brace that is text is doubled: {{")
    for name in _RELATION.findall(query):
        if name not in tables:
            what = f"the query reads `{name}`, which is no table of jobs.{suggestion(name, tables)}"
            yield Problem(place, expectation.name, what, "headgate tables lists what there is")


def _check_quantiles(document: Document, trail: Trail) -> Iterator[Problem]:
    given = document.at(trail)
    if given is None:
        return
    quantiles, ranges = given.get("quantiles"), given.get("value_ranges")
    if not isinstance(quantiles, list) or not isinstance(ranges, list) or len(quantiles) != len(ranges):
        what = "needs `quantiles`, and `value_ranges` with a [min, max] for each of them"
        yield document.problem(trail, what, 'such as {"quantiles": [0.5], "value_ranges": [[10, 20]]}')
        return
    for index, pair in enumerate(ranges):
        if not isinstance(pair, list) or len(pair) != 2 or _inverted(*pair):
            what = f"{json.dumps(pair)} is no [min, max]"
            yield document.problem((*trail, "value_ranges", index), what, "give the lesser value first")


def _check_condition(document: Document, trail: Trail) -> Iterator[Problem]:
    """A row condition is text with its parser, or GX's condition as an object."""
    condition = document.at(trail)
    if isinstance(condition, str):
        if not condition.strip():
            yield document.problem(trail, "is empty", "remove it, or write a condition")
        return
    if not isinstance(condition, dict):
        return
    kind = condition.get("type")
    if kind in ("and", "or"):
        if not isinstance(condition.get("conditions"), list) or not condition["conditions"]:
            yield document.problem(trail, f"'{kind}' has no `conditions`", "give a list of conditions")
            return
        for index in range(len(condition["conditions"])):
            yield from _check_condition(document, (*trail, "conditions", index))
    elif kind not in ("comparison", "nullity", "pass_through"):
        what = f"{json.dumps(kind)} is no kind of condition.{suggestion(str(kind), ('comparison', 'nullity'))}"
        yield document.problem((*trail, "type"), what, "give comparison, nullity, and, or, or pass_through")
    elif kind == "comparison" and condition.get("operator") not in _OPERATORS:
        what = f"{json.dumps(condition.get('operator'))} is no operator"
        yield document.problem((*trail, "operator"), what, f"give one of {', '.join(_OPERATORS)}")
    elif kind != "pass_through" and not _condition_columns(condition):
        yield document.problem(trail, "has no column", 'give "column": {"name": "..."}')


def _condition_columns(condition: Any) -> list[str]:
    """The columns that a row condition names; those of SQL text are found out by Spark."""
    if isinstance(condition, str):
        return _LEGACY_COLUMN.findall(condition)
    if not isinstance(condition, dict):
        return []
    inner = [name for one in condition.get("conditions") or [] for name in _condition_columns(one)]
    column = condition.get("column")
    name = column.get("name") if isinstance(column, dict) else None
    return [*inner, name] if isinstance(name, str) else inner


def _check_meaning(document: Document, trail: Trail, kind: str) -> Iterator[Problem]:
    """What `meta.headgate` says has to have an effect."""
    headgate = _headgate(document.at(trail))
    on_failure, at = headgate.get("on_failure"), (*trail, "meta", "headgate", "on_failure")
    if on_failure is None:
        return
    if (document.at(trail).get("severity") or SEVERITIES[0]) != "critical":
        yield document.problem(at, "has no effect: only what is critical acts on a failure", "remove it")
    elif kind == "batch" or headgate.get("scope") == "table":
        what = "has no effect: it judges no single record, and fails the batch or the check"
        yield document.problem(at, what, "remove it")


def _headgate(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return (value.get("meta") or {}).get("headgate") or {}


# --- expectations


def _expectations(document: Document) -> list[Expectation]:
    """The expectations whose type can be judged, with their names."""
    found = []
    seen: Counter[str] = Counter()
    for index, value in enumerate(document.value["expectations"]):
        entry = _known().get(value["type"])
        if entry is None or entry["kind"] == "refused":
            continue
        kwargs = {name: _number(given) for name, given in value["kwargs"].items() if name not in _RESULT_ONLY}
        columns = _columns(entry, kwargs)
        called = f"{value['type']}({', '.join(columns)})" if columns else value["type"]
        headgate = _headgate(value)
        if "name" not in headgate:
            seen[called] += 1
        nth = f"[{seen[called]}]" if seen[called] > 1 else ""
        found.append(
            Expectation(
                name=headgate.get("name") or f"{called}{nth}",
                type=value["type"],
                kwargs=kwargs,
                kind=entry["kind"],
                severity=value.get("severity") or SEVERITIES[0],
                scope=headgate.get("scope", "batch"),
                on_failure=headgate.get("on_failure", "quarantine" if entry["kind"] == "row" else "fail"),
                columns=columns,
                mostly=kwargs.get("mostly", 1.0),
                place=str(document.place(("expectations", index))),
            )
        )
    return found


def _columns(entry: Mapping[str, Any], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that an expectation judges, each once."""
    given = (kwargs.get(name) for name in entry["columns"])
    listed = (one for value in given for one in (value if isinstance(value, list) else [value]))
    return tuple(dict.fromkeys(str(name) for name in listed if name is not None))


def _check_twice(document: Document, found: list[Expectation]) -> Iterator[Problem]:
    """The same expectation twice, or two of one name."""
    first: dict[str, str] = {}
    names: dict[str, str] = {}
    for expectation in found:
        place, judged = expectation.place, [expectation.type, expectation.kwargs, expectation.scope]
        same = json.dumps(judged, sort_keys=True)
        if same in first:
            what = f"stands twice; first in {first[same]}"
            yield Problem(_place(place), expectation.name, what, "keep one of the two")
        elif expectation.name in names:
            what = f"another is called so, in {names[expectation.name]}"
            yield Problem(_place(place), expectation.name, what, "give it another meta.headgate.name")
        first.setdefault(same, place)
        names.setdefault(expectation.name, place)


def _place(text: str) -> Place:
    file, _, line = text.rpartition(":")
    return Place(file, int(line)) if line.isdigit() else Place(text)


def _hash(found: list[Expectation]) -> str:
    judged = [[e.name, e.type, e.kwargs, e.severity, e.scope, e.on_failure] for e in found]
    return hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()
