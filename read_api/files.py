"""Local paths of data files. Files of a lake on S3 are copied to a local folder; they never change."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from headgate.errors import StorageError

_DOWNLOADS = 8  # at the same time, in a process


class DataFiles(Protocol):
    """Makes data files readable as local files."""

    def local(self, paths: Sequence[str]) -> list[str]:
        """Returns a local path for each path in the lake. Raises FileNotFoundError for a deleted file, StorageError."""
        ...

    @property
    def folder(self) -> Path:
        """The folder that all local paths are below."""
        ...


class FolderFiles:
    """The files of a lake that is a folder."""

    def __init__(self, lake: Path) -> None:
        self.folder = lake

    def local(self, paths: Sequence[str]) -> list[str]:
        """Returns the files' own paths. A missing file is noticed when it is read."""
        return [str(self.folder / path) for path in paths]


class CopiedFiles:
    """Local copies of a lake's objects, at most `limit` bytes (the least recently used are removed)."""

    def __init__(self, store: ObjectStore, folder: Path, limit: int) -> None:
        self._store, self.folder, self._limit = store, folder, limit
        self._pool = ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="download")
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def local(self, paths: Sequence[str]) -> list[str]:
        """Returns the copies, made where they are missing."""
        copies = [self._copy_of(path) for path in paths]
        missing = [(path, copy) for path, copy in zip(paths, copies, strict=True) if not _touch(copy)]
        if missing:
            list(self._pool.map(lambda pair: self._download(*pair), missing))
            self._evict(keep=set(copies))
        return [str(copy) for copy in copies]

    def _copy_of(self, path: str) -> Path:
        return self.folder / f"{hashlib.sha256(path.encode()).hexdigest()[:40]}.parquet"

    def _download(self, path: str, copy: Path) -> None:
        temporary = copy.with_suffix(f".{uuid.uuid4().hex}")
        try:
            with temporary.open("wb") as file:
                for piece in obstore.get(self._store, path).stream(min_chunk_size=4 * 2**20):
                    file.write(piece)
            temporary.rename(copy)
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(path) from error
        except (BaseError, OSError) as error:
            raise StorageError(
                f"cannot copy a data file: {str(error).splitlines()[0]}",
                where=path,
                fix="see that the lake is readable",
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _evict(self, keep: set[Path]) -> None:
        """Removes the copies that were not used for the longest time; an open file stays readable."""
        with self._lock:
            stats = sorted(((path.stat(), path) for path in self.folder.glob("*.parquet")), key=lambda s: s[0].st_mtime)
            excess = sum(stat.st_size for stat, _ in stats) - self._limit
            for stat, path in stats:
                if excess <= 0:
                    return
                if path not in keep:
                    path.unlink(missing_ok=True)
                    excess -= stat.st_size


def _touch(path: Path) -> bool:
    """Marks a copy as used; False if there is none."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
