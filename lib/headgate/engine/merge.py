"""`Merge`: the newest version of a key wins, and all that a run says about a record is in one commit.

The table's `_state` tells its rows apart: `live`, `deleted` (tombstones, so that a late older row cannot
bring a key back), `rejected` (the quarantine) and `receipt` (one an upload). A row's order is the tuple
(sequence, received, upload, record); the greater tuple replaces, whatever its content.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from headgate.engine import gate
from headgate.engine.function import may_multiply
from headgate.engine.outcome import Job, Outcome
from headgate.engine.reads import read_at, read_changes
from headgate.engine.schema import indexed_columns, require_same_or_added
from headgate.engine.typed import REJECTED, UNPARSABLE, typed, typed_schema
from headgate.errors import BatchRefused
from headgate.ledger import Commit
from headgate.table import Merge

VERDICTS = ("inserted", "updated", "deleted", "superseded", "unchanged")
COUNTS = ("records", UNPARSABLE, "rejected", "no_row", "accepted", *VERDICTS)
_RECEIPT = f"struct<store: string, object: string, {', '.join(f'{name}: bigint' for name in COUNTS)}>"
_ORDER = ("sequence", "received", "upload", "record")
_LOST = ("superseded", "unchanged")
_BROADCAST_ROWS = 100_000


@dataclass(frozen=True)
class Batch:
    """A judged batch, staged.

    rows: one row an accepted record that gave one: business columns, `_key`, `_source`, `_state`.
    verdicts: one row for each of them: upload, record, verdict, held (the target has the key).
    rejected: one row a rejected record. receipts: one row an upload.
    """

    rows: DataFrame
    verdicts: DataFrame
    rejected: DataFrame
    receipts: DataFrame
    counts: dict[str, int]
    within: Callable[[str], Column]  # a literal condition on the target, its columns under a prefix


def build_merge(job: Job) -> Outcome:
    """Merges what is new in bronze. Raises BatchRefused, with the target untouched, where the gate refuses it."""
    source = job.node.sources[0]
    bronze = read_changes(job.session, job.environment.table_uri(source), job.work.sources[source])
    contract, parameter = job.graph.contract_of(source), next(iter(job.node.reads))
    nothing = job.session.createDataFrame([], typed_schema(contract))
    shape = job.function.check(job.session, {parameter: nothing})
    require_same_or_added(shape, job.work, job.node, job.committer.ledger)
    records = typed(bronze.filter("_state = 'live'"), contract, job.stages.stage)
    batch = _judge(job, bronze, records, shape)
    commit = _commit(job, batch)
    _check_metrics(job, batch.counts, commit)
    counts = batch.counts
    written = counts["inserted"] + counts["updated"] + counts["deleted"]
    return Outcome(commit.version, counts["records"], written, counts["quarantined"], counts)


def _judge(job: Job, bronze: DataFrame, records: DataFrame, shape: DataFrame) -> Batch:
    """Everything that is known of the batch before its commit. `shape` is the function's plan over nothing.

    Records and rows are computed once each, and whole: an error on a row comes here, not in the middle of a write.
    """
    parameter = next(iter(job.node.reads))
    accepted = job.function(**{parameter: records.filter("_rejected IS NULL").drop("_rejected")})
    placed = job.stages.stage(_placed(accepted, job.node.writes))
    if may_multiply(shape):
        gate.require_one_row_a_record(placed, job.node)
    rows = placed.filter("size(_reasons) = 0").drop("_reasons")
    within = _within_keys(rows)
    verdicts = job.stages.stage(_verdicts(job, rows, within))
    keyless = placed.filter("size(_reasons) > 0").select("_source", "_reasons")
    receipts = job.stages.stage(_receipts(bronze, records, keyless, verdicts))
    counts = _totals(receipts)
    gate.require_balance(counts, job.node)
    rejected = _rejected(records, keyless if counts["keyless"] else None, bronze)
    return Batch(rows, verdicts, rejected, receipts, counts, within)


def _placed(rows: DataFrame, writes: Any) -> DataFrame:
    """The function's rows with their key, order and state, and the reasons why one cannot be placed."""
    business = [name for name in rows.columns if name != "_source"]
    sequence = F.col(writes.sequence_by) if writes.sequence_by else F.col("_source.received")
    order = {"upload": "_source.upload", "received": "_source.received", "record": "_source.record"}
    deleted = F.coalesce(F.expr(writes.delete_when), F.lit(False)) if writes.delete_when else F.lit(False)
    return rows.select(
        *business,
        _text_key("k:", writes.keys).alias("_key"),
        F.struct(*(F.col(path).alias(name) for name, path in order.items()), sequence.alias("sequence")).alias(
            "_source"
        ),
        F.when(deleted, "deleted").otherwise("live").alias("_state"),
        gate.keyless(writes).alias("_reasons"),
    )


