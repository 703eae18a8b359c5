"""The quarantine: the records that a table rejected, with every reason. They are rows of the table itself.

The status of a record is not stored, but computed by each
query: *superseded* if its key has a row of a greater order, else *open*. No JVM is needed.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from headgate.errors import UsageError
from headgate.lake.query import Query
from headgate.ledger.ledger import Ledger
from headgate.ledger.record_table import IS_KEYED, IS_RECEIPT, IS_REJECTED, ORDER, UPLOAD_KEY
from headgate.planning.graph import Graph, Node
from headgate.views import unreadable

#: What names the view of a table's rejected records: `quarantine.silver.sales`.
PREFIX = "quarantine."
#: The columns of the view, and those that a person is shown in a table.
COLUMNS = (
    "status",
    "upload",
    "record",
    "store",
    "object",
    "received",
    "key",
    "sequence",
    "run",
    "first_seen",
    "why",
    "reasons",
    "raw",
    "raw_encoding",
)
SHORT = ("status", "upload", "record", "first_seen", "why", "raw")
_SHOWN = 300  # characters of an error in a condition

_REASON = "trim(concat(reason['column'], ' ', reason['rule'], coalesce(' (' || reason['value'] || ')', '')))"


def tables(graph: Graph, ledger: Ledger) -> list[str]:
    """The tables that are built and keep a quarantine."""
    return [name for name, node in graph.nodes.items() if node.has_quarantine and ledger.open(name)]


def rejected(
    ledger: Ledger, node: Node, *, where: str = "", limit: int | None = None, version: int | None = None
) -> pa.Table:
    """One row a rejected record that meets `where`, SQL on COLUMNS; the newest first.

    `record` counts from 0 in its upload; `first_seen` is the start of the run that first rejected it, in UTC.
    Raises UsageError for an unknown table or column, FileNotFoundError if the files of the version were vacuumed.
    """
    query = _opened(ledger, node, version)
    last = "" if limit is None else f"LIMIT {int(limit)}"
    chosen = f"SELECT * FROM view WHERE {_checked(where)} ORDER BY first_seen DESC, upload, record {last}"
    try:
        return query.table(f"{_view(query)} {chosen}")
    except Exception as error:
        raise _refused(error, where) from error


def totals(ledger: Ledger, node: Node) -> dict[str, Any]:
    """How many records are `open` and `superseded`, and the same by `reasons`; a record with two reasons is in both.

    A reason's place in an array does not count: `items[3].price` is counted as `items[].price`. `whole` sums the
    uploads that were rejected as a whole; each is one of the records.
    """
    query = _opened(ledger, node, None)
    counts = "count(*) FILTER (WHERE status = 'open') AS open, count(*) FILTER (WHERE status <> 'open') AS superseded"
    view = _view(query)
    column = r"regexp_replace(reason['column'], '\[\d+\]', '[]', 'g')"
    by_reason = f"""{view}, named AS (SELECT DISTINCT place, status, {column} AS "column", reason['rule'] AS rule
                     FROM (SELECT place, status, unnest(reasons) AS reason FROM placed))
                    SELECT "column", rule, {counts} FROM named GROUP BY 1, 2 ORDER BY 3 DESC, 4 DESC, 1, 2"""
    return {
        "table": node.name,
        **query.row(f"{view} SELECT {counts} FROM view"),
        "reasons": list(query.rows(by_reason)),
        "whole": unreadable.totals(unreadable.unreadable_uploads(ledger, node)),
    }


def _opened(ledger: Ledger, node: Node, version: int | None) -> Query:
    if not node.has_quarantine:
        raise UsageError(
            f"{node.name} has no quarantine", fix="the table that reads the uploads by Changes rejects their records"
        )
    delta = ledger.open(node.name, version)
    if delta is None:
        raise UsageError(f"{node.name} is not built yet", fix="headgate run")
    return Query(t=delta)


def _view(query: Query) -> str:
    """The view, as the beginning of a query: `view` has COLUMNS, `placed` has `place` as well."""
    parts = ", ".join(f"source['{part}'] AS {part}" for part in ORDER)
    kept = ", ".join(f"rejected['{part}'] AS {part}" for part in ("key", "run", "first_seen", "reasons", "raw"))
    greater = _greater("newest.source", "mine.source", ORDER)
    return f"""
        WITH mine AS (SELECT _key AS place, _source AS source, _rejected AS rejected FROM t WHERE {IS_REJECTED}),
        newest AS (SELECT _key AS key, _source AS source FROM t
                 WHERE {IS_KEYED} AND {_within_keys(query)}),
        receipts AS (SELECT _key AS place, _receipt AS receipt FROM t WHERE {IS_RECEIPT}),
        explained AS (SELECT place, string_agg({_REASON}, '; ') AS why
                 FROM (SELECT place, unnest(rejected['reasons']) AS reason FROM mine) GROUP BY place),
        placed AS (
            SELECT place, status, why, {parts}, {kept}, rejected['raw_encoding'] AS raw_encoding,
                   receipt['store'] AS store, receipt['object'] AS object
            FROM (SELECT mine.place, mine.source, mine.rejected, explained.why, receipts.receipt,
                         CASE WHEN {greater} THEN 'superseded' ELSE 'open' END AS status
                  FROM mine LEFT JOIN explained ON explained.place = mine.place
                  LEFT JOIN newest ON newest.key = mine.rejected['key']
                  LEFT JOIN receipts ON receipts.place = concat('{UPLOAD_KEY}', mine.source['upload']))),
        view AS (SELECT {", ".join(COLUMNS)} FROM placed)"""


def _greater(left: str, right: str, parts: tuple[str, ...]) -> str:
    """The condition that a struct is greater by its parts in this order."""
    first, second = f"{left}['{parts[0]}']", f"{right}['{parts[0]}']"
    rest = f" OR ({first} = {second} AND ({_greater(left, right, parts[1:])}))" if parts[1:] else ""
    return f"{first} > {second}{rest}"


def _within_keys(query: Query) -> str:
    """A literal condition by which files without a rejected record's key are skipped."""
    least = "min(_rejected['key']) AS least, max(_rejected['key']) AS greatest"
    keys = query.row(f"SELECT {least} FROM t WHERE {IS_REJECTED}")
    if keys["least"] is None:
        return "FALSE"
    return f"_key BETWEEN {_text(keys['least'])} AND {_text(keys['greatest'])}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _checked(where: str) -> str:
    """The condition as a query has it; true without a condition."""
    return f"({where}\n)" if where.strip() else "TRUE"


def _refused(error: Exception, where: str) -> Exception:
    """What to say of a query that failed: files that are gone, or a condition that is none."""
    message = " ".join(str(error).split()).partition(" Valid fields are")[0]
    if "Object at location" in message:
        return FileNotFoundError(message)
    if not where.strip():
        return error
    return UsageError(
        message[:_SHOWN], where=f"--where {where}", fix=f"write a condition in SQL on {', '.join(COLUMNS)}"
    )
