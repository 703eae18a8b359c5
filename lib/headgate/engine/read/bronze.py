"""Bronze: each landed upload's records as they were sent, and one receipt per upload.

An upload that cannot be split into records is one row in the state `unreadable`: its bytes as they landed, the problem,
and in `receipt` how many records it has where they can be counted. Its receipt row counts it as one record. So is an
upload that ends the Python worker that splits it, for example for its memory: the other uploads go on.

Python tasks take bin-packed lists of objects, fetch them, and write bronze's files themselves, so that
20,000 small uploads need a few tasks, invalid UTF-8 is handled, and no record passes
through the JVM. The tasks return only file names and statistics, for one commit. A task that is tried
again leaves files that no commit names.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
from obstore.store import ObjectStore
from pyspark.sql import SparkSession

from headgate import faults
from headgate.contracts.contract import Contract
from headgate.contracts.environment import Environment, table_path
from headgate.engine.delta.files import Files, NewFile
from headgate.engine.runtime.platform_errors import worker_died
from headgate.formats.records import Layout, Record, layout_of, split
from headgate.lake.landing import Landed, received_at
from headgate.ledger.record_table import STATE, State
from headgate.planning.plan import UNKNOWN_SIZE

log = logging.getLogger(__name__)

PARTITION_BY = ["dt", STATE]
_INDEXED = ("upload", "received", "record")
PROPERTIES = {
    # Raw text stays out of the statistics: it would be copied into the log.
    "delta.dataSkippingStatsColumns": ",".join(_INDEXED),
    # Spark's default; the default of deltalake is 100 commits.
    "delta.checkpointInterval": "10",
}

_RECEIPT = pa.struct([("bytes", pa.int64()), ("sha256", pa.string()), ("records", pa.int64())])
_FIELDS = [
    ("upload", pa.string()),
    ("store", pa.string()),
    ("object", pa.string()),
    ("received", pa.timestamp("us", tz="UTC")),
    ("record", pa.int64()),
    ("raw", pa.string()),
    ("raw_encoding", pa.string()),
    ("problem", pa.string()),
    ("receipt", _RECEIPT),
]
_FILE = pa.schema(_FIELDS)
SCHEMA = pa.schema([*_FIELDS, ("dt", pa.date32()), (STATE, pa.string())])
_UPLOAD = ("upload", "store", "object", "received")
_REPEATING = [name for name, _ in _FIELDS if name not in ("record", "raw", "receipt")]

#: The problem of an upload that is kept whole because its split ended a worker; `unreadable` does not split it again.
NOT_SPLIT = "not split: "
_WORKER_DIED = f"{NOT_SPLIT}the Python worker that read it ended, probably for its memory: send it in parts"

_BIN_BYTES = 32 * 2**20
_BIN_OBJECTS = 500
_MAX_BINS_BY_COUNT = 64
_BATCH_BYTES = 8 * 2**20


def write_landed(
    session: SparkSession, environment: Environment, contract: Contract, table: str, landed: Iterable[Landed]
) -> list[NewFile]:
    """Writes files of `table`: one row per record or unreadable upload, and one receipt per upload; does not commit.

    Raises where an object cannot be fetched.
    """
    task = partial(_write_uploads, environment, table_path(table), layout_of(contract))
    landed = list(landed)
    log.info("%s: reading %d uploads, %.1f MB", table, len(landed), sum(map(_size, landed)) / 1e6)
    return _write(session, task, landed) if landed else []


def _write(session: SparkSession, task: Callable[..., list[NewFile]], landed: Sequence[Landed]) -> list[NewFile]:
    """The files of all uploads. Of those that end a worker, found by halving, each is written as it landed."""
    bins = pack(landed)
    try:
        return session.sparkContext.parallelize(bins, len(bins)).flatMap(task).collect()
    except Exception as error:
        if not worker_died(error):
            raise
    if len(landed) == 1:
        log.warning("%s: %s", landed[0].upload, _WORKER_DIED)
        return session.sparkContext.parallelize(bins, 1).flatMap(partial(task, split_them=False)).collect()
    log.warning("a Python worker ended while it split %d uploads: they are read again in two halves", len(landed))
    half = len(landed) // 2
    return _write(session, task, landed[:half]) + _write(session, task, landed[half:])


def _write_uploads(
    environment: Environment, folder: str, layout: Layout, landed: Iterable[Landed], *, split_them: bool = True
) -> list[NewFile]:
    """Writes the rows of some uploads in a task."""
    store = environment.object_store()
    files = Files(store, folder, _FILE, indexed=_INDEXED, repeating=_REPEATING)
    for item in landed:
        _write_upload(store, layout if split_them else None, item, files)
    return files.close()


def pack(landed: Sequence[Landed]) -> list[list[Landed]]:
    """The objects in bins of about 32 MiB or 500 objects; at most 64 bins unless their bytes ask for more.

    Neighbours by path stay together, so that a bin touches few days.
    """
    size = sum(_size(item) for item in landed)
    count = max(-(-size // _BIN_BYTES), min(_MAX_BINS_BY_COUNT, -(-len(landed) // _BIN_OBJECTS)), 1)
    share = size / count
    bins: list[list[Landed]] = [[]]
    filled = 0.0
    for item in landed:
        if bins[-1] and filled >= share * len(bins) and len(bins) < count:
            bins.append([])
        bins[-1].append(item)
        filled += _size(item)
    return bins


def _size(item: Landed) -> int:
    """The weight of an object in a bin: its bytes, plus the fixed cost of a fetch."""
    return (item.size if item.size is not None else UNKNOWN_SIZE) + 2048


def _write_upload(store: ObjectStore, layout: Layout | None, item: Landed, files: Files) -> None:
    """Adds the rows of an upload to `files`; without a layout it is not split."""
    import obstore

    result = obstore.get(store, item.path)
    received = received_at(result.attributes, result.meta["last_modified"])
    body = bytes(result.bytes())
    base = {"upload": item.upload, "store": item.store, "object": item.path, "received": received}
    day = _day(item.path)
    records: Iterable[Record] = (Record(body, _WORKER_DIED, whole=True),)
    if layout is not None:
        faults.point(f"splitting:{item.upload}")
        records = split(body, layout, gzipped=is_gzip(item.path, body))
    for state, batch in record_batches(base, body, records):
        files.add({"dt": day, STATE: state.value}, batch)


def record_batches(
    upload: Mapping[str, Any], body: bytes, records: Iterable[Record]
) -> Iterator[tuple[State, pa.RecordBatch]]:
    """Yields the rows of one upload with their state: its records, or the unreadable upload, and its receipt.

    upload: its `upload`, `store`, `object` and `received`, which every row repeats.
    """
    base = {name: upload[name] for name in _UPLOAD}
    count = 0
    for chunk in _chunks(records):
        if chunk[0].whole:
            yield State.UNREADABLE, _unreadable_batch(base, body, chunk[0])
        else:
            yield State.LIVE, _records_batch(base, count, chunk)
        count += len(chunk)
    yield State.RECEIPT, _batch(base, 1, receipt=_receipt(body, count))


def is_gzip(path: str, body: bytes) -> bool:
    """Whether a landed object is gzip: its path or its first two bytes say so. No text format begins with them."""
    return path.endswith(".gz") or body.startswith(b"\x1f\x8b")


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records in lists of about 8 MiB of raw text."""
    chunk: list[Record] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record.raw)
        if size >= _BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _records_batch(base: dict[str, Any], first: int, records: list[Record]) -> pa.RecordBatch:
    raw, encoding = _as_text(records)
    return _batch(
        base,
        len(records),
        record=pa.array(range(first, first + len(records)), pa.int64()),
        raw=raw,
        raw_encoding=encoding,
        problem=pa.array([record.problem for record in records], pa.string()),
    )