def _text_key(prefix: str, columns: tuple[str, ...]) -> Column:
    """A row's `_key`: a JSON array keeps two columns from running into each other."""
    return F.concat(F.lit(prefix), F.to_json(F.array(*(F.col(name).cast("string") for name in columns))))


def _verdicts(job: Job, rows: DataFrame, within: Callable[[str], Column]) -> DataFrame:
    """What becomes of each row: the newest of its key in the batch against what the target holds."""
    order = F.struct(*(F.col(f"_source.{name}") for name in _ORDER))
    newest_first = Window.partitionBy("_key").orderBy(F.col("_order").desc())
    narrow = rows.select("_key", order.alias("_order"), "_state")
    ranked = narrow.withColumn("_rank", F.row_number().over(newest_first))
    if job.work.whole:
        against = ranked.withColumn("_held", F.lit(None).cast(narrow.schema["_order"].dataType))
    else:
        against = ranked.join(_held(job, within, order), "_key", "left")
    verdict = (
        F.when((F.col("_rank") > 1) | (F.col("_held") > F.col("_order")), "superseded")
        .when(F.col("_state") == "deleted", "deleted")
        .when(F.col("_held").isNull(), "inserted")
        .otherwise("updated")
    )
    held = F.col("_held").isNotNull()
    return against.select("_order.upload", "_order.record", verdict.alias("verdict"), held.alias("held"))


def _held(job: Job, within: Callable[[str], Column], order: Column) -> DataFrame:
    """The target's keys and orders, of the files that can hold a key of the batch."""
    target = read_at(job.session, job.work.head.uri, job.work.head.version)
    return target.filter(within("")).select("_key", order.alias("_held"))


def _within_keys(rows: DataFrame) -> Callable[[str], Column]:
    """A literal condition on the target: rows by key, between the batch's least and greatest key.

    A MERGE does not prune files by its source's values; by literals it does.
    """
    least, greatest = rows.agg(F.min("_key"), F.max("_key")).collect()[0]

    def within(prefix: str) -> Column:
        state, key = F.col(f"{prefix}_state"), F.col(f"{prefix}_key")
        return state.isin("live", "deleted") & key.between(F.lit(least), F.lit(greatest))

    return within


def _receipts(bronze: DataFrame, records: DataFrame, keyless: DataFrame, verdicts: DataFrame) -> DataFrame:
    """One row an upload, an empty one too: its counts by what became of each record."""
    unparsable = F.col("_rejected.reasons")[0]["rule"] == UNPARSABLE
    kind = F.when(F.col("_rejected").isNull(), "read").when(unparsable, UNPARSABLE).otherwise("rejected")
    replaces = F.col("held") & ~F.col("verdict").isin(*_LOST)
    events = records.select("_source.upload", kind.alias("kind"), F.lit(False).alias("replaces"))
    events = events.union(keyless.select("_source.upload", F.lit("keyless"), F.lit(False)))
    events = events.union(verdicts.select("upload", "verdict", replaces))
    kinds = ("read", UNPARSABLE, "rejected", "keyless", *VERDICTS)
    counted = events.groupBy("upload").agg(
        *(F.count_if(F.col("kind") == k).alias(f"n_{k}") for k in kinds), F.count_if("replaces").alias("held")
    )
    joined = bronze.filter("_state = 'receipt'").join(counted, "upload", "left")
    n = {k: F.coalesce(f"n_{k}", F.lit(0)) for k in kinds}
    accepted = reduce(lambda a, b: a + b, (n[verdict] for verdict in VERDICTS))
    sent = F.col("receipt.records")
    values = {
        "records": sent, UNPARSABLE: n[UNPARSABLE], "rejected": n["rejected"] + n["keyless"],
        "no_row": n["read"] - n["keyless"] - accepted, "accepted": accepted, **{v: n[v] for v in VERDICTS},
    }  # fmt: skip
    unread = sent - n["read"] - n[UNPARSABLE] - n["rejected"]
    counts = [values[name].alias(name) for name in COUNTS]
    receipt = F.struct("store", "object", *counts).cast(_RECEIPT).alias("_receipt")
    return joined.select("upload", "received", unread.alias("unread"), "held", n["keyless"].alias("keyless"), receipt)


def _totals(receipts: DataFrame) -> dict[str, int]:
    """The counts of all uploads, with `unread` (must be 0), `uploads`, and `held`: winners whose key is there."""
    sums = [F.sum(f"_receipt.{name}").alias(name) for name in COUNTS]
    beside = [F.sum(name).alias(name) for name in ("held", "keyless")]
    beside += [F.sum(F.abs("unread")).alias("unread"), F.count("*").alias("uploads")]
    row = receipts.agg(*sums, *beside).collect()[0]
    counts = {name: int(value or 0) for name, value in row.asDict().items()}
    return {**counts, "quarantined": counts["rejected"] + counts[UNPARSABLE]}


