"""Parquet files that Python tasks write into a Delta table's folder, for a commit to name.

A task streams one file for each partition that it meets. What a commit has to know of a file comes
back to the driver: its path, its size and its statistics.
"""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import ObjectStore

from headgate.engine.delta.statistics import statistics

_ROW_GROUP_BYTES = 8 * 2**20


@dataclass(frozen=True)
class NewFile:
    """A written file as Delta's `add` action tells it. `path` is below the table; `statistics` are JSON."""

    path: str
    size: int
    partition: Mapping[str, str | None]
    modified: int  # milliseconds since 1970
    rows: int
    statistics: str


class Files:
    """The files that a task writes below `folder`: one per partition, with statistics of the columns `indexed`.

    `repeating` are the columns that have few values: a dictionary pays for them.
    """

    def __init__(
        self, store: ObjectStore, folder: str, schema: pa.Schema, *, indexed: Sequence[str], repeating: Sequence[str]
    ) -> None:
        self._store, self._folder, self._schema = store, folder, schema
        self._indexed, self._repeating = list(indexed), list(repeating)
        self._open: dict[tuple[str, ...], _File] = {}

    def add(self, partition: Mapping[str, str], batch: pa.RecordBatch) -> None:
        """Adds rows to the file of their partition. Its values are text that needs no escape in a path."""
        key = tuple(partition.values())
        if key not in self._open:
            self._open[key] = self._new(partition)
        self._open[key].add(batch)

    def close(self) -> list[NewFile]:
        """Completes the files, and returns their descriptions for a commit."""
        return [file.close() for file in self._open.values()]

    def _new(self, partition: Mapping[str, str]) -> _File:
        folders = [f"{name}={value}" for name, value in partition.items()]
        path = "/".join([*folders, f"part-{uuid.uuid4()}.snappy.parquet"])
        sink = _Sink(obstore.open_writer(self._store, f"{self._folder}/{path}"))
        details: list[pq.FileMetaData] = []
        writer = pq.ParquetWriter(
            sink,
            self._schema,
            compression="snappy",
            use_dictionary=self._repeating,
            write_statistics=self._indexed,
            store_schema=False,
            metadata_collector=details,
        )
        return _File(path, partition, sink, writer, details)


class _File:
    """One file in the making. Small batches are put together to row groups of a few MiB."""

    def __init__(
        self, path: str, partition: Mapping[str, str], sink: _Sink, writer: pq.ParquetWriter, results: list[Any]
    ) -> None:
        self._path, self._partition, self._sink, self._writer, self._results = path, partition, sink, writer, results
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= _ROW_GROUP_BYTES:
            self._write()

    def close(self) -> NewFile:
        self._write()
        self._writer.close()
        self._sink.close()
        metadata = self._results[0]
        return NewFile(
            self._path,
            self._sink.size,
            self._partition,
            round(time.time() * 1000),
            metadata.num_rows,
            statistics(metadata),
        )

    def _write(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting)
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._bytes = [], 0


class _Sink(io.RawIOBase):
    """An object of the lake as a file that pyarrow can write to, and its size."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._writer.write(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def close(self) -> None:
        if not self.closed:
            self._writer.close()
        super().close()
