"""Compares bronze with a table of records: each upload has a receipt, and the counts of the receipt match the rows.

Bronze is counted by upload, as the table's last run read it. An upload's ordinals are 0 to n-1, each once,
if their number, bounds, sum and sum of squares match: so no set of all records is needed in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow.compute as pc

from headgate.lake.query import Query, passes
from headgate.lake.upload_identity import parse_upload_id
from headgate.ledger.ledger import Ledger
from headgate.ledger.record_table import (
    COUNTS,
    IS_KEYED,
    IS_LIVE,
    IS_RECEIPT,
    IS_REJECTED,
    IS_UNREADABLE,
    KEY,
    RECEIPT,
    RECORD_BALANCE,
    ROW_BALANCE,
    unbalanced,
)
from headgate.planning.graph import Node
from headgate.reconcile.finding import Check, Finding, Kind, Level, NotChecked, Tally
from headgate.reconcile.position import sources_as_read
from headgate.table import Append

NAME = "bronze and records"

_REBUILD = "headgate run -s {table} --rebuild"
_RESTORE = "headgate history {source} shows the writer; headgate rollback {source} --to the previous version, then run"

NO_RECEIPT = Kind("in bronze, without a receipt: its records are missing", fix=_REBUILD)
TWO_RECEIPTS = Kind("two receipts for one upload", fix=_REBUILD)
UNKNOWN = Kind("receipt or rows of an upload that bronze has not", fix=_REBUILD)
OTHER_COUNT = Kind("the receipt counts other records than bronze's", fix=_REBUILD)
BRONZE_TWICE = Kind("two receipts in bronze for one upload", fix=_RESTORE)
BRONZE_RECORDS = Kind("bronze's records are not 0 to n-1, each once, as its receipt says", fix=_RESTORE)
UNBALANCED = Kind("the receipt's counts do not add up", fix=_REBUILD)
QUARANTINE = Kind("other rejected records in the quarantine than the receipt counts", fix=_REBUILD)
OTHER_ROWS = Kind("other rows than the receipt's accepted records gave", fix=_REBUILD)
NO_RECORD = Kind("rows of records that bronze has not", fix=_REBUILD)
LOST_ROWS = Kind("fewer keys than the receipts say were inserted", fix=_REBUILD)
TWO_KEYS = Kind("one key twice", fix=_REBUILD)
WHOLE = Kind(
    "uploads rejected as a whole: their records are in no table",
    Level.NOTE,
    "correct the contract or the reader, then headgate quarantine replay {table}: they are split again",
)
BOTH = Kind("one record accepted and rejected", fix=_REBUILD)

# A backfill keeps a receipt if its records, rejected and accepted counts do not change, even if rows do.
_BY_VERDICT = (OTHER_ROWS.message, LOST_ROWS.message)

_BIG = "DECIMAL(38, 0)"  # a sum of squares is beyond 64 bits from two million records

# What bronze holds, by upload.
_BRONZE = f"""
    SELECT upload,
           count(*) FILTER (WHERE {IS_RECEIPT}) AS receipts,
           coalesce(min(receipt['records']), 0) AS n,
           count(*) FILTER (WHERE {IS_LIVE} OR {IS_UNREADABLE}) AS counted,
           count(*) FILTER (WHERE {IS_UNREADABLE}) > 0 AS whole,
           coalesce(min(receipt['bytes']), 0) AS bytes,
           min(record) AS least, max(record) AS greatest,
           coalesce(sum(CAST(record AS {_BIG})), 0) AS total,
           coalesce(sum(CAST(record AS {_BIG}) * record), 0) AS squares
    FROM bronze GROUP BY upload
"""

# What the table holds, by upload. A receipt has no record.
_TABLE = f"""
    SELECT _source['upload'] AS upload,
           count(*) FILTER (WHERE {IS_RECEIPT}) AS receipts,
           {", ".join(f"min({RECEIPT}['{name}']) AS {name}" for name in COUNTS)},
           count(*) FILTER (WHERE {IS_REJECTED}) AS quarantined,
           count(*) FILTER (WHERE {IS_KEYED}) AS keyed,
           count(*) FILTER (WHERE NOT {IS_RECEIPT} AND _source['record'] IS NULL) AS nameless,
           min(_source['record']) AS least, max(_source['record']) AS greatest
    FROM stored GROUP BY _source['upload']
