"""The layout of bronze, `Merge` and `Append` tables, declared once: columns, states, order, counts, live rows.

Such a table stores everything that a run writes about an upload, separated by the partition column `_state`.
Its columns, in addition to the columns that its function returns:

- `_key`: identifies a row; its prefix is the kind of row (`MERGE_KEY`, `RECORD_KEY`, `UPLOAD_KEY`).
- `_source`: the struct (upload, received, record, sequence) that orders the versions of a key (`ORDER`).
- `_state`: a `State`.
- `_rejected`: of a rejected record its raw text and reasons.
- `_receipt`: of a receipt the counts of its upload.

Bronze has only `_state`, with the states live, receipt and unreadable: an upload that could not be split into records,
kept as it landed, to be split again whenever it is read. Any other table has no `_state`, and all of its rows are
live. Conditions are SQL text that Spark and DataFusion (`headgate.lake.query`) accept, or pyarrow expressions.
Imports no pyspark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pyarrow.dataset as ds

KEY = "_key"
STATE = "_state"
REJECTED = "_rejected"
RECEIPT = "_receipt"

#: Prefixes of `_key`: a row of a `Merge` table, a record (a rejected record, a row of an `Append` table), an upload.
MERGE_KEY, RECORD_KEY, UPLOAD_KEY = "k:", "r:", "u:"

#: The parts of `_source` that order two rows of a key: the greater tuple replaces, whatever its content.
ORDER = ("sequence", "received", "upload", "record")


class State(StrEnum):
    """What a row is: a current row, a tombstone, a rejected record (the quarantine), or an upload's receipt.

    In bronze also an upload that could not be split into records.
    """

    LIVE = "live"
    DELETED = "deleted"
    REJECTED = "rejected"
    RECEIPT = "receipt"
    UNREADABLE = "unreadable"


#: The states of rows that a `Merge` table looks up by key.
KEYED = (State.LIVE, State.DELETED)


class Verdict(StrEnum):
    """The effect of a row of an accepted record on the table."""

    INSERTED = "inserted"
    UPDATED = "updated"
    DELETED = "deleted"
    SUPERSEDED = "superseded"  # the table, or the batch, has a row of the key with a greater order
    UNCHANGED = "unchanged"  # the table has this row already


VERDICTS = tuple(verdict.value for verdict in Verdict)
#: Verdicts of rows that are not written.
NOT_WRITTEN = (Verdict.SUPERSEDED, Verdict.UNCHANGED)

#: The name that a reason's rule and a receipt's count have for a record that cannot be read at all.
UNPARSABLE = "unparsable"
#: The rule of an upload that was rejected as a whole; its receipt counts it as one unparsable record.
UNREADABLE = "unparsable upload"
#: How a receipt counts the records that are in the quarantine.
QUARANTINED = (UNPARSABLE, "rejected")
#: The two equations that hold for each upload and each run: a count, and the counts that add up to it. In an
#: `Append` table a record has several rows, and there the verdicts add up to its rows instead.
RECORD_BALANCE = ("records", (*QUARANTINED, "no_row", "accepted"))
ROW_BALANCE = ("accepted", VERDICTS)
#: The counts of a receipt, in the order of its struct.
COUNTS = (RECORD_BALANCE[0], *RECORD_BALANCE[1], *VERDICTS)

# Types in Spark's DDL.
REASON_TYPE = "struct<column: string, rule: string, value: string>"
#: A rejected record as it is read.
REJECTED_RECORD_TYPE = f"struct<raw: string, raw_encoding: string, reasons: array<{REASON_TYPE}>>"
#: The parts of `_rejected` that name the first run that rejected the record; they are not part of its content.
FIRST_SEEN = ("run", "first_seen")
#: `_rejected`: a rejected record with the key that it would have, and the run that rejected it first.
REJECTED_TYPE = f"{REJECTED_RECORD_TYPE.removesuffix('>')}, key: string, run: string, first_seen: timestamp>"
RECEIPT_TYPE = f"struct<store: string, object: string, {', '.join(f'{name}: bigint' for name in COUNTS)}>"


def in_state(*states: State) -> str:
    """Returns the SQL condition that a row is in one of `states`."""
    if len(states) == 1:
        return f"{STATE} = '{states[0]}'"
    names = ", ".join(f"'{state}'" for state in states)
    return f"{STATE} IN ({names})"


IS_LIVE = in_state(State.LIVE)
IS_KEYED = in_state(*KEYED)
IS_REJECTED = in_state(State.REJECTED)
IS_RECEIPT = in_state(State.RECEIPT)
IS_UNREADABLE = in_state(State.UNREADABLE)


def has_unreadable(bronze: Any) -> bool:
    """Whether a bronze table, as `Ledger.open` returns it, has uploads that could not be split. Reads the log alone."""
    # Not get_add_actions: as an Arrow table it imports pandas, which takes longer than all of the rest.
    return any(values.get(STATE) == State.UNREADABLE for values in bronze.partitions())


def live_condition(columns: Iterable[str]) -> str:
    """Returns the SQL condition for the live rows of a table with these columns."""
    return IS_LIVE if STATE in columns else "TRUE"


def state_filter(state: State) -> ds.Expression:
    """Returns the pyarrow condition that a row is in `state`."""
    import pyarrow.dataset as ds

    return ds.field(STATE) == state.value


def live_filter(columns: Iterable[str]) -> ds.Expression | None:
    """Returns the pyarrow condition for the live rows of a table with these columns; None where all rows are live."""
    return state_filter(State.LIVE) if STATE in columns else None


def is_live(row: Mapping[str, Any], prefix: str = "") -> bool:
    """Whether a row, or the file with these partition values, is live. `prefix` precedes the column names."""
    return bool(row.get(f"{prefix}{STATE}", State.LIVE) == State.LIVE)


def unbalanced(balance: tuple[str, Iterable[str]], prefix: str = "") -> str:
    """Returns the SQL condition that a receipt's counts, its columns below `prefix`, break an equation."""
    total, parts = balance
    return f"{prefix}{total} <> {' + '.join(f'{prefix}{part}' for part in parts)}"


