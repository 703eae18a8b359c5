"""Objects that survive a restart: changes in S3 are also written below a folder.

Queues, topics, applications and catalog tables are in memory only; `resources` makes them again at each start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

_OBJECT, _METADATA = ".object", ".json"


class Disk:
    """Keeps the current version of each object of moto's S3 backend below a folder."""

    def __init__(self, backend: Any, folder: Path) -> None:
        self._backend, self._folder = backend, folder

    def restore(self) -> int:
        """Loads buckets and objects into the backend; returns how many objects."""
        count = 0
        for bucket in sorted(self._folder.iterdir()) if self._folder.exists() else ():
            self._backend.create_bucket(bucket.name, "us-east-1")
            for path in sorted(bucket.rglob(f"*{_OBJECT}")):
                key = self._backend.put_object(
                    bucket.name, _key_of(path, bucket), path.read_bytes(), disable_notification=True
                )
                key.set_metadata(json.loads(path.with_name(path.name + _METADATA).read_text()))
                count += 1
        return count

    def keep(self, bucket: str, key: str) -> None:
        """Brings the folder up to date after a request for a bucket, or for one key of it."""
        if bucket not in self._backend.buckets:
            return
        folder = self._folder / bucket
        folder.mkdir(parents=True, exist_ok=True)
        for name in [key] if key else self._missing(bucket):
            self._keep_object(bucket, name)

    def _keep_object(self, bucket: str, name: str) -> None:
        path = self._path(bucket, name)
        stored = self._backend.get_object(bucket, name)
        if stored is None:
            path.unlink(missing_ok=True)
            path.with_name(path.name + _METADATA).unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(stored.value)
        path.with_name(path.name + _METADATA).write_text(json.dumps(dict(stored.metadata)))
        part.rename(path)

    def _missing(self, bucket: str) -> Iterator[str]:
        """The keys on disk that the backend no longer has: a request deleted several objects."""
        folder = self._folder / bucket
        for path in list(folder.rglob(f"*{_OBJECT}")):
            if _key_of(path, folder) not in self._backend.buckets[bucket].keys:
                yield _key_of(path, folder)

    def _path(self, bucket: str, key: str) -> Path:
        # A part of a key may be `..`, or longer than a file name may be.
        parts = [quote(part, safe=" =+@:,").replace(".", "%2E") for part in key.split("/")]
        return self._folder / bucket / Path(*parts[:-1], parts[-1] + _OBJECT)


def _key_of(path: Path, folder: Path) -> str:
    relative = path.relative_to(folder).as_posix().removesuffix(_OBJECT)
    return "/".join(unquote(part) for part in relative.split("/"))
