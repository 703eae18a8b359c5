"""The uploads that a table rejected as a whole, because they could not be split into records. Read without a JVM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headgate.lake.query import Query
from headgate.ledger.ledger import Ledger
from headgate.ledger.record_table import IS_REJECTED, IS_UNREADABLE, REJECTED, UNREADABLE, has_unreadable
from headgate.planning.graph import Node
from headgate.table import SOURCE

#: The condition on the columns of the quarantine's view that chooses these uploads.
WHERE = f"why LIKE '{UNREADABLE}%'"


def unreadable_uploads(ledger: Ledger, node: Node) -> list[dict[str, Any]]:
    """Returns the uploads that wait in the quarantine as a whole, by id: upload, bytes, records, problem.

    records: how many it has, None where they cannot be counted. Costs a look at the log where bronze has none.
    """
    bronze, table = ledger.open(node.bronze or ""), ledger.open(node.name)
    if bronze is None or table is None or not has_unreadable(bronze):
        return []
    rule, value = (f"{REJECTED}['reasons'][1]['{part}']" for part in ("rule", "value"))
    sql = f"""
        SELECT held.upload, receipt['bytes'] AS bytes, receipt['records'] AS records, held.problem
        FROM (SELECT {SOURCE}['upload'] AS upload, {value} AS problem FROM held
              WHERE {IS_REJECTED} AND {rule} = '{UNREADABLE}') held
        JOIN (SELECT upload, receipt FROM bronze WHERE {IS_UNREADABLE}) kept ON kept.upload = held.upload
        ORDER BY held.upload
    """
    return list(Query(bronze=bronze, held=table).rows(sql))


def totals(uploads: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Returns the sums of `unreadable_uploads`: uploads, bytes, records, and `uncounted` uploads without a count."""
    rows = list(uploads)
    return {
        "uploads": len(rows),
        "bytes": sum(row["bytes"] or 0 for row in rows),
        "records": sum(row["records"] or 0 for row in rows),
        "uncounted": sum(row["records"] is None for row in rows),
    }


def in_words(counts: Mapping[str, int]) -> str:
    """Returns `totals` as text: 2 uploads rejected as a whole (1,234 bytes, 72,988 records)."""
    uploads = counts["uploads"]
    if counts["uncounted"]:
        least = f"at least {counts['records']:,} records" if counts["records"] else "records not countable"
    else:
        least = f"{counts['records']:,} record{'s' * (counts['records'] != 1)}"
    return f"{uploads:,} upload{'s' * (uploads != 1)} rejected as a whole ({counts['bytes']:,} bytes, {least})"
