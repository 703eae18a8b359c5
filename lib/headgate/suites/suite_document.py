"""A suite's file: GX's own JSON, its checks, and its normalized layout.

It is checked with the table of supported expectations (expectations.json, generated from GX): what cannot
be judged is refused by name, and nothing is skipped. GX is not imported.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from math import isfinite
from pathlib import Path
from string import Formatter
from typing import Any

from headgate.document import Document, Invalid, Place, Problem, Trail, check, parse_document
from headgate.errors import suggestion
from headgate.suites.expectation import QUERY, SEVERITIES, Expectation
from headgate.suites.suite_kwargs import check_kwargs

_RESULT_ONLY = ("result_format", "catch_exceptions")  # kwargs of GX's reports, without effect on the check
#: Keys that GX adds when it saves; `normalised` removes them.
_LABELS = ("id", "rendered_content", "expectation_context")
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
    "mostly": ("is not possible here: the expectation has a single result", "remove it"),
}


def read_suite(path: Path, table: str, file: str, tables: Collection[str]) -> tuple[list[Expectation], str]:
    """The expectations of the suite at `path`, and its `fresh_within`, empty where there is none.

    Raises Invalid with every problem of the file.
    """
    document = _load(path, file)
    _raise(_check_form(document))
    expectations = _expectations(document)
    problems = [*_check_name(document, table), *_check_expectations(document), *_check_twice(expectations)]
    _raise([*problems, *(problem for item in expectations for problem in _check_query(item, tables))])
    return expectations, _headgate(document.value).get("fresh_within", "")


def normalised(text: str) -> str:
    """A suite's text in a normalized layout that keeps diffs small: sorted keys, severities, no ids of GX.

    Raises ValueError if `text` is not JSON.
    """
    suite = _plain(json.loads(text))
    suite.get("meta", {}).pop("great_expectations_version", None)
    suite["expectations"] = [_plain(expectation) for expectation in suite.get("expectations", [])]
    for expectation in suite["expectations"]:
        expectation["kwargs"] = {name: _number(values) for name, values in expectation.get("kwargs", {}).items()}
        expectation.setdefault("severity", SEVERITIES[0])
    return json.dumps(_plain(suite), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Removes labels and empty values: null, {} and [], except for `kwargs` and `expectations`."""
    kept = ("kwargs", "expectations")
    return {k: v for k, v in value.items() if k not in _LABELS and (k in kept or v not in (None, {}, []))}


