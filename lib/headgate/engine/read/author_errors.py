"""Decides whether an exception is the mistake of a table's author, and at which file and line.

An author is blamed only for an exception that comes out of the table's function, or that Spark raises while it
evaluates an expression of that function. Everything else is a fault of the platform or of Headgate.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, PythonException
from pyspark.errors.exceptions.captured import UnknownException, convert_exception

import headgate
from headgate.errors import TableError
from headgate.modules import author_line
from headgate.planning.graph import Node
from headgate.project import Project

_FRAMEWORK = Path(headgate.__file__).parent
#: The SQLSTATE class of errors in the data itself: a cast, a date or a number that is not possible.
_DATA_EXCEPTION = "22"


class AuthorErrors:
    """Translates exceptions for one table. `function` is the author's function as Python has it."""

    def __init__(self, project: Project, node: Node, function: Callable[..., Any]) -> None:
        self._project, self._node, self._function = project, node, function

    @property
    def declaration(self) -> str:
        """`file:line` of the table's declaration."""
        return f"{self._node.module}:{self._node.line}"

    def in_call(self, error: BaseException) -> TableError:
        """Returns the error for an exception that came out of the function itself."""
        error = _root_error(error)
        return self._error(error, self._line(error) or self.declaration)

    def in_evaluation(self, error: BaseException) -> TableError | None:
        """Returns the error for an exception that an expression of the function caused; None for any other."""
        error = _root_error(error)
        if line := self._line(error):
            return self._error(error, line)
        if _is_in_data(error) and not _is_in_framework(error):
            return self._error(error, self.declaration)
        return None

    def _error(self, error: BaseException, where: str) -> TableError:
        return TableError(cause_of(error), where=where, fix=_advice(error))

    def _line(self, error: BaseException) -> str:
        """`file:line` in the project's jobs: of the Python frame, else of the expression that Spark names."""
        if line := author_line(error, self._project):
            return line
        for path, number in _call_sites(error):
            if path.is_relative_to(self._project.jobs):
                return f"{self._project.relative(path)}:{number}"
        return self._only_call(error)

    def _only_call(self, error: BaseException) -> str:
        """Of a function such as to_date Spark knows the name alone: its line, if the author calls it just once."""
        lines, first = inspect.getsourcelines(self._function)
        for context in _contexts(error):
            calls = [n for n, text in enumerate(lines, first) if f"{_safely(context.fragment)}(" in text]
            if len(calls) == 1:
                return f"{self._node.module}:{calls[0]}"
        return ""


def cause_of(error: BaseException) -> str:
    """Returns a line with the cause: the innermost of Spark's nested exceptions."""
    if isinstance(error, Py4JJavaError):
        return _first_line(str(_root(error).toString()))
    if isinstance(error, PySparkException):
        return _first_line(_message(error)) or f"{type(error).__name__} {error.getCondition() or ''}"
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _message(error: PySparkException) -> str:
    """The message. Spark formats those of its own conditions only: for Delta's it raises an internal error."""
    try:
        return str(error.getMessage() or error)
    except Exception:
        return str(error)


def _root_error(error: BaseException) -> BaseException:
    """The error at the root of a failed Spark job: it knows the author's line."""
    if not isinstance(error, Py4JJavaError):
        return error
    converted = convert_exception(_root(error))
    return error if isinstance(converted, UnknownException) else converted


def _root(error: Py4JJavaError) -> Any:
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return cause


def _call_sites(error: BaseException) -> Iterator[tuple[Path, int]]:
    """The Python files and lines that Spark names: of the failed expression, or of a Python UDF's traceback."""
    texts = [_safely(context.callSite) for context in _contexts(error)]
    for path, line in re.findall(r"(\S+?\.py):(\d+)", "\n".join(texts)):
        yield Path(path), int(line)
    if isinstance(error, PythonException):
        for path, line in reversed(re.findall(r'File "([^"]+\.py)", line (\d+)', str(error))):
            yield Path(path), int(line)


def _contexts(error: BaseException) -> list[Any]:
    return list(error.getQueryContext() or []) if isinstance(error, PySparkException) else []


def _is_in_data(error: BaseException) -> bool:
    return isinstance(error, PySparkException) and str(error.getSqlState() or "").startswith(_DATA_EXCEPTION)


def _is_in_framework(error: BaseException) -> bool:
    """Whether the failed expression was built by Headgate."""
    return any(path.is_relative_to(_FRAMEWORK) for path, _ in _call_sites(error))


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0] if lines else ""


def _safely(call: object) -> str:
    try:
        return str(call())  # type: ignore[operator]
    except Exception:
        return ""


def _advice(error: BaseException) -> str:
    text = str(error)
    if "CANNOT_PARSE_TIMESTAMP" in text or "CAST_INVALID_INPUT" in text or "try_cast" in text:
        return "declare the column's type in the contract, so that a bad value is quarantined, or use a try_ function"
    return "correct the function and run again: nothing was written"
