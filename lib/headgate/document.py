"""A YAML file that knows the line of everything in it, and its check against a JSON schema.

All problems of a file are reported together, each with its place and correction. The parser reads YAML 1.1 like
PyYAML, but dates stay strings, keys are the text as written, and a duplicate key is a problem.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from headgate.errors import HeadgateError, suggestion

#: The way to a value: a key for each mapping, an index for each list.
Trail = tuple[str | int, ...]
#: What to say, and to do, about a key that a level does not take; None where only its spelling can help.
Explain = Callable[[str, str], tuple[str, str] | None]
Failure = TypeVar("Failure", bound=HeadgateError)

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "keys with values",
    "array": "a list",
}
_MAPPING, _LIST = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_SHOWN = 80  # characters of a value that a message repeats


@dataclass(frozen=True)
class Place:
    """A place: a file and its line from 1, or another name with line 0."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `path` is the dotted path of the value, empty for the file as a whole; so is `trail`."""

    place: Place
    path: str
    message: str
    fix: str = ""
    trail: Trail = ()

    @property
    def text(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Invalid(Exception):
    """A file with problems. Callers turn it into an error of their own kind by `as_error`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (p.place.file, p.place.line))
        super().__init__(f"{len(self.problems)} problems")


def as_error(kind: type[Failure], problems: Iterable[Problem]) -> Failure:
    """One error of `kind` that tells every problem, in the order of the files and their lines."""
    result = Invalid(problems).problems
    if len(result) == 1:
        error = kind(result[0].text, where=str(result[0].place), fix=result[0].fix)
    else:
        error = kind("\n".join([f"{len(result)} problems", *(listed(problem) for problem in result)]))
    error.problems = result
    return error


def listed(problem: Problem) -> str:
    """A problem as a line of a list, with the correction on the next line."""
    advice = f"\n    to do: {problem.fix}" if problem.fix else ""
    return f"  {problem.place}: {problem.text}{advice}"


@dataclass(frozen=True)
class Document:
    """The content of a file, and the places of its keys and items."""

    file: str
    value: Any
    places: Mapping[Trail, Place]

    def place(self, trail: Trail) -> Place:
        """Returns the place of the value at `trail`, or of the closest parent."""
        while trail and trail not in self.places:
            trail = trail[:-1]
        return self.places.get(trail, Place(self.file, 1))

    def at(self, trail: Trail) -> Any:
        """The value at `trail`; None where there is none."""
        value = self.value
        for step in trail:
            value = _inner(value, step)
        return value

    def dotted(self, trail: Trail) -> str:
        """`trail` as a message shows it: an item of a list by its name if it has a name, else by its index."""
        shown, value = "", self.value
        for step in trail:
            value = _inner(value, step)
            shown += f"[{_name_of(value, step)}]" if isinstance(step, int) else f".{step}"
        return shown.removeprefix(".")

    def problem(self, trail: Trail, message: str, fix: str = "") -> Problem:
        return Problem(self.place(trail), self.dotted(trail), message, fix, trail)


def _inner(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (LookupError, TypeError):
        return None


def _name_of(item: Any, index: int) -> str | int:
    named = item.get("name", item.get("property")) if isinstance(item, dict) else None
    return named if isinstance(named, str) else index


# --- reading


def load_document(path: Path, file: str) -> Document:
    """The YAML file at `path`; `file` is its name in messages. Raises Invalid."""
    try:
        return parse_document(path.read_bytes(), file)
    except OSError as error:
        raise Invalid([Problem(Place(file), "", f"cannot be read: {error.strerror}")]) from error


def parse_document(text: bytes | str, file: str) -> Document:
    """Parses the YAML `text` of `file`. Raises Invalid for invalid YAML, or a duplicate key."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        reader = _Reader(loader, file)
        value = reader.value(node, ()) if node else None
    except yaml.YAMLError as error:
        raise Invalid([_not_yaml(error, file)]) from error
    finally:
        loader.dispose()
    if reader.problems:
        raise Invalid(reader.problems)
    return Document(file, value, reader.places)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without dates: they stay strings, because only the reader knows the type."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, form) for tag, form in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _not_yaml(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Problem(Place(file, mark.line + 1 if mark else 1), "", f"not YAML: {message}")


class _Reader:
    """Converts YAML nodes into values, and records their places and duplicate keys."""

    def __init__(self, loader: Any, file: str) -> None:
        self.places: dict[Trail, Place] = {}
        self.problems: list[Problem] = []
        self._loader, self._file = loader, file
        self._around: list[yaml.Node] = []

    def value(self, node: yaml.Node, trail: Trail) -> Any:
        self.places.setdefault(trail, self._place(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, trail)
        if node.tag not in (_MAPPING, _LIST):
            return self._refuse(node, trail, f"the YAML tag '{node.tag}' is not possible", "remove it")
        if node in self._around:
            return self._refuse(node, trail, "an alias to a parent of itself", "write the value in its place")
        self._around.append(node)
        inner = self._mapping(node, trail) if node.tag == _MAPPING else self._list(node, trail)
        self._around.pop()
        return inner

    def _scalar(self, node: yaml.ScalarNode, trail: Trail) -> Any:
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            return self._refuse(node, trail, f"'{node.value}' cannot be read: {error}")

    def _list(self, node: yaml.Node, trail: Trail) -> list[Any]:
        return [self.value(item, (*trail, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, trail: Trail) -> dict[str, Any]:
        results: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, trail, "a key that is not text")
            elif key.value in results:
                first = self.places[(*trail, key.value)].line
                self._refuse(key, (*trail, key.value), f"is a duplicate; first in line {first}", "keep one of the two")
            else:
                self.places[(*trail, key.value)] = self._place(key)
                results[key.value] = self.value(value, (*trail, key.value))
        return results

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._file, node.start_mark.line + 1)

    def _refuse(self, node: yaml.Node, trail: Trail, message: str, fix: str = "") -> None:
        path = Document(self._file, None, {}).dotted(trail)
        self.problems.append(Problem(self._place(node), path, message, fix))


# --- checking


def check(document: Document, schema: Mapping[str, Any], explain: Explain = lambda level, key: None) -> list[Problem]:
    """What is wrong with `document` by a JSON schema (draft 2019-09).

    Three annotations of the schema are used: `title` is the level for
    `explain`, `x-wanted` is the expected value in words, and a value under `x-secret` is not repeated.
    """
    if document.value is None:
        return [document.problem((), "is empty", "write something into it, or remove it")]
    from jsonschema import Draft201909Validator

    problems: list[Problem] = []
    for error in Draft201909Validator(schema).iter_errors(document.value):
        tell = _TELL.get(error.validator, _tell_other)
        problems.extend(tell(document, tuple(error.absolute_path), error, explain))
    return sorted(set(problems), key=lambda p: p.place.line)


def _tell_unknown_keys(document: Document, trail: Trail, error: Any, explain: Explain) -> Iterator[Problem]:
    known = error.schema.get("properties", {})
    for key in error.instance:
        if key not in known:
            spelling = _spelled("unknown key", key, known), f"known keys: {_listing(known)}"
            yield document.problem((*trail, key), *(explain(error.schema.get("title", ""), key) or spelling))


def _tell_missing_key(document: Document, trail: Trail, error: Any, explain: Explain) -> Iterator[Problem]:
    missing = [key for key in error.validator_value if key not in error.instance]
    yield document.problem(trail, f"has no {_listing(f'`{key}`' for key in missing)}", "add it")


def _tell_not_one_of(document: Document, trail: Trail, error: Any, explain: Explain) -> Iterator[Problem]:
    allowed = error.validator_value if error.validator == "enum" else [error.validator_value]
    message = _spelled(f"{_shown(error)} is not possible", str(error.instance), map(str, allowed))
    yield document.problem(trail, message, f"give {_listing(allowed, 'or')}")


def _tell_wrong_kind(document: Document, trail: Trail, error: Any, explain: Explain) -> Iterator[Problem]:
    wanted = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
    quote = wanted == ["string"] and isinstance(error.instance, int | float) and not error.schema.get("x-secret")
    kinds = _listing((_KINDS.get(kind, kind) for kind in wanted), "or")
    fix = f'put it in quotes: "{error.instance}"' if quote else f"give {error.schema.get('x-wanted', kinds)}"
    yield document.problem(trail, f"{_shown(error)} is not {kinds}", fix)


def _tell_other(document: Document, trail: Trail, error: Any, explain: Explain) -> Iterator[Problem]:
    schema = error.schema if isinstance(error.schema, dict) else {}
    if "x-wanted" in schema or "x-secret" in schema:
        yield document.problem(trail, f"{_shown(error)} is not possible", f"give {schema.get('x-wanted', 'another')}")
    else:
        yield document.problem(trail, error.message[: 2 * _SHOWN])


_TELL: dict[str, Callable[[Document, Trail, Any, Explain], Iterator[Problem]]] = {
    "additionalProperties": _tell_unknown_keys,
    "required": _tell_missing_key,
    "enum": _tell_not_one_of,
    "const": _tell_not_one_of,
    "type": _tell_wrong_kind,
}


def _spelled(message: str, word: str, known: Iterable[str]) -> str:
    near = suggestion(word, known)
    return f"{message}.{near}" if near else message


def _shown(error: Any) -> str:
    """The value that is wrong, as far as a message may repeat it."""
    value = error.instance
    if value is None:
        return "nothing"
    if error.schema.get("x-secret"):
        return "the value"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _listing(names: Iterable[Any], last: str = "and") -> str:
    """`a, b and c`."""
    *most, end = [str(name) for name in names] or ["nothing"]
    return f"{', '.join(most)} {last} {end}" if most else end
