"""What is common to the writes that are fed by `Changes`: records judged one by one, counted by upload, and kept.

Everything that a run says about a record is in one commit: its rows (`live`), the record itself where it is
`rejected` (the quarantine), and one `receipt` an upload. A table fed by another `Append` table has neither of the
last two: its records were judged there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.engine.delta.commit import began
from headgate.engine.gate import gate
from headgate.engine.gate.marks import Marks
from headgate.engine.read.changes import live, read_changes
from headgate.engine.read.function import is_row_by_row, may_multiply
from headgate.engine.read.output_schema import indexed_columns, require_contract, require_same_or_added
from headgate.engine.read.snapshots import snapshots
from headgate.engine.read.typed_records import SOURCE_FIELDS, typed, typed_schema
from headgate.engine.write.outcome import Job, Outcome
from headgate.errors import BatchRefused
from headgate.ledger.ledger import Commit
from headgate.ledger.metadata import facts_of
from headgate.ledger.record_table import (
    COUNTS,
    IS_LIVE,
    IS_RECEIPT,
    KEY,
    MERGE_KEY,
    NOT_WRITTEN,
    RECEIPT,
    RECEIPT_TYPE,
    RECORD_KEY,
    REJECTED,
    REJECTED_RECORD_TYPE,
    REJECTED_TYPE,
    STATE,
    UNPARSABLE,
    UPLOAD_KEY,
    VERDICTS,
    RecordCounts,
    State,
)
from headgate.table import SOURCE, Changes, Merge

_BROADCAST_ROWS = 100_000


@dataclass(frozen=True)
class Feed:
    """What is new, for the function's `parameter`.

    nothing: an empty frame of what the function is given. records: computes and stages the typed records (the
    columns, `_source`, `_rejected`). bronze: the rows of bronze; None where the records are an `Append` table's.
    """

    parameter: str
    nothing: DataFrame
    records: Callable[[], DataFrame]
    bronze: DataFrame | None


#: Gives of a function's rows those that no rule rejects, placed.
Sound = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Batch:
    """A judged batch, staged.

    rows: the accepted records' rows: business columns, `_key`, `_source`, `_state`.
    verdicts: one row for each of them: upload, record, first (of its record), verdict, held (the target has the key).
    rejected: one row a rejected record: `_source`, `_rejected`, and where they can be told its `key` and `sequence`.
    receipts: one row an upload.
    """

    rows: DataFrame
    verdicts: DataFrame
    rejected: DataFrame
    receipts: DataFrame
    counts: RecordCounts


def read_feed(job: Job) -> Feed:
    """The records that the run is to take in."""
    parameter, read = changes_of(job)
    rows = read_changes(job.session, job.environment.table_uri(read.table), job.work.sources[read.table])
    return feed_of(job, parameter, read, rows)


def changes_of(job: Job) -> tuple[str, Changes]:
    """The parameter that is given new records, and the read that gives them."""
    return next((name, read) for name, read in job.node.reads.items() if isinstance(read, Changes))


def feed_of(job: Job, parameter: str, read: Changes, rows: DataFrame) -> Feed:
    """Rows of the table that a read by `Changes` names, as typed records."""
    sent = rows.filter(IS_LIVE)
    if read.table.startswith("bronze."):
        contract = job.graph.contract_of(read.table)
        nothing = job.session.createDataFrame([], typed_schema(contract))
        return Feed(parameter, nothing, lambda: job.stages.stage(typed(sent, contract)), rows)
    columns = live(rows).columns
    source = F.struct(*(F.col(f"_source.{name}").alias(name) for name in SOURCE_FIELDS))
    none = F.lit(None).cast(REJECTED_RECORD_TYPE)
    records = sent.select(*columns, source.alias(SOURCE), none.alias(REJECTED))
    nothing = job.session.createDataFrame([], records.drop("_rejected").schema)
    return Feed(parameter, nothing, lambda: job.stages.stage(records), None)


def judge(
    job: Job,
    feed: Feed,
    place: Callable[[DataFrame], DataFrame],
    verdicts: Callable[[DataFrame, Sound], DataFrame],
    *,
    one_row_a_record: bool,
) -> Batch:
    """Everything that is known of the batch before its commit.

    `place` gives the function's rows `_key`, `_source` and `_state`; `verdicts` judges what no rule rejects.
    Records are computed once, and so are rows, unless each is but a record in other columns, and no suite counts them.
    """
    beside = snapshots(job)
    shape = job.function.check(job.session, {feed.parameter: feed.nothing, **beside})
    require_contract(shape, job.contract, job.node)
    require_same_or_added(shape, job.work, job.node, job.committer.ledger)
    records = feed.records()
    accepted = records.filter("_rejected IS NULL").drop("_rejected")
    marks = gate.marks_of(job, shape)
    placed = marks.on(place(job.function(**{feed.parameter: accepted}, **beside)))
    if job.suite or not is_row_by_row(shape):
        placed = job.stages.stage(placed)
    if one_row_a_record and (feed.bronze is None or may_multiply(shape)):  # an `Append` table has many rows a record
        gate.require_one_row_a_record(placed, job.node)
    rows, refused = _divided(marks, placed, one_row_a_record=one_row_a_record)
    judged = job.stages.stage(verdicts(rows, lambda given: marks.sound(place(given))))
    receipts = job.stages.stage(_receipts(feed.bronze, records, refused, judged))
    counts = _totals(receipts)
    gate.require_balance(counts, job.node)
    by_rules = refused if counts.refused else None
    if feed.bronze is None:
        gate.require_all_placed(by_rules, job.node)
        batch = Batch(rows, judged, _no_rejected(records), receipts.limit(0), replace(counts, uploads=0))
    else:
        rejected = _rejected_by_contract(job, records, shape)
        if by_rules is not None:
            rejected = _with_refused(job, rejected, by_rules, feed.bronze)
        batch = Batch(rows, judged, rejected, receipts, counts)
    new = counts.inserted + counts.updated
    gate.require_quality(job, marks, placed, winners(batch).filter(IS_LIVE) if new else None)
    return batch


def _divided(marks: Marks, placed: DataFrame, *, one_row_a_record: bool) -> tuple[DataFrame, DataFrame]:
    """The rows of records that no rule rejects; and each rejected record, once: `_source`, `_key`, `_reasons`."""
    sound, failing = marks.off(placed.filter(~marks.rejects)), placed.filter(marks.rejects)
    refused = failing.select("_source", "_key", marks.reasons.alias("_reasons"))
    if one_row_a_record or not marks.rejecting:
        return sound, refused
    record = F.struct("_source.upload", "_source.received", "_source.record")
    reasons = F.array_sort(F.array_distinct(F.flatten(F.collect_list("_reasons"))))
    key = F.lit(None).cast("string")  # it is a row that has one, not a record
    refused = refused.groupBy(record.alias("_source")).agg(key.alias("_key"), reasons.alias("_reasons"))
    whole = F.broadcast(refused.select(F.col("_source").alias("_refused")))
    return sound.join(whole, record == F.col("_refused"), "left_anti"), refused


def winners(batch: Batch) -> DataFrame:
    """The rows that are to be written: all but the superseded and the unchanged."""
    count = batch.counts.not_written
    if count == 0:
        return batch.rows
    lost = batch.verdicts.filter(F.col("verdict").isin(*NOT_WRITTEN))
    lost = lost.select(F.struct("upload", "record").alias("_lost"))
    if count <= _BROADCAST_ROWS:
        lost = F.broadcast(lost)  # Spark does not know how few they are, and would shuffle every row
    return batch.rows.join(lost, F.struct("_source.upload", "_source.record") == F.col("_lost"), "left_anti")


def text_key(prefix: str, columns: tuple[str, ...]) -> Column:
    """A row's `_key`: a JSON array keeps two columns from running into each other. Null where one of them is null."""
    text = F.concat(F.lit(prefix), F.to_json(F.array(*(F.col(name).cast("string") for name in columns))))
    return F.when(reduce(and_, (F.col(name).isNotNull() for name in columns)), text)