"""

_BALANCE = unbalanced(RECORD_BALANCE, "t.")
_VERDICTS = unbalanced(ROW_BALANCE, "t.")

# Kind -> (condition, message for an upload). b is bronze, t the table.
_Rules = Mapping[Kind, tuple[str, str]]
_RULES: _Rules = {
    BRONZE_TWICE: ("b.receipts > 1", "{bronze_receipts} receipts"),
    BRONZE_RECORDS: (
        f"""b.receipts = 0 OR b.n <> b.counted OR (b.n > 0 AND (b.least <> 0 OR b.greatest <> b.n - 1
            OR 2 * b.total <> CAST(b.n AS {_BIG}) * (b.n - 1)
            OR 6 * b.squares <> CAST(b.n AS {_BIG}) * (b.n - 1) * (2 * b.n - 1)))""",
        "{n} records, of which bronze holds {counted}, {bronze_least} to {bronze_greatest}",
    ),
    NO_RECEIPT: ("b.upload IS NOT NULL AND coalesce(t.receipts, 0) = 0", "{n} records"),
    TWO_RECEIPTS: ("t.receipts > 1", "{receipts} receipts"),
    UNKNOWN: ("b.upload IS NULL", "{receipts} receipts, {keyed} rows, {quarantined} rejected records"),
    OTHER_COUNT: ("t.records <> b.n AND NOT b.whole", "{records} records, not {n}"),
    QUARANTINE: (
        "t.receipts > 0 AND t.unparsable + t.rejected <> t.quarantined",
        "{quarantined} rejected records; the receipt has {unparsable} unparsable and {rejected} rejected",
    ),
    NO_RECORD: (
        "b.upload IS NOT NULL AND (t.nameless > 0 OR t.least < 0"
        " OR t.greatest >= CASE WHEN b.whole THEN t.records ELSE b.n END)",
        "records up to {greatest}; bronze has {n}",
    ),
    # A replay or a rebuild splits such an upload again: then the receipt counts the records it was split into.
    WHOLE: ("b.whole AND t.records = 1 AND t.unparsable = 1", "{bytes} bytes"),
}
_MERGE_RULES: _Rules = {
    **_RULES,
    UNBALANCED: (
        f"{_BALANCE} OR {_VERDICTS}",
        "{records} records: {unparsable} unparsable, {rejected} rejected, {no_row} without a row, {accepted} accepted: "
        "{inserted} inserted, {updated} updated, {deleted} deleted, {superseded} superseded, {unchanged} unchanged",
    ),
    OTHER_ROWS: ("t.receipts > 0 AND t.keyed > t.accepted", "{keyed} rows of {accepted} accepted records"),
}
_APPEND_RULES: _Rules = {
    **_RULES,
    UNBALANCED: (
        _BALANCE,
        "{records} records: {unparsable} unparsable, {rejected} rejected, {no_row} without a row, {accepted} accepted",
    ),
    OTHER_ROWS: ("t.receipts > 0 AND t.keyed <> t.inserted", "{keyed} rows; the receipt has {inserted}"),
}


def check_records(
    ledger: Ledger, node: Node, bronze: str, limit: int, tell: Callable[[str], None] = lambda _: None
) -> Check:
    """The check of a table that is fed by `bronze`. Raises NotChecked where there is nothing to hold it against."""
    head = ledger.head(node.name)
    source = sources_as_read(ledger, head, [bronze]).get(bronze)
    if source is None:
        raise NotChecked(f"{bronze} was not built yet when it was")
    query = Query(bronze=source, stored=ledger.open(node.name, head.version))
    tally = Tally(limit)
    append = isinstance(node.writes, Append)
    tell(f"{node.name}: counts by upload")
    _by_upload(query, _APPEND_RULES if append else _MERGE_RULES, tally, append)
    tell(f"{node.name}: keys")
    _by_key(query, tally)
    check = tally.check(NAME, node.name, "uploads", source=bronze)
    return _without_verdicts(check) if _counts_by_verdict(check) and _backfilled(ledger, node.name) else check


def _counts_by_verdict(check: Check) -> bool:
    return any(finding.kind.message in _BY_VERDICT for finding in check.findings)


def _backfilled(ledger: Ledger, table: str) -> bool:
    """Whether a backfill is among the commits that the log still has."""
    counts = (commit.metadata.record_counts for commit in ledger.history(table) if commit.metadata)
    return any(count is not None and count.changed is not None for count in counts)


def _without_verdicts(check: Check) -> Check:
    """Returns the check, with findings that rest only on a receipt's verdicts as notes."""

    def noted(finding: Finding) -> Finding:
        kind = finding.kind
        if kind.message not in _BY_VERDICT:
            return finding
        message = f"{kind.message}, as a backfill may leave it"
        return replace(finding, kind=replace(kind, message=message, level=Level.NOTE))

    return replace(check, findings=tuple(map(noted, check.findings)))