def _unreadable_batch(base: dict[str, Any], body: bytes, record: Record) -> pa.RecordBatch:
    raw, encoding = _as_text([record])
    values = {"record": pa.array([0], pa.int64()), "raw": raw, "raw_encoding": encoding}
    problem = pa.array([record.problem], pa.string())
    return _batch(base, 1, **values, problem=problem, receipt=_receipt(body, record.records))


def _receipt(body: bytes, records: int | None) -> pa.Array:
    return pa.array([{"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "records": records}], _RECEIPT)


def _batch(base: dict[str, Any], rows: int, **columns: pa.Array) -> pa.RecordBatch:
    """A batch of a file: `base` repeated, with `columns`, the rest null."""

    def column(field: pa.Field) -> pa.Array:
        if field.name in columns:
            return columns[field.name]
        if field.name in base:
            return pa.repeat(pa.scalar(base[field.name], field.type), rows)
        return pa.nulls(rows, field.type)

    return pa.RecordBatch.from_arrays([column(field) for field in _FILE], schema=_FILE)


def _as_text(records: list[Record]) -> tuple[pa.Array, pa.Array]:
    """The raw bytes as text, and for each whether it is base64: a cast would lose bytes that are not UTF-8.

    A record without a problem has been decoded as UTF-8 already; the cast raises for other records.
    """
    pairs = [(record.raw, None) if record.problem is None else _text_or_base64(record.raw) for record in records]
    texts = pa.array([text for text, _ in pairs], pa.binary()).cast(pa.string())
    return texts, pa.array([code for _, code in pairs], pa.string())


def _text_or_base64(raw: bytes) -> tuple[bytes, str | None]:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw), "base64"
    return raw, None


def _day(path: str) -> str:
    """The path's day, `yyyy-mm-dd`."""
    return date.fromisoformat(path.split("/dt=", 1)[1][:10]).isoformat()
