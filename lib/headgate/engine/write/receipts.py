"""The receipts of a batch (one per upload), its rejected records (one row each), and its counts."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.read.records import Records
from headgate.engine.runtime.materialize import local_rows
from headgate.engine.write.keys import text_key
from headgate.ledger.record_table import (
    COUNTS,
    IS_LIVE,
    IS_RECEIPT,
    KEY,
    MERGE_KEY,
    NOT_WRITTEN,
    RECEIPT,
    RECEIPT_TYPE,
    REJECTED,
    REJECTED_RECORD_TYPE,
    UNPARSABLE,
    UNREADABLE,
    VERDICTS,
    RecordCounts,
)
from headgate.planning.graph import Node
from headgate.table import SOURCE, Merge

#: What happened to records and rows, as `_counted` counts it.
_KINDS = ("read", UNPARSABLE, "rejected", "refused", *VERDICTS)
#: Further counts over the same rows: accepted records, rows of them, and written rows whose key the table has.
_FLAGS = {"accepted": "first", "rows": "row", "replacing": "replacing"}


def receipts_of(records: Records, refused: DataFrame, verdicts: DataFrame) -> DataFrame:
    """Returns one row per upload, also for an empty one: upload, received, `_receipt`, unread and other counts.

    refused: one row per record that a rule of the table rejects. verdicts: as `Batch.verdicts`.
    """
    if records.bronze is None:
        # An `Append` table has several rows per record.
        counted = _counted(records.rows.dropDuplicates([SOURCE]), refused, verdicts)
        joined = counted.withColumns({"received": F.lit(None), "store": F.lit(None), "object": F.lit(None)})
        sent = F.col("n_read")
    else:
        counted = _counted(records.rows, refused, verdicts)
        joined = records.bronze.filter(IS_RECEIPT).join(counted, "upload", "left")
        sent = F.col("receipt.records")
    n = {name: F.coalesce(f"n_{name}", F.lit(0)) for name in (*_KINDS, *_FLAGS)}
    values = {
        **n,
        "records": sent,
        "rejected": n["rejected"] + n["refused"],
        "no_row": n["read"] - n["refused"] - n["accepted"],
    }
    receipt = F.struct("store", "object", *(values[name].alias(name) for name in COUNTS)).cast(RECEIPT_TYPE)
    unread = sent - n["read"] - n[UNPARSABLE] - n["rejected"]
    others = [n[name].alias(name) for name in ("replacing", "refused", "rows")]
    return joined.select("upload", "received", unread.alias("unread"), *others, receipt.alias(RECEIPT))


def _counted(records: DataFrame, refused: DataFrame, verdicts: DataFrame) -> DataFrame:
    """One row per upload that has records: `n_<name>` for each of `_KINDS` and `_FLAGS`."""
    unparsable = is_unparsable()
    kind = F.when(F.col(REJECTED).isNull(), "read").when(unparsable, UNPARSABLE).otherwise("rejected")
    no = F.lit(False)
    replacing = F.col("in_target") & ~F.col("verdict").isin(*NOT_WRITTEN)
    upload = f"{SOURCE}.upload"
    events = records.select(upload, kind.alias("kind"), no.alias("first"), no.alias("replacing"), no.alias("row"))
    events = events.union(refused.select(upload, F.lit("refused"), no, no, no))
    events = events.union(verdicts.select("upload", "verdict", "first", replacing, F.lit(True)))
    return events.groupBy("upload").agg(
        *(F.count_if(F.col("kind") == name).alias(f"n_{name}") for name in _KINDS),
        *(F.count_if(flag).alias(f"n_{name}") for name, flag in _FLAGS.items()),
    )


def is_unparsable() -> Column:
    """Whether a rejected record, or the upload that it stands for, could not be read at all."""
    return F.col(f"{REJECTED}.reasons")[0]["rule"].isin(UNPARSABLE, UNREADABLE)


def totals(receipts: DataFrame) -> RecordCounts:
    """Returns the sums over the rows of `receipts_of`; one Spark job, and none where they are in the plan."""
    numbers = [F.col(f"{RECEIPT}.{name}").alias(name) for name in COUNTS]
    numbers += [F.col("replacing"), F.col("refused"), F.col("rows")]
    numbers += [F.abs("unread").alias("unread"), F.lit(1).cast("bigint").alias("uploads")]
    counted = receipts.select(*numbers)
    rows = local_rows(counted)
    if rows is None:
        rows = counted.agg(*(F.sum(name).alias(name) for name in counted.columns)).collect()
    return RecordCounts.from_dict({name: sum(int(row[name] or 0) for row in rows) for name in counted.columns})


def rejected_by_contract(node: Node, records: Records, shape: DataFrame) -> DataFrame:
    """Returns one row per record that its contract rejects: `_source`, `_rejected`, key, sequence.

    The function never sees such a record. Its key and sequence are those of the contract's columns, where the
    function returns columns of the same names and types (`shape`); else they are null.
    """
    types = {field.name: field.dataType for field in records.rows.schema}

    def same_columns(*names: str) -> bool:
        return all(types.get(name) == shape.schema[name].dataType for name in names)

    key = sequence = F.lit(None)
    if isinstance(writes := node.writes, Merge):
        if same_columns(*writes.keys):
            key = text_key(MERGE_KEY, writes.keys)
        if writes.sequence_by is None:
            sequence = F.col(f"{SOURCE}.received")
        elif same_columns(writes.sequence_by):
            sequence = F.col(writes.sequence_by)
    rejected = records.rows.filter(f"{REJECTED} IS NOT NULL")
    return rejected.select(SOURCE, REJECTED, key.alias("key"), sequence.alias("sequence"))


def with_refused(node: Node, rejected: DataFrame, refused: DataFrame, bronze: DataFrame) -> DataFrame:
    """Returns `rejected` with the records that a rule of the table rejects. Bronze is read again for their raw text."""
    # A row of an `Append` table has a key; its record has none.
    is_merge = isinstance(node.writes, Merge)
    key, sequence = (F.col(KEY), F.col(f"{SOURCE}.sequence")) if is_merge else (F.lit(None), F.lit(None))
    by_rules = refused.select(f"{SOURCE}.*", key.alias("key"), sequence.alias("_sequence"), "_reasons")
    raw = bronze.filter(IS_LIVE).select("upload", "record", "raw", "raw_encoding")
    body = F.struct("raw", "raw_encoding", F.col("_reasons").alias("reasons")).cast(REJECTED_RECORD_TYPE)
    source = F.struct("upload", "received", "record").alias(SOURCE)
    records = by_rules.join(raw, ["upload", "record"]).select(source, body.alias(REJECTED), "key", "_sequence")
    return rejected.union(records)


def none_rejected(records: Records) -> DataFrame:
    """Returns an empty frame with the columns of `rejected_by_contract`."""
    none = F.lit(None)
    return records.rows.select(SOURCE, REJECTED, none.alias("key"), none.alias("sequence")).limit(0)
