"""Evaluates IAM policies the way AWS documents it: an explicit deny wins, then an allow, else an implicit deny.

Covers the features that the policies of this repository use. An unknown operator raises an error, so that no
condition is ignored. Source: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition
operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Policy = Mapping[str, Any]
Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One API call: `context` has the condition keys that AWS would set for it."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}" + (f" with {dict(self.context)}" if self.context else "")


def is_allowed(policies: Iterable[Policy], request: Request) -> bool:
    """Whether identity and resource policies of one account allow the request."""
    effects = [s["Effect"] for policy in policies for s in statements(policy) if matches(s, request)]
    return "Allow" in effects and "Deny" not in effects


def is_denied(policies: Iterable[Policy], request: Request) -> bool:
    """Whether a statement denies the request, whatever other policies allow."""
    return any(s["Effect"] == "Deny" and matches(s, request) for policy in policies for s in statements(policy))


def statements(policy: Policy) -> list[Statement]:
    """The statements of a policy as a list."""
    return as_list(policy["Statement"])


def as_list(value: Any) -> list[Any]:
    """A value of a policy that may be single, as a list."""
    return value if isinstance(value, list) else [value]


def matches(statement: Statement, request: Request) -> bool:
    """Whether a statement applies to the request."""
    return (
        _names(statement, "Action", request.action, str.lower)
        and _names(statement, "Resource", request.resource, str, request.context)
        and all(
            _condition(operator, key, as_list(expected), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def _names(
    statement: Statement, element: str, value: str, fold: Callable[[str], str], context: Mapping[str, str] | None = None
) -> bool:
    negated = f"Not{element}"
    patterns = as_list(statement[element] if element in statement else statement[negated])
    hit = any(like(fold(value), fold(_resolved(pattern, context or {}))) for pattern in patterns)
    return hit is (element in statement)


def like(value: str, pattern: str) -> bool:
    """Whether a value matches a pattern with * and ?."""
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _resolved(pattern: str, context: Mapping[str, str]) -> str:
    """A pattern with its policy variables; a variable without a value matches nothing, as in AWS."""
    return re.sub(r"\$\{([^}]+)\}", lambda match: context.get(match.group(1), "\0"), pattern)


Comparison = Callable[[str, str], bool]
_COMPARISONS: dict[str, Comparison] = {
    "StringEquals": lambda actual, expected: actual == expected,
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": lambda actual, expected: actual.lower() == expected.lower(),
    "NumericLessThan": lambda actual, expected: float(actual) < float(expected),
}
_NEGATED = {"StringNotEquals": "StringEquals", "StringNotLike": "StringLike", "ArnNotLike": "ArnLike"}


def _condition(operator: str, key: str, expected: Sequence[str], context: Mapping[str, str]) -> bool:
    """Whether one condition holds. Several expected values are alternatives; a negated operator refuses all of them."""
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return (key not in context) is (expected[0] == "true")
    if name not in _COMPARISONS and name not in _NEGATED:
        raise NotImplementedError(f"condition operator {operator}: add it to tests/infra/iam.py")
    if key not in context:
        return operator.endswith("IfExists") or name in _NEGATED
    compare = _COMPARISONS[_NEGATED.get(name, name)]
    hit = any(compare(context[key], _resolved(value, context)) for value in expected)
    return hit is not (name in _NEGATED)
