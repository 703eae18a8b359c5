"""Calls an author's function, and checks the columns it returns against the declaration before data is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from headgate.engine.read.author_errors import AuthorErrors, cause_of
from headgate.engine.runtime.jvm_access import plan_json
from headgate.errors import HeadgateError, TableError, suggestion
from headgate.ledger.ledger import schema_of
from headgate.modules import load_table
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

#: Nondeterministic expressions.
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
#: Characters that Delta has no place for in a column's name; a dot separates the parts of a name in Spark.
_FOREIGN_IN_NAMES = set(" ,;{}()\n\t=")
#: Plan nodes that can give more than one row for a record.
_MULTIPLYING = {"Generate", "Join", "Union", "Expand", "LateralJoin", "AsOfJoin"}
#: Plan nodes that make a row of one row; and expressions in them that Spark does not know.
_ROW_BY_ROW = {"Project", "Filter", "SubqueryAlias", "LocalRelation", "LogicalRDD"}
_FOREIGN = {"PythonUDF", "ScalaUDF", "ScalaAggregator"}


class AuthoredFunction:
    """A table's function. A mistake of its author raises TableError with the file and line."""

    def __init__(self, project: Project, node: Node) -> None:
        self._node = node
        self._table: Table = load_table(project, project.root / node.module)
        self.errors = AuthorErrors(project, node, self._table.function)

    @property
    def where(self) -> str:
        """`file:line` of the declaration."""
        return self.errors.declaration

    def __call__(self, **frames: DataFrame) -> DataFrame:
        """Returns the function's rows. Raises TableError if it fails, or returns rows that the declaration forbids."""
        try:
            rows = self._table.function(**frames)
        except HeadgateError:
            raise
        except Exception as error:
            raise self.errors.in_call(error) from error
        if not isinstance(rows, DataFrame):
            raise TableError(f"the function returned {type(rows).__name__}", where=self.where, fix="return a DataFrame")
        return rows

    def check(self, session: SparkSession, inputs: Mapping[str, DataFrame]) -> CheckedFunction:
        """Calls the function on empty frames of the inputs' schemas; returns it with the shape of its rows.

        Raises TableError where its columns do not fit the declaration, or a rerun would give other rows.
        """
        empty = {name: session.createDataFrame([], frame.schema) for name, frame in inputs.items()}
        rows = self(**empty)
        self._check_columns(rows)
        self._check_delete_when(rows)
        other_each_time = unrepeatable(rows)
        if other_each_time:
            raise TableError(
                f"uses {', '.join(other_each_time)}: a rerun would give other rows",
                where=self.where,
                fix="take the value from the data, such as the time an upload was received",
            )
        return CheckedFunction(self, rows)

    def _check_columns(self, rows: DataFrame) -> None:
        writes = self._node.writes
        own = [name for name in rows.columns if name.startswith("_") and name != SOURCE]
        if own:
            self._wrong(f"the column '{own[0]}' begins with '_', which is Headgate's", "rename it")
        if len({name.lower() for name in rows.columns}) != len(rows.columns):
            self._wrong("two columns have the same name", "give each its own")
        self._check_names(rows)
        if isinstance(writes, Append | Merge):
            if SOURCE not in rows.columns:
                self._wrong("the column _source was dropped", "keep it: add SOURCE to the select")
        elif SOURCE in rows.columns:
            self._wrong("_source does not belong into this table", "drop it")
        if isinstance(writes, History) and (taken := {VALID_FROM, VALID_TO, IS_CURRENT} & set(rows.columns)):
            self._wrong(f"History adds the column '{min(taken)}'", "rename it")
        if isinstance(writes, Replace) and set(rows.columns) <= set(writes.partition_by):
            self._wrong("all columns are in partition_by: Delta needs at least one more", "return another column")
        for name in named_columns(writes) if writes else ():
            if name not in rows.columns:
                missing = f"the declaration names '{name}', which the function does not return."
                self._wrong(missing + suggestion(name, rows.columns), "return the column, or correct the declaration")

    def _check_names(self, rows: DataFrame) -> None:
        """Refuses names that Delta, or Spark where it is told a column by its name, cannot use."""
        bad = next((name for name in rows.columns if {*_FOREIGN_IN_NAMES, ".", "`"} & set(name)), None)
        bad = bad or next((name for name in _inner_names(rows.schema) if _FOREIGN_IN_NAMES & set(name)), None)
        if bad is not None:
            fix = "use letters, digits and _: rename it, for example with alias()"
            self._wrong(f"the column name '{bad}' has a character that a table's column cannot have", fix)

    def _check_delete_when(self, rows: DataFrame) -> None:
        condition = getattr(self._node.writes, "delete_when", None)
        if not condition:
            return
        try:
            rows.select(F.expr(condition).cast("boolean"))
        except PySparkException as error:
            self._wrong(f"delete_when: {cause_of(error)}", "correct the condition; it may use the function's columns")

    def _wrong(self, message: str, fix: str) -> NoReturn:
        raise TableError(message, where=self.where, fix=fix)


