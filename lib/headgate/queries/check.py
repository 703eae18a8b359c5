"""What is wrong with the queries of conf/queries, judged by the contracts of the tables that they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from headgate.document import Place, Problem
from headgate.errors import SetupError
from headgate.project import Project
from headgate.queries.saved import SavedQuery, load_queries

if TYPE_CHECKING:
    from headgate.queries.sql import Analysed


def query_problems(project: Project, types: Callable[[], Mapping[str, Mapping[str, Any]]]) -> list[Problem]:
    """Every problem of every query: syntax, tables, columns, types, and a missing description.

    types: gives table -> column -> type (as `ledger.schema_of` returns it) of the gold tables; called where there is a
    query. Raises UsageError for the name of a file, SetupError without sqlglot.
    """
    queries = load_queries(project)
    if not queries:
        return []
    if find_spec("sqlglot") is None:
        raise SetupError("sqlglot is not installed", where="conf/queries", fix="pip install 'headgate[query]'")
    columns = types()
    return [problem for query in queries.values() for problem in _problems(project, query, columns)]


def analysed_query(query: SavedQuery, columns: Mapping[str, Mapping[str, Any]], file: str) -> Analysed:
    """A saved query with its columns and types. Raises InvalidQuery with all of its problems."""
    from headgate.queries.sql import InvalidQuery, analysed, parsed, unqualified_problems

    statement = parsed(query.sql, file)
    if problems := unqualified_problems(statement):
        raise InvalidQuery(problems)
    return analysed(statement, columns)


def _problems(project: Project, query: SavedQuery, columns: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    from headgate.queries.sql import InvalidQuery

    file = project.relative(query.path)
    problems = []
    if not query.description:
        fix = "begin the file with a comment, such as: -- Net revenue of each store by month."
        problems.append(Problem(Place(file, 1), "", "does not say what it answers", fix))
    try:
        analysed_query(query, columns, file)
    except InvalidQuery as error:
        problems += error.problems
    return problems