def _receipts(bronze: DataFrame | None, records: DataFrame, refused: DataFrame, verdicts: DataFrame) -> DataFrame:
    """One row an upload, an empty one too: its counts by what became of each record."""
    if bronze is None:
        records = records.dropDuplicates(["_source"])  # an `Append` table has many rows a record
    counted = _counted(records, refused, verdicts)
    if bronze is None:
        joined = counted.withColumns({"received": F.lit(None), "store": F.lit(None), "object": F.lit(None)})
        sent = F.col("n_read")
    else:
        joined = bronze.filter(IS_RECEIPT).join(counted, "upload", "left")
        sent = F.col("receipt.records")
    n = {k: F.coalesce(f"n_{k}", F.lit(0)) for k in _EVENTS}
    values: dict[str, Column] = {
        "records": sent,
        UNPARSABLE: n[UNPARSABLE],
        "rejected": n["rejected"] + n["refused"],
        "no_row": n["read"] - n["refused"] - n["accepted"],
        "accepted": n["accepted"],
        **{v: n[v] for v in VERDICTS},
    }
    unread = sent - n["read"] - n[UNPARSABLE] - n["rejected"]
    counts = [values[name].alias(name) for name in COUNTS]
    receipt = F.struct("store", "object", *counts).cast(RECEIPT_TYPE).alias(RECEIPT)
    beside = [n[name].alias(name) for name in ("held", "refused", "rows")]
    return joined.select("upload", "received", unread.alias("unread"), *beside, receipt)


