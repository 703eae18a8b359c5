"""What a suite's schema cannot say of an expectation: kwargs that nothing could fail, or that fit no value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from headgate.document import Document, Problem, Trail
from headgate.errors import suggestion
from headgate.suites.expectation import condition_columns

#: Faults of a regular expression that Python and Java, which judges the rows, both refuse.
_FAULTS = (
    "missing ), unterminated subpattern",
    "unbalanced parenthesis",
    "unterminated character set",
    "bad escape (end",
)
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN")


def check_kwargs(document: Document, trail: Trail, *, bounded: bool) -> Iterator[Problem]:
    """The problems of the kwargs at `trail`. `bounded`: they are of an expectation that a value is between two."""
    kwargs = document.at(trail)
    least, most = kwargs.get("min_value"), kwargs.get("max_value")
    if bounded and least is None and most is None:
        yield document.problem(
            trail, "has neither min_value nor max_value: nothing would fail", "add at least one of them"
        )
    for name, value in (("min_value", least), ("max_value", most)):
        if isinstance(value, str) and not _is_time(value):
            message = f"{json.dumps(value, ensure_ascii=False)} is neither a date nor a time"
            yield document.problem((*trail, name), message, 'give a number, or a date or time such as "2026-01-31"')
    if _inverted(least, most):
        message = f"min_value {json.dumps(least)} is more than max_value {json.dumps(most)}: no value is between"
        yield document.problem((*trail, "min_value"), message, "give them the other way round")
    mostly = kwargs.get("mostly", 1)
    if not 0 <= mostly <= 1:
        yield document.problem((*trail, "mostly"), f"{mostly} is not a share", "use a number from 0 to 1, such as 0.95")
    if kwargs.get("column_index") == 0:
        message = "GX ignores position 0: the column would pass at any position"
        yield document.problem((*trail, "column_index"), message, "use expect_table_columns_to_match_ordered_list")
    yield from _check_patterns(document, trail)
    yield from _check_quantiles(document, (*trail, "quantile_ranges"))
    yield from _check_condition(document, (*trail, "row_condition"))


def _check_patterns(document: Document, trail: Trail) -> Iterator[Problem]:
    kwargs = document.at(trail)
    several = kwargs.get("regex_list")
    patterns: dict[Trail, Any] = {("regex",): kwargs.get("regex")}
    if isinstance(several, list):
        patterns |= {("regex_list", index): pattern for index, pattern in enumerate(several)}
    for place, pattern in patterns.items():
        try:
            re.compile(pattern if isinstance(pattern, str) else "")
        except re.error as error:
            if error.msg.startswith(_FAULTS):
                message = f"{json.dumps(pattern, ensure_ascii=False)} is not a regular expression: {error.msg}"
                yield document.problem((*trail, *place), message, "correct its brackets and backslashes")


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


def _check_quantiles(document: Document, trail: Trail) -> Iterator[Problem]:
    values = document.at(trail)
    if values is None:
        return
    quantiles, ranges = values.get("quantiles"), values.get("value_ranges")
    if not isinstance(quantiles, list) or not isinstance(ranges, list) or len(quantiles) != len(ranges):
        message = "needs `quantiles`, and `value_ranges` with a [min, max] for each of them"
        yield document.problem(trail, message, 'such as {"quantiles": [0.5], "value_ranges": [[10, 20]]}')
        return
    for index, pair in enumerate(ranges):
        if not isinstance(pair, list) or len(pair) != 2 or _inverted(*pair):
            message = f"{json.dumps(pair)} is not [min, max]"
            yield document.problem((*trail, "value_ranges", index), message, "give the lesser value first")


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
        message = f"{json.dumps(kind)} is not a kind of condition.{suggestion(str(kind), ('comparison', 'nullity'))}"
        yield document.problem((*trail, "type"), message, "give comparison, nullity, and, or, or pass_through")
    elif kind == "comparison" and condition.get("operator") not in _OPERATORS:
        message = f"{json.dumps(condition.get('operator'))} is not an operator"
        yield document.problem((*trail, "operator"), message, f"use {', '.join(_OPERATORS)}")
    elif kind != "pass_through" and not condition_columns(condition):
        yield document.problem(trail, "has no column", 'give "column": {"name": "..."}')
