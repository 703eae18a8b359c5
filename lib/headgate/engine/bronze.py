"""Bronze: each landed upload's records as they were sent, and one receipt an upload.

Objects are fetched by Python tasks that take bin-packed lists of them, so that 20,000 small uploads
need a few tasks, and bytes that are no text stay under control.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from headgate.contract import Contract
from headgate.environment import Environment
from headgate.landing import Landed
from headgate.plan import UNKNOWN_SIZE
from headgate.records import Layout, Record, split

SCHEMA = """
    upload string, store string, object string, received timestamp, record bigint,
    raw string, raw_encoding string, problem string,
    receipt struct<bytes: bigint, sha256: string, records: bigint>,
    dt date, _state string
"""
PARTITION_BY = ["dt", "_state"]
# Raw text stays out of the statistics: it would be copied into the log.
PROPERTIES = {"delta.dataSkippingStatsColumns": "upload,received,record"}

_RECEIPT = pa.struct([("bytes", pa.int64()), ("sha256", pa.string()), ("records", pa.int64())])
_ARROW = pa.schema(
    [
        ("upload", pa.string()), ("store", pa.string()), ("object", pa.string()),
        ("received", pa.timestamp("us", tz="UTC")), ("record", pa.int64()),
        ("raw", pa.string()), ("raw_encoding", pa.string()), ("problem", pa.string()),
        ("receipt", _RECEIPT), ("dt", pa.date32()), ("_state", pa.string()),
    ]
)  # fmt: skip

_BIN_BYTES = 32 * 2**20
_BIN_OBJECTS = 500
_MAX_BINS_BY_COUNT = 64
_BATCH_BYTES = 8 * 2**20


def layout_of(contract: Contract) -> Layout:
    """How the contract says that uploads are written."""
    return Layout(
        format=contract.format,
        columns=tuple(field.name for field in contract.fields),
        max_record_bytes=contract.max_record_bytes,
        delimiter=contract.csv.delimiter,
        quote=contract.csv.quote,
        escape=contract.csv.escape,
    )


def read_landed(
    session: SparkSession, environment: Environment, contract: Contract, landed: Iterable[Landed]
) -> DataFrame:
    """One row per record of each upload, and one receipt row an upload. Raises where an object cannot be fetched."""
    bins = pack(list(landed))
    listed = session.sparkContext.parallelize(
        [("\n".join(f"{item.upload}\t{item.store}\t{item.path}" for item in chosen),) for chosen in bins], len(bins)
    )
    layout = layout_of(contract)

    def fetch(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        store = environment.object_store()
        for batch in batches:
            for text in batch.column(0).to_pylist():
                for line in text.split("\n"):
                    yield from _upload_batches(store, layout, *line.split("\t"))

    return session.createDataFrame(listed, "objects string").mapInArrow(fetch, SCHEMA)


def pack(landed: list[Landed]) -> list[list[Landed]]:
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
    """What an object weighs in a bin: its bytes, and what its fetch costs beside them."""
    return (item.size if item.size is not None else UNKNOWN_SIZE) + 2048


def _upload_batches(store: object, layout: Layout, upload: str, owner: str, path: str) -> Iterator[pa.RecordBatch]:
    import obstore

    found = obstore.get(store, path)  # type: ignore[arg-type]
    received = found.meta["last_modified"].replace(microsecond=0)
    body = bytes(found.bytes())
    base = {"upload": upload, "store": owner, "object": path, "received": received, "dt": _day(path)}
    count = 0
    for records in _chunks(split(body, layout, gzipped=path.endswith(".gz"))):
        yield _records_batch(base, count, records)
        count += len(records)
    yield _receipt_batch(base, body, count)


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


def _records_batch(base: dict, first: int, records: list[Record]) -> pa.RecordBatch:
    raw, encoding = _as_text([record.raw for record in records])
    return _batch(
        base, len(records), "live",
        record=pa.array(range(first, first + len(records)), pa.int64()),
        raw=raw, raw_encoding=encoding,
        problem=pa.array([record.problem for record in records], pa.string()),
    )  # fmt: skip


def _receipt_batch(base: dict, body: bytes, records: int) -> pa.RecordBatch:
    receipt = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "records": records}
    return _batch(base, 1, "receipt", receipt=pa.array([receipt], _RECEIPT))


def _batch(base: dict, rows: int, state: str, **columns: pa.Array) -> pa.RecordBatch:
    """A batch of the bronze schema: `base` repeated, `columns` as given, the rest null."""
    constant = {**base, "_state": state}

    def column(field: pa.Field) -> pa.Array:
        if field.name in columns:
            return columns[field.name]
        if field.name in constant:
            return pa.repeat(pa.scalar(constant[field.name], field.type), rows)
        return pa.nulls(rows, field.type)

    return pa.RecordBatch.from_arrays([column(field) for field in _ARROW], schema=_ARROW)


def _as_text(raws: list[bytes]) -> tuple[pa.Array, pa.Array]:
    """The raw bytes as text, and for each whether it is base64: a cast would lose bytes that are not UTF-8."""
    try:
        return pa.array(raws, pa.binary()).cast(pa.string()), pa.nulls(len(raws), pa.string())
    except pa.ArrowInvalid:
        pairs = [_text_or_base64(raw) for raw in raws]
        return pa.array([text for text, _ in pairs], pa.string()), pa.array([code for _, code in pairs], pa.string())


def _text_or_base64(raw: bytes) -> tuple[str, str | None]:
    try:
        return raw.decode(), None
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"


def _day(path: str) -> object:
    return datetime.strptime(path.split("/dt=", 1)[1][:10], "%Y-%m-%d").date()
