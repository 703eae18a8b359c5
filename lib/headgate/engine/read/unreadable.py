"""Uploads that bronze could not split into records are split again whenever bronze is read.

Bronze keeps such an upload as it landed. So a corrected contract, or a corrected reader, releases its records: in the
next run, in a replay of the quarantine and in a rebuild alike. An upload that still cannot be split is one record.
One that ended a worker is not split again: it would end the next.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from headgate.contracts.contract import Contract
from headgate.engine.read.bronze import NOT_SPLIT, SCHEMA, is_gzip, record_batches
from headgate.engine.runtime.materialize import Stages
from headgate.formats.records import layout_of, split
from headgate.ledger.record_table import IS_RECEIPT, IS_UNREADABLE, STATE, State, in_state

#: A row that is a record to judge: one that bronze split off, or an upload that cannot be split.
IS_RECORD = in_state(State.LIVE, State.UNREADABLE)
_IS_SPLIT_AGAIN = f"{IS_UNREADABLE} AND NOT startswith(problem, '{NOT_SPLIT}')"


def split_again(bronze: DataFrame, contract: Contract, stages: Stages) -> DataFrame:
    """Returns bronze rows in which unreadable uploads are split by the contract as it is now.

    The rows of such an upload are its records (`live`), or itself as record 0 (`unreadable`), and a receipt that
    counts them. Every other row is as it was.
    """
    columns = [name for name in SCHEMA.names if name in bronze.columns]
    rows = bronze.select(*columns)
    kept = rows.filter(_IS_SPLIT_AGAIN)
    layout, schema = layout_of(contract), rows.schema

    def split_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                body = base64.b64decode(row["raw"]) if row["raw_encoding"] else row["raw"].encode()
                records = split(body, layout, gzipped=is_gzip(row["object"], body))
                for state, part in record_batches(row, body, records):
                    yield _as_rows(part, row["dt"], state, columns)

    result = stages.stage(kept.mapInArrow(split_rows, schema))
    uploads = F.broadcast(result.filter(IS_RECEIPT).select("upload"))
    others = rows.filter(f"NOT ({_IS_SPLIT_AGAIN})").join(uploads, "upload", "left_anti").select(*columns)
    return others.unionByName(result)


def _as_rows(part: pa.RecordBatch, day: object, state: State, columns: list[str]) -> pa.RecordBatch:
    """A batch of bronze's files with the columns of its partitions, in the order of `columns`."""
    rows = part.num_rows
    arrays = dict(zip(part.schema.names, part.columns, strict=True))
    arrays["dt"] = pa.array([day] * rows, pa.date32())
    arrays[STATE] = pa.array([state.value] * rows, pa.string())
    return pa.RecordBatch.from_arrays([arrays[name] for name in columns], names=columns)