_EVENTS = ("read", UNPARSABLE, "rejected", "refused", "accepted", "rows", "held", *VERDICTS)


def _counted(records: DataFrame, refused: DataFrame, verdicts: DataFrame) -> DataFrame:
    """One row an upload that has records: `n_<event>` for each kind of event."""
    unparsable = F.col("_rejected.reasons")[0]["rule"] == UNPARSABLE
    kind = F.when(F.col("_rejected").isNull(), "read").when(unparsable, UNPARSABLE).otherwise("rejected")
    no = F.lit(False)
    replaces = F.col("held") & ~F.col("verdict").isin(*NOT_WRITTEN)
    events = records.select("_source.upload", kind.alias("kind"), no.alias("first"), no.alias("held"), no.alias("row"))
    events = events.union(refused.select("_source.upload", F.lit("refused"), no, no, no))
    events = events.union(verdicts.select("upload", "verdict", "first", replaces, F.lit(True)))
    kinds = ("read", UNPARSABLE, "rejected", "refused", *VERDICTS)
    flags = {"accepted": "first", "rows": "row", "held": "held"}
    return events.groupBy("upload").agg(
        *(F.count_if(F.col("kind") == k).alias(f"n_{k}") for k in kinds),
        *(F.count_if(flag).alias(f"n_{name}") for name, flag in flags.items()),
    )


def _totals(receipts: DataFrame) -> RecordCounts:
    """The counts of all uploads; with `uploads`, `rows`, `held` (winners whose key is there), `unread` (must be 0)."""
    sums = [F.sum(f"_receipt.{name}").alias(name) for name in COUNTS]
    beside = [F.sum(name).alias(name) for name in ("held", "refused", "rows")]
    beside += [F.sum(F.abs("unread")).alias("unread"), F.count("*").alias("uploads")]
    row = receipts.agg(*sums, *beside).collect()[0]
    return RecordCounts.from_dict({name: int(value or 0) for name, value in row.asDict().items()})


def _rejected_by_contract(job: Job, records: DataFrame, shape: DataFrame) -> DataFrame:
    """The records that their contract rejects, as `Batch.rejected`.

    The function was never called on them: their key and sequence are told where it gives columns of those names and
    types, taken to be the contract's.
    """

    def told(names: tuple[str, ...]) -> bool:
        given = {field.name: field.dataType for field in records.schema}
        return all(given.get(name) == shape.schema[name].dataType for name in names)

    key = sequence = F.lit(None)
    if isinstance(writes := job.node.writes, Merge):
        key = text_key(MERGE_KEY, writes.keys) if told(writes.keys) else key
        if writes.sequence_by is None:
            sequence = F.col("_source.received")
        elif told((writes.sequence_by,)):
            sequence = F.col(writes.sequence_by)
    rejected = records.filter("_rejected IS NOT NULL")
    return rejected.select("_source", "_rejected", key.alias("key"), sequence.alias("sequence"))


def _with_refused(job: Job, rejected: DataFrame, refused: DataFrame, bronze: DataFrame) -> DataFrame:
    """`rejected` and the records whose rows their table rejects; bronze is read again for their raw text."""
    is_merge = isinstance(job.node.writes, Merge)  # of an `Append` table it is a row that has a key, not a record
    key, sequence = (F.col("_key"), F.col("_source.sequence")) if is_merge else (F.lit(None), F.lit(None))
    by_rules = refused.select("_source.*", key.alias("key"), sequence.alias("_sequence"), "_reasons")
    raw = bronze.filter(IS_LIVE).select("upload", "record", "raw", "raw_encoding")
    body = F.struct("raw", "raw_encoding", F.col("_reasons").alias("reasons")).cast(REJECTED_RECORD_TYPE)
    source = F.struct("upload", "received", "record")
    found = by_rules.join(raw, ["upload", "record"])
    return rejected.union(found.select(source.alias("_source"), body.alias("_rejected"), "key", "_sequence"))


