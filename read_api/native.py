"""Native copies: large data files that are read often, converted once to database files of DuckDB.

A Parquet file is decompressed by row groups of 100,000 rows and more, for each query again. A native copy has groups of
8,192 rows with a minimum and maximum each, and its blocks stay in memory, so that a point costs a tenth. A data file
never changes, so neither does its copy; all worker processes read the same copies. A query never waits for a copy: it
reads the Parquet file until the copy is there.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from read_api.columns import quoted
from read_api.sql import ROW, LocalFile, literal

_log = logging.getLogger(__name__)
#: A file with fewer rows is read as Parquet: it costs as little.
LEAST_ROWS = 20_000
#: A file is converted after so many reads in one process.
_READS = 3
#: A copy that was used within this time is never removed for another one.
_IN_USE_SECONDS = 600.0
_CLOSE_SECONDS = 10.0
_MOST_COUNTED = 100_000
_GROUP_ROWS = 8_192
_SUFFIX = ".duckdb"


@dataclass
class _Attached:
    """A copy that this process has open: its database's name in SQL, and how many queries read it now."""

    name: str
    path: Path
    readers: int = 0
    touched: float = 0.0


class NativeCopies:
    """The native copies of one lake. Safe for threads; several processes share the folder."""

    def __init__(self, connection: Any, folder: Path, limit: int) -> None:
        """`connection` is DuckDB's, which may read `folder`; the copies have at most `limit` bytes (0: no copies)."""
        self._connection, self._folder, self._limit = connection, folder, limit
        self._attached: dict[str, _Attached] = {}
        self._reads: dict[str, int] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[LocalFile | None] = queue.SimpleQueue()
        self._converting: Any = None
        self._closed = False
        self._thread = threading.Thread(target=self._convert_all, name="native-copies", daemon=True)
        if limit:
            self._thread.start()
            atexit.register(self.close)  # a thread inside DuckDB must not outlive Python

    def close(self) -> None:
        """Ends the conversion of files; what is half done is dropped."""
        self._closed = True
        self._waiting.put(None)
        with self._lock:
            if self._converting is not None:
                self._converting.interrupt()
        self._thread.join(_CLOSE_SECONDS)

    @contextmanager
    def using(self, files: Sequence[LocalFile]) -> Iterator[dict[str, str]]:
        """Yields the tables to read instead of files, by the files' local paths; they stay open during the block."""
        if not self._limit:
            yield {}
            return
        attached = {file.path: copy for file in files if (copy := self._open(file)) is not None}
        try:
            yield {path: f"{copy.name}.data" for path, copy in attached.items()}
        finally:
            with self._lock:
                for copy in attached.values():
                    copy.readers -= 1

    def _open(self, file: LocalFile) -> _Attached | None:
        """The copy of a file with one more reader; None, and the read is counted, where there is no copy."""
        if (file.file.rows or 0) < LEAST_ROWS:
            return None
        with self._lock:
            copy = self._attached.get(file.path) or self._attach(file.path)
            if copy is None:
                self._count(file)
                return None
            copy.readers += 1
            now = time.monotonic()
            if now - copy.touched > _IN_USE_SECONDS / 10:
                copy.touched = now
                _touch(copy.path)
            return copy

    def _count(self, file: LocalFile) -> None:
        if len(self._reads) > _MOST_COUNTED:
            self._reads.clear()
        count = self._reads[file.path] = self._reads.get(file.path, 0) + 1
        if count % 1000 == _READS:  # again later, where there was no room
            self._waiting.put(file)

    def _attach(self, source: str) -> _Attached | None:
        path = self._path_of(source)
        # Looking for a file costs little, but not nothing: a path that is not counted yet, or is due, is looked for.
        if 0 < self._reads.get(source, 0) < _READS or not path.exists():
            return None
        name = f"copy_{path.stem}"
        try:
            self._connection.cursor().execute(f"ATTACH IF NOT EXISTS '{path}' AS {name} (READ_ONLY)")
        except duckdb.Error as error:
            _log.warning("a native copy cannot be read: %s", error)
            path.unlink(missing_ok=True)
            return None
        self._attached[source] = _Attached(name, path)
        return self._attached[source]

    def _path_of(self, source: str) -> Path:
        text = f"{duckdb.__version__} {source}"
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}{_SUFFIX}"

    # --- the thread that converts

    def _convert_all(self) -> None:
        while (file := self._waiting.get()) is not None and not self._closed:
            try:
                with self._only_process():
                    self._detach_removed()
                    target = self._path_of(file.path)
                    if not self._closed and not target.exists() and self._make_room(3 * file.file.size + 2**20):
                        self._convert(file, target)
            except (duckdb.Error, OSError) as error:
                if not self._closed:
                    _log.warning("a data file was not converted: %s", error)

    @contextmanager
    def _only_process(self) -> Iterator[None]:
        """One conversion at a time on this machine: the lock ends with its process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self._folder.glob("*.partial*"):
                left.unlink(missing_ok=True)
            yield

    def _convert(self, file: LocalFile, target: Path) -> None:
        started = time.monotonic()
        partial = target.with_suffix(".partial")
        with self._connected() as connection:
            connection.execute(f"ATTACH '{partial}' AS copy (ROW_GROUP_SIZE {_GROUP_ROWS})")
            rows = f"SELECT *, file_row_number AS {ROW} FROM read_parquet({literal(file.path)})"
            connection.execute(f"CREATE TABLE copy.data ({_columns(connection, rows)})")
            connection.execute(f"INSERT INTO copy.data {rows}")
            connection.execute("CHECKPOINT copy")
            connection.execute("DETACH copy")
        partial.rename(target)
        _log.info("converted %s: %s rows in %.1f s", file.file.path, file.file.rows, time.monotonic() - started)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A connection with bounds of its own, which `close` interrupts."""
        with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            with self._lock:
                self._converting = connection
            try:
                yield connection
            finally:
                with self._lock:
                    self._converting = None

    def _make_room(self, size: int) -> bool:
        """Removes copies that nobody has used for a while until `size` more bytes fit. Returns whether they fit."""
        copies = sorted(((p.stat(), p) for p in self._folder.glob(f"*{_SUFFIX}")), key=lambda pair: pair[0].st_mtime)
        excess = sum(stat.st_size for stat, _ in copies) + size - self._limit
        for stat, path in copies:
            if excess <= 0 or time.time() - stat.st_mtime < _IN_USE_SECONDS:
                break
            path.unlink(missing_ok=True)
            excess -= stat.st_size
        return excess <= 0

    def _detach_removed(self) -> None:
        """Closes the copies that were removed; until then their bytes are on the disk."""
        with self._lock:
            removed = [s for s, copy in self._attached.items() if not copy.readers and not copy.path.exists()]
            for source in removed:
                self._connection.cursor().execute(f"DETACH {self._attached.pop(source).name}")
                self._reads.pop(source, None)


def _columns(connection: Any, rows: str) -> str:
    """The columns of a copy, by the first group of rows: texts that hardly repeat are kept as they are.

    DuckDB would compress them, and decompress the texts of thousands of rows for each row that a query returns.
    """
    columns = connection.execute(f"DESCRIBE {rows}").fetchall()
    texts = [quoted(name) for name, kind, *_ in columns if kind == "VARCHAR"] or ["0"]
    counts = ", ".join(f"count(DISTINCT {text})" for text in texts)
    distinct = connection.execute(f"SELECT {counts} FROM ({rows} LIMIT {_GROUP_ROWS})").fetchone()
    many = {text for text, count in zip(texts, distinct, strict=True) if count > _GROUP_ROWS // 4}
    return ", ".join(
        f"{quoted(name)} {kind}{' USING COMPRESSION uncompressed' if quoted(name) in many else ''}"
        for name, kind, *_ in columns
    )


def _touch(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.utime(path)