def _by_upload(query: Query, rules: _Rules, tally: Tally, append: bool) -> None:
    broken = {kind: f"coalesce({rule}, FALSE)" for kind, (rule, _) in rules.items()}
    facts = [f"t.{name}" for name in ("receipts", *COUNTS, "quarantined", "keyed", "greatest")]
    sql = f"""
        SELECT coalesce(b.upload, t.upload) AS upload, b.n, b.counted, b.bytes, b.receipts AS bronze_receipts,
               b.least AS bronze_least, b.greatest AS bronze_greatest, {", ".join(facts)},
               {", ".join(f"{rule} AS broken_{number}" for number, rule in enumerate(broken.values()))},
               {" OR ".join(broken.values())} AS broken
        FROM ({_BRONZE}) b FULL OUTER JOIN ({_TABLE}) t ON b.upload = t.upload
    """
    existing = inserted = 0
    for batch in query.batches(sql):
        tally.compared += batch.num_rows
        existing += pc.sum(batch["keyed"]).as_py() or 0
        inserted += pc.sum(batch["inserted"]).as_py() or 0
        broken_rows = batch.to_pylist() if pc.any(batch["broken"]).as_py() else []
        for row in broken_rows:
            if row["broken"]:
                _add(row, rules, tally)
    if existing < inserted and not append:  # of an Append table each upload tells it
        tally.add(LOST_ROWS, f"{existing:,} keys; {inserted:,} were inserted", count=inserted - existing)


def _add(row: dict[str, Any], rules: _Rules, tally: Tally) -> None:
    upload = str(row["upload"])
    identity = parse_upload_id(upload)
    day = f"{identity.hour:%Y-%m-%d}" if identity else ""
    facts = {name: 0 if value is None else value for name, value in row.items()}
    for number, (kind, (_, details)) in enumerate(rules.items()):
        if row[f"broken_{number}"]:
            tally.add(kind, f"{upload}: {details.format(**facts)}", day=day)


def _by_key(query: Query, tally: Tally) -> None:
    rows = query.row(f"SELECT count(*) AS n FROM stored WHERE NOT {IS_RECEIPT}")["n"]
    for part in passes((KEY,), rows):
        sql = f"""
            SELECT _key, count(*) AS copies FROM stored WHERE NOT {IS_RECEIPT} AND {part}
            GROUP BY _key HAVING count(*) > 1
        """
        for row in query.rows(sql):
            tally.add(TWO_KEYS, f"{row['_key']}: {row['copies']} rows")
    sql = f"""
        SELECT DISTINCT rejected.upload, rejected.record
        FROM (SELECT _source['upload'] AS upload, _source['record'] AS record FROM stored
              WHERE {IS_REJECTED}) rejected
        JOIN (SELECT _source['upload'] AS upload, _source['record'] AS record FROM stored
              WHERE {IS_KEYED}) accepted
        ON rejected.upload = accepted.upload AND rejected.record = accepted.record
    """
    for row in query.rows(sql):
        tally.add(BOTH, f"{row['upload']}: record {row['record']}")