@dataclass(frozen=True)
class CheckedFunction:
    """A function that fits its declaration. shape: an empty frame of its rows."""

    function: AuthoredFunction
    shape: DataFrame

    def __call__(self, **frames: DataFrame) -> DataFrame:
        """Returns the function's rows. Raises TableError as the function does, or where they have other columns.

        Increments could not be compared with a table whose columns depend on the data.
        """
        rows = self.function(**frames)
        real, empty = schema_of(rows.schema.json()), schema_of(self.shape.schema.json())
        differing = [name for name in {**empty, **real} if real.get(name) != empty.get(name)]
        if differing:
            raise TableError(
                f"its columns depend on the data: {', '.join(differing[:5])} differ between no rows and these rows",
                where=self.function.where,
                fix="name the columns: pivot(column, [values]), and no column named by a value that was collected",
            )
        return rows

    @property
    def may_multiply(self) -> bool:
        """Whether its plan could give more than one row for a record."""
        return bool(plan_classes(self.shape) & _MULTIPLYING)

    @property
    def is_row_by_row(self) -> bool:
        """Whether each row is made of one row, by expressions of Spark's own: it costs little to do that again."""
        plan = plan_json(self.shape)
        nodes = {node["class"].rpartition(".")[2] for node in json.loads(plan)}
        return nodes <= _ROW_BY_ROW and not _classes(plan) & _FOREIGN


def _inner_names(kind: DataType) -> Iterator[str]:
    """The names of all fields inside a type, at any depth."""
    if isinstance(kind, StructType):
        for field in kind:
            yield field.name
            yield from _inner_names(field.dataType)
    elif isinstance(kind, ArrayType):
        yield from _inner_names(kind.elementType)
    elif isinstance(kind, MapType):
        yield from _inner_names(kind.valueType)


def named_columns(writes: Write) -> list[str]:
    """The columns that a write names: the function has to return them."""
    results = [*slices_of(writes), *writes.partition_by]
    if isinstance(writes, Merge):
        results += [*writes.keys, *([writes.sequence_by] if writes.sequence_by else [])]
    if isinstance(writes, History):
        results += [writes.sequence_by, *(writes.track or ())]
    return results


def plan_classes(rows: DataFrame) -> set[str]:
    """The simple names of the classes in a frame's analysed plan: its nodes and expressions."""
    return _classes(plan_json(rows))


def _classes(plan: str) -> set[str]:
    return {name.rpartition(".")[2] for name in re.findall(r'"class":"([\w.$]+)"', plan)}


def unrepeatable(rows: DataFrame) -> list[str]:
    """The nondeterministic functions of a plan."""
    return sorted(_UNREPEATABLE[name] for name in plan_classes(rows) & _UNREPEATABLE.keys())