def _rejected(records: DataFrame, keyless: DataFrame | None, bronze: DataFrame) -> DataFrame:
    """One row a rejected record, with its raw text and every reason. Bronze is read again for `keyless` only."""
    by_contract = records.filter("_rejected IS NOT NULL").select("_source", "_rejected")
    if keyless is None:
        return by_contract
    raw = bronze.filter("_state = 'live'").select("upload", "record", "raw", "raw_encoding")
    joined = keyless.select("_source.*", "_reasons").join(raw, ["upload", "record"])
    body = F.struct("raw", "raw_encoding", F.col("_reasons").alias("reasons")).cast(REJECTED)
    by_table = joined.select(F.struct("upload", "received", "record").alias("_source"), body.alias("_rejected"))
    return by_contract.union(by_table)


def _commit(job: Job, batch: Batch) -> Commit:
    """The target's one commit: rows, tombstones, rejected records, receipts, position."""
    rows = _all_states(_winners(batch), batch)
    facts = {"counts": batch.counts, "changes_rows": _changes_rows(batch.counts)}
    partition_by = ["_state", *_writes(job).partition_by]
    spread = rows.hint("rebalance", *partition_by)
    if job.work.whole:
        indexed = ",".join(["_key", "_source.upload", *indexed_columns(batch.rows.drop("_key"), partition_by)])
        return job.committer.overwrite(spread, partition_by, {"delta.dataSkippingStatsColumns": indexed}, **facts)
    if batch.counts["held"] == 0:
        return job.committer.append(spread, **facts)
    return _merge(job, rows, batch, facts)


def _merge(job: Job, rows: DataFrame, batch: Batch, facts: dict[str, Any]) -> Commit:
    """One equi-join by key: matched rows are updated, new ones, rejected records and receipts inserted."""
    inside = batch.within("target.")
    with job.committer.merging(**facts) as session:
        target = DeltaTable.forPath(session, job.work.head.uri).alias("target")
        merge = target.merge(rows.alias("batch"), inside & (F.col("target._key") == F.col("batch._key")))
        merge.withSchemaEvolution().whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    return job.committer.committed()


def _winners(batch: Batch) -> DataFrame:
    """The rows that are to be written: all but the superseded and the unchanged."""
    count = sum(batch.counts[verdict] for verdict in _LOST)
    if count == 0:
        return batch.rows
    lost = batch.verdicts.filter(F.col("verdict").isin(*_LOST))
    lost = lost.select(F.struct("upload", "record").alias("_lost"))
    if count <= _BROADCAST_ROWS:
        lost = F.broadcast(lost)  # Spark does not know how few they are, and would shuffle every row
    return batch.rows.join(lost, F.struct("_source.upload", "_source.record") == F.col("_lost"), "left_anti")


def _all_states(winners: DataFrame, batch: Batch) -> DataFrame:
    """Live rows, tombstones, rejected records and receipts as rows of one schema."""
    source = winners.schema["_source"].dataType
    none = F.lit(None)
    rejected = batch.rejected.select(
        _text_key("r:", ("_source.upload", "_source.record")).alias("_key"),
        F.struct("_source.*", none.alias("sequence")).cast(source).alias("_source"),
        F.lit("rejected").alias("_state"),
        "_rejected",
    )
    receipts = batch.receipts.select(
        F.concat(F.lit("u:"), "upload").alias("_key"),
        F.struct("upload", "received", none.alias("record"), none.alias("sequence")).cast(source).alias("_source"),
        F.lit("receipt").alias("_state"),
        "_receipt",
    )
    rows = winners.withColumn("_rejected", none.cast(REJECTED)).withColumn("_receipt", none.cast(_RECEIPT))
    return rows.unionByName(rejected, allowMissingColumns=True).unionByName(receipts, allowMissingColumns=True)


def _changes_rows(counts: dict[str, int]) -> bool:
    """Whether live rows change. Receipts and rejected records are no work for dependents."""
    return any(counts[verdict] for verdict in ("inserted", "updated", "deleted"))


def _check_metrics(job: Job, counts: dict[str, int], commit: Commit) -> None:
    """Holds what Delta says it wrote against the verdicts."""
    beside = counts["quarantined"] + counts["uploads"]
    winners = counts["inserted"] + counts["updated"] + counts["deleted"]
    if commit.operation == "MERGE":
        expected = {"numTargetRowsInserted": winners - counts["held"] + beside, "numTargetRowsUpdated": counts["held"]}
    else:
        expected = {"numOutputRows": winners + beside}
    told = {name: int(commit.metrics.get(name, -1)) for name in expected}
    if told != expected:
        raise BatchRefused(
            f"version {commit.version} holds other rows than were judged: {told}, not {expected}",
            where=job.node.name,
            fix="report this with the counts; headgate history shows the commit",
        )


def _writes(job: Job) -> Merge:
    if not isinstance(job.node.writes, Merge):
        raise TypeError(f"{job.node.name} is not written by Merge")
    return job.node.writes
