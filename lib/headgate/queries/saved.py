"""The queries of a project, conf/queries/<name>.sql, in Athena's SQL.

A file begins with a comment of one or more lines that says what the query answers. Tables of gold are named without
a database: the same text is a named query in the Athena workgroup of each environment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import UsageError, suggestion
from headgate.project import Project

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class SavedQuery:
    """A query. `description` is the comment at the head of its file, empty where there is none."""

    name: str
    description: str
    sql: str
    path: Path


def load_queries(project: Project) -> dict[str, SavedQuery]:
    """The queries of a project, by name. Raises UsageError for a file whose name is not possible."""
    results = {}
    for path in query_files(project):
        if not _NAME.fullmatch(path.stem):
            raise UsageError(
                f"'{path.stem}' is no name of a query",
                where=project.relative(path),
                fix="use lower-case letters, digits and underscores",
            )
        text = path.read_text(encoding="utf-8")
        results[path.stem] = SavedQuery(path.stem, _description(text), text, path)
    return results


def query_files(project: Project) -> list[Path]:
    """The files of conf/queries, in order of name."""
    return sorted(project.queries.glob("*.sql"))


def saved_query(project: Project, name: str) -> SavedQuery:
    """A query by its name. Raises UsageError, with a suggestion, where there is none."""
    queries = load_queries(project)
    if name not in queries:
        raise UsageError(
            f"no query '{name}'.{suggestion(name, queries)}",
            where=project.relative(project.queries),
            fix="headgate query lists what there is, and --sql takes SQL",
        )
    return queries[name]


def _description(text: str) -> str:
    lines = []
    for line in text.strip().splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)
