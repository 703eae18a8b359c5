"""Calls an author's function, and holds what it returns against the table's declaration, before data is read."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.errors.exceptions.captured import UnknownException, convert_exception
from pyspark.sql import DataFrame, SparkSession

from headgate.errors import HeadgateError, TableError, suggestion
from headgate.modules import author_line, load_table
from headgate.planning.graph import Node
from headgate.project import Project
from headgate.table import (
    IS_CURRENT,
    SOURCE,
    VALID_FROM,
    VALID_TO,
    Append,
    History,
    Merge,
    Replace,
    Table,
    Write,
    slices_of,
)

#: Expressions whose value is another one when a run is repeated.
_UNREPEATABLE = {
    "Rand": "rand",
    "Randn": "randn",
    "Uuid": "uuid",
    "Shuffle": "shuffle",
    "RandStr": "randstr",
    "CurrentTimestamp": "current_timestamp",
    "Now": "now",
    "CurrentDate": "current_date",
    "LocalTimestamp": "localtimestamp",
    "CurDateExpressionBuilder": "curdate",
    "UnixTimestamp()": "unix_timestamp",
    "MonotonicallyIncreasingID": "monotonically_increasing_id",
    "SparkPartitionID": "spark_partition_id",
    "CurrentTime": "current_time",
    "Uniform": "uniform",
}
#: Plan nodes that can give more than one row for a record.
_MULTIPLYING = {"Generate", "Join", "Union", "Expand", "LateralJoin", "AsOfJoin"}
#: Plan nodes that make a row of one row; and expressions in them that Spark does not know.
_ROW_BY_ROW = {"Project", "Filter", "SubqueryAlias", "LocalRelation", "LogicalRDD"}
_FOREIGN = {"PythonUDF", "ScalaUDF", "ScalaAggregator"}


class AuthoredFunction:
    """A table's function, called so that each of its author's mistakes names file and line."""

    def __init__(self, project: Project, node: Node) -> None:
        self._project, self._node = project, node
        self._table: Table = load_table(project, project.root / node.module)

    @property
    def where(self) -> str:
        return f"{self._node.module}:{self._node.line}"

    def __call__(self, **frames: DataFrame) -> DataFrame:
        """The function's rows. Raises TableError where it fails, or gives what the declaration does not allow."""
        try:
            rows = self._table.function(**frames)
        except Exception as error:
            self.refuse(error)
        if not isinstance(rows, DataFrame):
            raise TableError(f"the function returned {type(rows).__name__}", where=self.where, fix="return a DataFrame")
        return rows

    def check(self, session: SparkSession, inputs: Mapping[str, DataFrame]) -> DataFrame:
        """Calls the function on empty frames of the inputs' schemas, and checks columns and determinism."""
        empty = {name: session.createDataFrame([], frame.schema) for name, frame in inputs.items()}
        rows = self(**empty)
        self._check_columns(rows)
        other_each_time = unrepeatable(rows)
        if other_each_time:
            raise TableError(
                f"uses {', '.join(other_each_time)}: a rerun would give other rows",
                where=self.where,
                fix="take the value from the data, such as the time an upload was received",
            )
        return rows

    def refuse(self, error: BaseException) -> NoReturn:
        """Raises `error` as one message with the author's file and line."""
        if isinstance(error, HeadgateError):
            raise error
        error = _of_a_row(error)
        where = author_line(error, self._project) or self._failing_line(error) or self.where
        raise TableError(cause_of(error), where=where, fix=_advice(error)) from error

    def _failing_line(self, error: BaseException) -> str:
        """`file:line` of the author's expression that failed on a row, as Spark's query context tells it."""
        for context in error.getQueryContext() or [] if isinstance(error, PySparkException) else []:
            for path, line in re.findall(r"(\S+?\.py):(\d+)", _safely(context.callSite)):
                if Path(path).is_relative_to(self._project.jobs):
                    return f"{self._project.relative(Path(path))}:{line}"
            # Of a function such as to_date Spark knows the name alone.
            lines, first = inspect.getsourcelines(self._table.function)
            calls = [n for n, text in enumerate(lines, first) if f"{_safely(context.fragment)}(" in text]
            if len(calls) == 1:
                return f"{self._node.module}:{calls[0]}"
        return ""

    def _check_columns(self, rows: DataFrame) -> None:
        writes = self._node.writes
        own = [name for name in rows.columns if name.startswith("_") and name != SOURCE]
        if own:
            self._wrong(f"the column '{own[0]}' begins with '_', which is Headgate's", "rename it")
        if len({name.lower() for name in rows.columns}) != len(rows.columns):
            self._wrong("two columns have the same name", "give each its own")
        if isinstance(writes, Append | Merge):
            if SOURCE not in rows.columns:
                self._wrong("the column _source was dropped", "keep it: add SOURCE to the select")
        elif SOURCE in rows.columns:
            self._wrong("_source does not belong into this table", "drop it")
        if isinstance(writes, History) and (taken := {VALID_FROM, VALID_TO, IS_CURRENT} & set(rows.columns)):
            self._wrong(f"the column '{min(taken)}' is what History adds", "rename it")
        if isinstance(writes, Replace) and set(rows.columns) <= set(writes.partition_by):
            self._wrong("every column is one of partition_by: Delta wants another beside them", "return one")
        for name in named_columns(writes) if writes else ():
            if name not in rows.columns:
                missing = f"the declaration names '{name}', which the function does not return."
                self._wrong(missing + suggestion(name, rows.columns), "return the column, or correct the declaration")

    def _wrong(self, what: str, fix: str) -> NoReturn:
        raise TableError(what, where=self.where, fix=fix)


