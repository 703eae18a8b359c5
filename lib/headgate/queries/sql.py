"""Parses a query in Athena's SQL, resolves its columns and types, and writes it in DuckDB's.

Athena compares no text with numbers or dates, as other engines do: `analysed` refuses what Athena would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from headgate.document import Place, Problem
from headgate.errors import UsageError, suggestion
from headgate.queries.types import athena_type, family

ATHENA, DUCKDB = "athena", "duckdb"
GOLD = "gold"

_LINE = re.compile(r"\s*Line:? (\d+), Col:? \d+\.?")
_MARKS = re.compile(r"\x1b\[\d+m")
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)


class InvalidQuery(Exception):
    """A query with problems, each with the line that it stands in where that is known."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems

    def as_error(self) -> UsageError:
        """The problems as the error of a command line."""
        first = self.problems[0]
        error = UsageError("; ".join(p.message for p in self.problems), where=str(first.place), fix=first.fix)
        error.problems = self.problems
        return error


@dataclass(frozen=True)
class Query:
    """A parsed query: one SELECT, with or without WITH. `tables` are the tables that it reads, by their full names."""

    expression: exp.Query
    tables: tuple[str, ...]
    file: str = ""


@dataclass(frozen=True)
class Analysed:
    """A query whose columns and types are resolved. `columns` are those of its result: name -> type in Athena's SQL."""

    expression: exp.Query
    columns: Mapping[str, str]


def parsed(sql: str, file: str = "query") -> Query:
    """Parses one SELECT in Athena's SQL. Raises InvalidQuery for anything else, and for what Athena does not have."""
    try:
        statements = [statement for statement in sqlglot.parse(sql, read=ATHENA) if statement is not None]
    except ParseError as error:
        raise InvalidQuery([_parse_problem(error, file)]) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        message = "more than one statement" if len(statements) > 1 else "no SELECT"
        raise InvalidQuery([Problem(Place(file), "", message, "write one SELECT; tables are only read")])
    expression = statements[0]
    problems = [_time_travel(table, file) for table in expression.find_all(exp.Table) if _travels(table)]
    if problems:
        raise InvalidQuery(problems)
    return Query(expression, tuple(sorted({_full_name(table) for table in _tables(expression)})), file)


def analysed(query: Query, columns: Mapping[str, Mapping[str, Any]]) -> Analysed:
    """Resolves the columns and types of a query.

    columns: table -> column -> type as `ledger.schema_of` returns it. Raises InvalidQuery for an unknown table or
    column and for types that Athena does not compare, add or aggregate.
    """
    if unknown := [_unknown_table(name, columns, query.file) for name in query.tables if name not in columns]:
        raise InvalidQuery(unknown)
    expression = _qualified(query.expression)
    schema = MappingSchema(dialect=ATHENA)
    for name in query.tables:
        types = {column: athena_type(kind) for column, kind in columns[name].items()}
        schema.add_table(name, types, dialect=ATHENA)
    try:
        expression = qualify(expression, schema=schema, dialect=ATHENA)
        expression = annotate_types(expression, schema=schema, dialect=ATHENA)
    except OptimizeError as error:
        known = {column for name in query.tables for column in columns[name]}
        raise InvalidQuery([_column_problem(error, known, query.file)]) from error
    if problems := list(_type_problems(expression, query.file)):
        raise InvalidQuery(problems)
    types = {column.alias_or_name: _shown(column.type) for column in expression.selects}
    return Analysed(expression, types)


def for_duckdb(query: Analysed) -> str:
    """The query in DuckDB's SQL, with the full names of its tables."""
    return query.expression.transform(_as_in_athena).sql(dialect=DUCKDB)


def _as_in_athena(node: exp.Expr) -> exp.Expr:
    """A node whose value differs in DuckDB, written so that it does not."""
    if isinstance(node, exp.DateTrunc | exp.TimestampTrunc) and node.this.is_type(exp.DataType.Type.DATE):
        return exp.cast(node.copy(), exp.DataType.Type.DATE)  # a truncated date is a date in Athena
    if isinstance(node, exp.CountIf):
        return exp.Count(this=exp.Case().when(node.this.copy(), exp.Literal.number(1)))  # 0 in Athena, not null
    return node


def for_athena(query: Query) -> str:
    """The query as Athena gets it: tables of gold without a database. Raises InvalidQuery for a table of silver."""
    other = [name for name in query.tables if not name.startswith(f"{GOLD}.")]
    if other:
        fix = "use --engine duckdb: only gold is in the catalog"
        raise InvalidQuery([Problem(Place(query.file), "", f"Athena has no {name}", fix) for name in other])
    expression = query.expression.copy()
    for table in _tables(expression):
        table.set("db", None)
    return expression.sql(dialect=ATHENA)


