"""The files of a job: downloaded from S3 and unpacked into the driver's folder, as EMR does before a driver starts."""

from __future__ import annotations

import hashlib
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

_S3_SCHEMES = ("s3", "s3a", "s3n")


class Packages:
    """Downloads by S3 address, kept by ETag so that jobs of the same package share a copy."""

    def __init__(self, s3: Any, cache: Path) -> None:
        self._s3, self._cache, self._lock = s3, cache, threading.Lock()

    def fetch(self, address: str) -> Path:
        """A local copy of an s3:// address; a local path is returned as it is. Raises botocore's ClientError."""
        scheme, separator, rest = address.partition("://")
        if not separator or scheme not in _S3_SCHEMES:
            return Path(address.removeprefix("file://"))
        bucket, _, key = rest.partition("/")
        tag = self._s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
        folder = self._cache / hashlib.sha256(f"{address} {tag}".encode()).hexdigest()[:16]
        path = folder / Path(key).name
        with self._lock:
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                self._s3.download_file(bucket, key, str(path) + ".part")
                Path(f"{path}.part").rename(path)
        return path

    def unpack(self, address: str, folder: Path) -> None:
        """Makes an archive `s3://bucket/a.tar.gz#alias` available as `folder/alias`."""
        base, _, alias = address.partition("#")
        archive = self.fetch(base)
        unpacked = archive.with_name(f"{archive.name}.unpacked")
        with self._lock:
            if not unpacked.exists():
                scratch = archive.with_name(f"{archive.name}.scratch")
                shutil.rmtree(scratch, ignore_errors=True)
                _extract(archive, scratch)
                _point_to_this_python(scratch)
                scratch.rename(unpacked)
        (folder / (alias or archive.name)).symlink_to(unpacked)


def _extract(archive: Path, folder: Path) -> None:
    if archive.suffix == ".zip":
        shutil.unpack_archive(archive, folder)
    else:
        # Not the `data` filter: a virtual environment links to an absolute path, the Python of the release.
        shutil.unpack_archive(archive, folder, filter="tar")


def _point_to_this_python(environment: Path) -> None:
    """Links an archived virtual environment to a Python of this machine, where the release's is somewhere else.

    On EMR the link leads to the Python of the release, such as /usr/bin/python3.11.
    """
    python = environment / "bin" / "python"
    if not python.is_symlink() or python.exists():
        return
    version = python.readlink().name
    base = Path(sys.base_prefix) / "bin" / version
    if not base.exists():
        raise FileNotFoundError(f"the job needs {version}; the local cloud runs on {sys.base_prefix}")
    python.unlink()
    python.symlink_to(base)
    configuration = environment / "pyvenv.cfg"
    if configuration.exists():
        configuration.write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