def named_columns(writes: Write) -> list[str]:
    """The columns that a write names: the function has to return them."""
    found = [*slices_of(writes), *writes.partition_by]
    if isinstance(writes, Merge):
        found += [*writes.keys, *([writes.sequence_by] if writes.sequence_by else [])]
    if isinstance(writes, History):
        found += [writes.sequence_by, *(writes.track or ())]
    return found


def plan_classes(rows: DataFrame) -> set[str]:
    """The simple names of the classes in a frame's analysed plan: its nodes and expressions."""
    return _classes(_plan(rows))


def _classes(plan: str) -> set[str]:
    return {name.rpartition(".")[2] for name in re.findall(r'"class":"([\w.$]+)"', plan)}


def _plan(rows: DataFrame) -> str:
    """A frame's analysed plan: a JSON array of its nodes, their expressions inside them."""
    return str(cast(Any, rows)._jdf.queryExecution().analyzed().toJSON())


def unrepeatable(rows: DataFrame) -> list[str]:
    """The functions of a plan whose value is another one when a run is repeated."""
    return sorted(_UNREPEATABLE[name] for name in plan_classes(rows) & _UNREPEATABLE.keys())


def may_multiply(rows: DataFrame) -> bool:
    """Whether a plan could give more than one row for a record."""
    return bool(plan_classes(rows) & _MULTIPLYING)


def is_row_by_row(rows: DataFrame) -> bool:
    """Whether each row is made of one row, by expressions of Spark's own: it costs little to do that again."""
    plan = _plan(rows)
    nodes = {node["class"].rpartition(".")[2] for node in json.loads(plan)}
    return nodes <= _ROW_BY_ROW and not _classes(plan) & _FOREIGN


def _of_a_row(error: BaseException) -> BaseException:
    """The error on a row that a failed write, or another job, has at its root: it knows the author's line."""
    if not isinstance(error, Py4JJavaError):
        return error
    found = convert_exception(_root(error))
    return error if isinstance(found, UnknownException) else found


def _root(error: Py4JJavaError) -> Any:
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return cause


def cause_of(error: BaseException) -> str:
    """One line that says what failed: Spark's deep traces folded to their cause."""
    if isinstance(error, Py4JJavaError):
        return _first_line(str(_root(error).toString()))
    if isinstance(error, PySparkException):
        return _first_line(str(error.getMessage() or error)) or f"{type(error).__name__} {error.getCondition() or ''}"
    return f"{type(error).__name__}: {_first_line(str(error))}"


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
