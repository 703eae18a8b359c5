"""Variables that set keys of an environment: HEADGATE_ and the path of the key in capitals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from headgate import faults
from headgate.document import Document, Invalid, Place, Problem, Trail, parse_document
from headgate.errors import suggestion

PREFIX = "HEADGATE_"
#: Variables that are not keys of an environment.
RESERVED = (
    "HEADGATE_ENV",
    "HEADGATE_KEY",
    "HEADGATE_URL",
    "HEADGATE_JARS",
    "HEADGATE_LOG",
    "HEADGATE_EMF",
    "HEADGATE_PROJECT",
    "HEADGATE_CURSOR_SECRET",
    "HEADGATE_READ_URL",
    "HEADGATE_READ_KEY",
    faults.VARIABLE,
)
#: A variable that changes `lake`: a developer's own lake below a shared one, which no shared catalog registers.
NAMESPACE = "HEADGATE_NAMESPACE"

_NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,30}")


def overridden(document: Document, environ: Mapping[str, str], schema: Mapping[str, Any]) -> Document:
    """`document` of this schema, with the keys that variables set. Raises Invalid for a variable without a key."""
    keys = {PREFIX + "_".join(trail).upper(): (trail, inner) for trail, inner in _keys((), schema)}
    namespace = environ.get(NAMESPACE)
    value, places, problems = document.value, dict(document.places), []
    if namespace and isinstance(value, dict):  # the catalog's tables are those of the shared lake
        value = {key: inner for key, inner in value.items() if key != "catalog"}
    for name in sorted(n for n in environ if n.startswith(PREFIX) and n not in (*RESERVED, NAMESPACE)):
        if name not in keys:
            problems.append(_unknown_variable(name, keys))
            continue
        trail, inner = keys[name]
        value = _with(value, trail, _parsed(name, environ[name], inner))
        places = {t: place for t, place in places.items() if t[: len(trail)] != trail} | {trail: Place(name)}
    if problems:
        raise Invalid(problems)
    if namespace and isinstance(value, dict) and isinstance(value.get("lake"), str):
        value = {**value, "lake": _in_namespace(value["lake"], namespace)}
    return Document(document.file, value, places)


def _in_namespace(lake: str, namespace: str) -> str:
    """The address of a developer's own lake below a shared one. Raises Invalid for an invalid name."""
    if not _NAMESPACE.fullmatch(namespace):
        place = Place(NAMESPACE)
        raise Invalid([Problem(place, "", f"'{namespace}' is not possible", "use lower-case letters, digits and '-'")])
    return f"{lake.rstrip('/')}/namespaces/{namespace}"


def _keys(trail: tuple[str, ...], schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for name, inner in schema.get("properties", {}).items():
        yield (*trail, name), inner
        yield from _keys((*trail, name), inner)


def _unknown_variable(name: str, keys: Mapping[str, Any]) -> Problem:
    message = f"the variable sets no key of an environment.{suggestion(name, [*keys, *RESERVED])}"
    return Problem(Place(name), "", message, f"unset it, or use {', '.join(keys)}")


def _parsed(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """A variable's value: as it is where the key takes text, else as YAML."""
    if schema.get("type") == "string":
        return text
    try:
        return parse_document(text, name).value
    except Invalid as invalid:
        raise Invalid(replace(problem, place=Place(name)) for problem in invalid.problems) from invalid


def _with(value: Any, trail: Trail, new: Any) -> Any:
    """Returns `value` with `new` at `trail`; an existing value there is replaced."""
    if not trail:
        return new
    around = value if isinstance(value, dict) else {}
    return {**around, trail[0]: _with(around.get(trail[0]), trail[1:], new)}
