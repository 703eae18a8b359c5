"""What a table was computed from against the table: every slice has its source, and no key is there twice.

A slice is computed as a whole, so a slice that no source has any more must
not exist. This does not check the rows of a slice: only its function can compute them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headgate.lake.query import Query, columns_of, passes, quoted
from headgate.ledger.ledger import Ledger
from headgate.ledger.record_table import live_condition
from headgate.planning.graph import Node
from headgate.reconcile.finding import Check, Kind, Level, NotChecked, Tally
from headgate.reconcile.position import sources_as_read
from headgate.table import Affected, slices_of, unique_keys

NAME = "sources and slices"

EXTRA = Kind("slices that no source has", fix="headgate run -s {table} --rebuild")
EMPTY = Kind(
    "slices of the sources without a row here",
    Level.NOTE,
    "nothing, where the function leaves them out; else headgate run -s {table} --rebuild",
)
TWICE = Kind("one key twice", fix="headgate run -s {table} --rebuild")


def check_slices(ledger: Ledger, node: Node, limit: int, tell: Callable[[str], None] = lambda _: None) -> Check:
    """The check of a table that reads by `Affected`. Raises NotChecked where there is nothing to hold it against."""
    by = slices_of(node.writes) if node.writes else ()
    driving = list(dict.fromkeys(read.table for read in node.reads.values() if isinstance(read, Affected)))
    if not by or not driving:
        raise NotChecked("the whole table is a single slice: only its function can compute its rows")
    head = ledger.head(node.name)
    sources = list(sources_as_read(ledger, head, driving).values())
    query = Query(stored=ledger.open(node.name, head.version), **{f"s{n}": table for n, table in enumerate(sources)})
    tally = Tally(limit)
    tell(f"{node.name}: slices")
    _by_slice(query, by, sources, tally)
    if unique := unique_keys(node.writes):
        tell(f"{node.name}: keys")
        _by_key(query, unique, tally)
    return tally.check(NAME, node.name, "slices")


def _by_slice(query: Query, by: tuple[str, ...], sources: list[Any], tally: Tally) -> None:
    columns = ", ".join(quoted(name) for name in by)
    text = f"SELECT DISTINCT {columns} FROM stored"
    reads = [
        f"SELECT DISTINCT {columns} FROM s{n} WHERE {live_condition(columns_of(table))}"
        for n, table in enumerate(sources)
    ]
    # EXCEPT takes two nulls for equal, as a slice does.
    for part in passes(by, _rows(query, sources)):
        mine = f"{text} WHERE {part}"
        theirs = " UNION ".join(f"{read} AND {part}" for read in reads) or f"{text} WHERE FALSE"
        tally.compared += query.row(f"SELECT count(*) AS n FROM (({mine}) UNION ({theirs}))")["n"]
        for row in query.rows(f"({mine}) EXCEPT ({theirs})"):
            tally.add(EXTRA, _named(row))
        for row in query.rows(f"({theirs}) EXCEPT ({mine})"):
            tally.add(EMPTY, _named(row))


def _rows(query: Query, sources: list[Any]) -> int:
    """The most values that a pass could meet."""
    tables = ["stored", *(f"s{n}" for n in range(len(sources)))]
    return sum(query.row(f"SELECT count(*) AS n FROM {table}")["n"] for table in tables)


def _by_key(query: Query, unique: tuple[str, ...], tally: Tally) -> None:
    columns = ", ".join(quoted(name) for name in unique)
    for part in passes(unique, query.row("SELECT count(*) AS n FROM stored")["n"]):
        sql = f"SELECT {columns}, count(*) AS copies FROM stored WHERE {part} GROUP BY {columns} HAVING count(*) > 1"
        for row in query.rows(sql):
            copies = row.pop("copies")
            tally.add(TWICE, f"{_named(row)}: {copies} rows")


def _named(row: dict[str, Any]) -> str:
    return ", ".join(f"{name}={'null' if value is None else value}" for name, value in row.items())