def unqualified_problems(query: Query) -> list[Problem]:
    """The tables that a saved query names with a database, which has another name in each environment."""
    return [
        Problem(
            Place(query.file, _line_of(table)),
            "",
            f"names the database of {table.name}",
            f"write {table.name}: the workgroup's named query has the database of its environment",
        )
        for table in _tables(query.expression)
        if table.db
    ]


# --- tables


def _tables(expression: exp.Query) -> list[exp.Table]:
    """The tables that a query reads, without its own WITH names."""
    own = {with_.alias_or_name.lower() for with_ in expression.find_all(exp.CTE)}
    return [table for table in expression.find_all(exp.Table) if table.db or table.name.lower() not in own]


def _full_name(table: exp.Table) -> str:
    return f"{table.db or GOLD}.{table.name}".lower()


def _qualified(expression: exp.Query) -> exp.Query:
    """A copy in which every table has its layer."""
    copy = expression.copy()
    for table in _tables(copy):
        layer, _, name = _full_name(table).partition(".")
        alias = table.alias_or_name
        table.set("this", exp.to_identifier(name))
        table.set("db", exp.to_identifier(layer))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return copy


def _travels(table: exp.Table) -> bool:
    return any(table.args.get(name) for name in ("version", "when"))


def _time_travel(table: exp.Table, file: str) -> Problem:
    fix = f"read an older version by headgate show gold.{table.name} --as-of TIME, or by the read API"
    return Problem(Place(file, _line_of(table)), "", "Athena cannot read older versions of a Delta table", fix)


def _unknown_table(name: str, known: Mapping[str, Any], file: str) -> Problem:
    return Problem(
        Place(file), "", f"no table '{name}'.{suggestion(name, known)}", "headgate tables lists what there is"
    )


# --- types


def _type_problems(expression: exp.Query, file: str) -> Iterator[Problem]:
    for node in expression.walk():
        message = _mismatch(node)
        if message:
            fix = "cast one side, such as date '2026-03-01' or CAST(x AS bigint)"
            yield Problem(Place(file, _line_of(node)), "", f"{message}: {node.sql(dialect=ATHENA)}", fix)


def _mismatch(node: exp.Expr) -> str:
    """What Athena refuses of a node by its types; empty where there is nothing, or where a type is not known."""
    if isinstance(node, _COMPARISONS):
        return _different("compares", node.left, node.right)
    if isinstance(node, exp.Between):
        low, high = node.args["low"], node.args["high"]
        return _different("compares", node.this, low) or _different("compares", node.this, high)
    if isinstance(node, exp.In):
        return next(filter(None, (_different("compares", node.this, item) for item in node.expressions)), "")
    if isinstance(node, _ARITHMETIC):
        wrong = [side for side in (node.left, node.right) if family(side.type) in ("text", "boolean")]
        return f"calculates with {family(wrong[0].type)}" if wrong else ""
    if isinstance(node, exp.Sum | exp.Avg) and family(node.this.type) not in ("", "number", "interval"):
        return f"adds up {family(node.this.type)}"
    if isinstance(node, exp.Where | exp.Having) and family(node.this.type) not in ("", "boolean"):
        return f"has a condition that is {family(node.this.type)}"
    return ""


def _different(verb: str, left: exp.Expr, right: exp.Expr) -> str:
    first, second = family(left.type), family(right.type)
    return f"{verb} {first} with {second}" if first and second and first != second else ""


def _shown(kind: Any) -> str:
    return kind.sql(dialect=ATHENA).lower() if kind is not None else "unknown"


# --- places


def _line_of(node: exp.Expr) -> int:
    """The line of the first name below a node; 0 where none has one."""
    lines = (child.meta.get("line") for child in node.walk() if isinstance(child, exp.Identifier))
    return next((int(line) for line in lines if line), 0)


def _parse_problem(error: ParseError, file: str) -> Problem:
    first = error.errors[0] if error.errors else {}
    message = str(first.get("description") or error).partition(" but got ")[0].partition("\n")[0]
    near = first.get("highlight") or ""
    message = f"{_MARKS.sub('', message)}{f', near {near}' if near else ''}"
    return Problem(Place(file, int(first.get("line") or 0)), "", message, "correct the SQL")


def _column_problem(error: OptimizeError, known: set[str], file: str) -> Problem:
    text = str(error)
    line = _LINE.search(text)
    name = re.search(r"'([^']+)'", text)
    advice = suggestion(name.group(1).rpartition(".")[2].strip('"'), known) if name else ""
    message = _LINE.sub("", text).strip().rstrip(".")
    place = Place(file, int(line.group(1)) if line else 0)
    return Problem(place, "", f"{message}.{advice}", f"there are: {', '.join(sorted(known))}")