def _number(value: Any) -> Any:
    """A kwarg as a person writes it: GX saves 0 as 0.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- reading


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(problems)


def _load(path: Path, file: str) -> Document:
    """The JSON file at `path`, and the places of its keys. They come from the YAML parser: JSON is valid YAML."""
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
def known() -> dict[str, dict[str, Any]]:
    """What Headgate does with each expectation of GX, by type."""
    return json.loads(Path(__file__).with_name("expectations.json").read_text())["expectations"]


def _schema_of(value: Any) -> dict[str, Any]:
    """The schema of a suite, with a schema for each expectation: the kwargs depend on its type."""
    listed = value.get("expectations") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        return _SUITE
    items = {"type": "array", "items": [_schema_of_one(expectation) for expectation in listed]}
    return {**_SUITE, "properties": {**_SUITE["properties"], "expectations": items}}


def _schema_of_one(value: Any) -> dict[str, Any]:
    entry = known().get(str(value.get("type"))) if isinstance(value, dict) else None
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
    ignored = known().get(level, {}).get("ignored", {})
    if key in ignored:
        return f"is not possible here: {ignored[key]}", "remove it"
    return _NOT_TAKEN.get(key) if level in known() else None


def _check_form(document: Document) -> list[Problem]:
    """Problems of values that no key accepts, and problems that the schema reports."""
    values = [*_check_numbers(document), *_check_parameters(document)]
    details = {problem.trail for problem in values}
    by_schema = check(document, _schema_of(document.value), _explain)
    return [*values, *(problem for problem in by_schema if problem.trail not in details)]


def _check_numbers(document: Document) -> Iterator[Problem]:
    """Python reads NaN, Infinity and 1e999, and JSON has none of them."""
    for trail in document.places:
        value = document.at(trail)
        if isinstance(value, float) and not isfinite(value):
            yield document.problem(trail, f"{json.dumps(value)} is not a number", "use a finite number")


def _check_parameters(document: Document) -> Iterator[Problem]:
    for trail in document.places:
        if trail[-1:] == ("$PARAMETER",) and trail[2:3] == ("kwargs",):
            message = "is a suite parameter, and nobody gives it a value"
            yield document.problem(trail[:-1], message, "write the value")


# --- content


def _check_name(document: Document, table: str) -> Iterator[Problem]:
    if document.value["name"] != table:
        message = f"is '{document.value['name']}', and the file is {table}'s"
        yield document.problem(("name",), message, f'write "{table}", or move the file')


def _check_expectations(document: Document) -> Iterator[Problem]:
    for index, value in enumerate(document.value["expectations"]):
        trail: Trail = ("expectations", index)
        entry = known().get(value["type"])
        if entry is None:
            message = f"no expectation '{value['type']}'.{suggestion(value['type'], known())}"
            yield document.problem((*trail, "type"), message, "docs/expectations.md lists all expectations")
        elif entry["kind"] == "refused":
            message = f"{value['type']} cannot be judged: {entry['why']}"
            yield document.problem((*trail, "type"), message, "docs/expectations.md lists the supported expectations")
        else:
            bounded = value["type"].endswith("_between") and "min_value" in entry["kwargs"]
            yield from check_kwargs(document, (*trail, "kwargs"), bounded=bounded)
            yield from _check_meaning(document, trail, entry["kind"])


def _check_query(expectation: Expectation, tables: Collection[str]) -> Iterator[Problem]:
    """A query reads the batch, and other tables by their names."""
    if expectation.type != QUERY:
        return
    place, query = expectation.place, str(expectation.kwargs["unexpected_rows_query"])
    try:
        fields = {field for _, field, _, _ in Formatter().parse(query) if field is not None}
    except ValueError:
        fields = set()
    if fields != {"batch"}:
        message = "the query has to read {batch}, and may have no other braces"
        yield Problem(place, expectation.name, message, "write FROM {batch}; a brace that is text is doubled: {{")
    for name in expectation.relations:
        if name not in tables:
            message = f"the query reads `{name}`, which is not a table of jobs.{suggestion(name, tables)}"
            yield Problem(place, expectation.name, message, "headgate tables lists what there is")


def _check_meaning(document: Document, trail: Trail, kind: str) -> Iterator[Problem]:
    """What `meta.headgate` says has to have an effect."""
    headgate = _headgate(document.at(trail))
    on_failure, at = headgate.get("on_failure"), (*trail, "meta", "headgate", "on_failure")
    if on_failure is None:
        return
    if (document.at(trail).get("severity") or SEVERITIES[0]) != "critical":
        yield document.problem(at, "has no effect: only critical expectations act on a failure", "remove it")
    elif kind == "batch" or headgate.get("scope") == "table":
        message = "has no effect: it judges no single record, and fails the batch or the check"
        yield document.problem(at, message, "remove it")


def _check_twice(expectations: list[Expectation]) -> Iterator[Problem]:
    """Duplicate expectations, and expectations with the same name."""
    first: dict[str, Place] = {}
    names: dict[str, Place] = {}
    for expectation in expectations:
        place, judged = expectation.place, [expectation.type, expectation.kwargs, expectation.scope]
        same = json.dumps(judged, sort_keys=True)
        if same in first:
            message = f"is a duplicate; first in {first[same]}"
            yield Problem(place, expectation.name, message, "keep one of the two")
        elif expectation.name in names:
            message = f"another is called so, in {names[expectation.name]}"
            yield Problem(place, expectation.name, message, "give it another meta.headgate.name")
        first.setdefault(same, place)
        names.setdefault(expectation.name, place)


def _headgate(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return (value.get("meta") or {}).get("headgate") or {}


def _expectations(document: Document) -> list[Expectation]:
    """The expectations whose type can be judged, with their names."""
    results = []
    seen: Counter[str] = Counter()
    for index, value in enumerate(document.value["expectations"]):
        entry = known().get(value["type"])
        if entry is None or entry["kind"] == "refused":
            continue
        kwargs = {name: _number(values) for name, values in value["kwargs"].items() if name not in _RESULT_ONLY}
        columns = _columns(entry, kwargs)
        called = f"{value['type']}({', '.join(columns)})" if columns else value["type"]
        headgate = _headgate(value)
        if "name" not in headgate:
            seen[called] += 1
        nth = f"[{seen[called]}]" if seen[called] > 1 else ""
        results.append(
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
                place=document.place(("expectations", index)),
            )
        )
    return results


def _columns(entry: Mapping[str, Any], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that an expectation judges, each once."""
    values = (kwargs.get(name) for name in entry["columns"])
    listed = (item for value in values for item in (value if isinstance(value, list) else [value]))
    return tuple(dict.fromkeys(str(name) for name in listed if name is not None))