@dataclass(frozen=True)
class RecordCounts:
    """What a run counted over the uploads that it took into a `Merge` or `Append` table.

    records to unchanged: the sums of the receipts' counts. uploads: receipts. rows: rows of accepted records.
    replacing: written rows whose key the table has already. refused: records that a rule of the table rejects.
    unread: records of bronze that were not read, which must be 0. unreadable: uploads that were rejected as a whole,
    with their bytes and their records where these can be counted. changed: of a backfill or a replay the rows that it
    inserted, updated or deleted; None for any other run.
    """

    records: int = 0
    unparsable: int = 0
    rejected: int = 0
    no_row: int = 0
    accepted: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    superseded: int = 0
    unchanged: int = 0
    uploads: int = 0
    rows: int = 0
    replacing: int = 0
    refused: int = 0
    unread: int = 0
    unreadable: int = 0
    unreadable_bytes: int = 0
    unreadable_records: int = 0
    changed: int | None = None

    @property
    def quarantined(self) -> int:
        """The records that went into the quarantine."""
        return self.rejected + self.unparsable

    @property
    def written(self) -> int:
        """The rows that were inserted, updated or deleted."""
        return self.inserted + self.updated + self.deleted

    @property
    def not_written(self) -> int:
        """The rows of accepted records that leave the table as it is."""
        return self.superseded + self.unchanged

    @property
    def balances(self) -> bool:
        """Whether every record and every row is counted exactly once."""
        counts = asdict(self)
        records, rows = (sum(counts[part] for part in parts) for _, parts in (RECORD_BALANCE, ROW_BALANCE))
        return records == self.records and rows == self.rows and self.no_row >= 0 and self.unread == 0

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of the commit's metadata.

        Rejected records and receipts do not change the table for its dependents.
        """
        rows = self.written if self.changed is None else self.changed
        return {"counts": self.as_dict(), "changes_rows": rows > 0}

    def as_dict(self) -> dict[str, int]:
        """Returns the counts as JSON values, with `quarantined`; `from_dict` is the inverse."""
        counts = {name: count for name, count in asdict(self).items() if count is not None}
        return {**counts, "quarantined": self.quarantined}

    @classmethod
    def from_dict(cls, counts: Mapping[str, int]) -> Self:
        """Returns the counts of `as_dict`. A count that is missing is 0; an unknown one is ignored."""
        return cls(**{field.name: counts[field.name] for field in fields(cls) if field.name in counts})