def _no_rejected(records: DataFrame) -> DataFrame:
    none = F.lit(None)
    return records.select("_source", "_rejected", none.alias("key"), none.alias("sequence")).limit(0)


def all_states(job: Job, winners: DataFrame, batch: Batch) -> DataFrame:
    """Live rows, tombstones, rejected records and receipts as rows of one schema."""
    source = winners.schema["_source"].dataType.simpleString()  # as text: every part of it may be null
    none, run = F.lit(None), job.committer.run
    first = F.lit(run).alias("run"), F.lit(began(run)).alias("first_seen")
    rejected = batch.rejected.select(
        text_key(RECORD_KEY, ("_source.upload", "_source.record")).alias(KEY),
        F.struct("_source.*", "sequence").cast(source).alias("_source"),
        F.lit(State.REJECTED.value).alias(STATE),
        F.struct("_rejected.*", "key", *first).cast(REJECTED_TYPE).alias(REJECTED),
    )
    receipts = batch.receipts.select(
        F.concat(F.lit(UPLOAD_KEY), "upload").alias(KEY),
        F.struct("upload", "received", none.alias("record"), none.alias("sequence")).cast(source).alias("_source"),
        F.lit(State.RECEIPT.value).alias(STATE),
        RECEIPT,
    )
    rows = winners.withColumn(REJECTED, none.cast(REJECTED_TYPE)).withColumn(RECEIPT, none.cast(RECEIPT_TYPE))
    return rows.unionByName(rejected, allowMissingColumns=True).unionByName(receipts, allowMissingColumns=True)


def commit_rows(job: Job, rows: DataFrame, batch: Batch, partition_by: Sequence[str]) -> Commit:
    """Appends `rows`, those of all states, or replaces the whole table by them. They were judged as they were staged.

    Nothing to write is a commit that moves the position, without a Spark job.
    """
    facts = facts_of(batch.counts)
    if not job.work.whole and not _all_written(batch.counts):
        return job.committer.advance(rows.schema, **facts)
    columns = [STATE, *partition_by]
    spread = rows.hint("rebalance", *columns)
    if not job.work.whole:
        with job.committer.writing(spread) as files:
            pass
        return job.committer.append(files, **facts)
    indexed = ",".join([KEY, "_source.upload", *indexed_columns(batch.rows.drop(KEY), columns)])
    properties = {"delta.dataSkippingStatsColumns": indexed}
    with job.committer.writing(spread, columns, properties) as files:
        pass
    return job.committer.overwrite(files, columns, properties, **facts)


def outcome_of(counts: RecordCounts, commit: Commit, written: int | None = None) -> Outcome:
    """Returns the outcome of a batch's commit, which wrote so many rows: by default those of its verdicts."""
    rows = counts.written if written is None else written
    return Outcome(commit.version, counts.records, rows, counts.quarantined, counts.as_dict())


def check_metrics(job: Job, counts: RecordCounts, commit: Commit) -> None:
    """Raises BatchRefused where Delta wrote another number of rows than the verdicts say."""
    if commit.operation == "MERGE":
        new = _all_written(counts) - counts.held
        expected = {"numTargetRowsInserted": new, "numTargetRowsUpdated": counts.held}
    else:
        expected = {"numOutputRows": _all_written(counts)}
    require_metrics(job, commit, expected)


def _all_written(counts: RecordCounts) -> int:
    """The rows of all states: live rows and tombstones, rejected records, receipts."""
    return counts.written + counts.quarantined + counts.uploads


def require_metrics(job: Job, commit: Commit, expected: Mapping[str, int]) -> None:
    """Raises BatchRefused where Delta counted other rows in the commit."""
    told = {name: int(commit.metrics.get(name, -1)) for name in expected}
    if told != expected:
        raise BatchRefused(
            f"version {commit.version} holds other rows than were judged: {told}, not {expected}",
            where=job.node.name,
            fix="report this with the counts; headgate history shows the commit",
        )
