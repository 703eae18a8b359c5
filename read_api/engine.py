"""DuckDB as the query engine: one in-memory database per process, with bounded memory, time and file access.

It can open files in the folder of the data files only, and no setting can be changed after the start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from headgate.http.problems import Problem


class FileGone(Exception):
    """A data file could not be opened."""


class Engine:
    """Runs SQL with bound values. Safe for threads: each thread has a cursor of its own."""

    def __init__(self, folders: Sequence[Path], memory_mb: int, seconds: float, slots: int, threads: int = 2) -> None:
        """`folders` are the only folders that SQL can read; at most `slots` queries run at the same time."""
        self._seconds, self._slots = seconds, threading.BoundedSemaphore(slots)
        self.connection = duckdb.connect(
            config={
                "threads": threads,
                "memory_limit": f"{memory_mb}MB",
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        self._local = threading.local()
        self._watchdog = _Watchdog(seconds)
        for setting in (
            "SET TimeZone = 'UTC'",
            "SET parquet_metadata_cache = true",
            "SET preserve_insertion_order = true",
            f"SET allowed_directories = [{', '.join(_literal(folder) for folder in folders)}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self.connection.execute(setting)

    def rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Returns the result's rows as tuples of Python values. Raises Problem if a limit is reached, and FileGone."""
        with self._running() as cursor:
            result: list[tuple[Any, ...]] = cursor.execute(sql, values).fetchall()
            return result

    def arrow(self, sql: str, values: Sequence[Any]) -> pa.Table:
        """Returns the result as an Arrow table; raises like `rows`."""
        with self._running() as cursor:
            return cursor.sql(sql, params=list(values)).to_arrow_table()

    def check(self) -> None:
        """Raises an error if the engine does not answer."""
        self.rows("SELECT 1", [])

    @contextmanager
    def _running(self) -> Iterator[Any]:
        if not self._slots.acquire(timeout=self._seconds):
            raise Problem(503, "busy", "too many queries run now; try again", {"Retry-After": "1"})
        try:
            cursor = self._cursor()
            with self._watchdog.watching(cursor):
                yield cursor
        except duckdb.InterruptException as error:
            raise Problem(
                422, "too-slow", f"the query took more than {self._seconds:g} seconds; add filters or ask for less"
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise Problem(422, "too-large", "the query needs too much memory; add filters or ask for less") from error
        except duckdb.IOException as error:
            raise FileGone(str(error)) from error
        except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
            raise Problem(422, "out-of-range", "a value or sum is out of the range of its type") from error
        finally:
            self._slots.release()

    def _cursor(self) -> Any:
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self.connection.cursor()
        return self._local.cursor


class _Watchdog:
    """Interrupts cursors that run for too long. One thread for all of them: a timer for each query costs more."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._lock = seconds, threading.Lock()
        self._deadlines: dict[object, tuple[float, Any]] = {}
        threading.Thread(target=self._watch, name="query-watchdog", daemon=True).start()

    @contextmanager
    def watching(self, cursor: Any) -> Iterator[None]:
        """Interrupts the cursor if the block takes longer than the limit."""
        token = object()
        self._deadlines[token] = (time.monotonic() + self._seconds, cursor)
        try:
            yield
        finally:
            # Under the lock: the watchdog must not interrupt the cursor's next query.
            with self._lock:
                del self._deadlines[token]

    def _watch(self) -> None:
        while True:
            time.sleep(min(0.25, self._seconds / 4))
            with self._lock:
                now = time.monotonic()
                for deadline, cursor in list(self._deadlines.values()):
                    if now > deadline:
                        cursor.interrupt()


def _literal(folder: Path) -> str:
    return "'" + str(folder).replace("'", "''") + "/'"
