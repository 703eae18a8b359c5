"""Where a test's lakes live, so that the same tests run on a folder and on S3 servers (`--lake`).

A test names its lake by a folder's path whatever it is on; on S3 that path is the prefix. What only whoever owns the
storage can do, such as to set when an object was received, is done here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.s3 import servers


@dataclass(frozen=True)
class OnS3:
    server: servers.Server

    def address(self, path: Path) -> str:
        return f"s3://{servers.BUCKET}/{_prefix(path)}"

    def touch(self, path: Path, name: str, at: datetime) -> None:
        servers.touch(self.server, f"{_prefix(path)}/{name}", at)

    def copy(self, path: Path, to: Path) -> None:
        servers.copy_below(self.server, _prefix(path), _prefix(to))


def _prefix(path: Path) -> str:
    return path.as_posix().strip("/")
