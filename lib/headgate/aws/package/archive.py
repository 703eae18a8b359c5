"""Archives that are equal byte by byte where their content is equal: no times, users or order of the file system."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time of a zip
_ZIP_LEVEL, _TAR_LEVEL = 6, 3  # the environment is half a gigabyte: time counts more than its last percent


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes a zip of contents by name, in the order of the names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_ZIP_LEVEL) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])


def write_tar(path: Path, folder: Path) -> None:
    """Writes a .tar.gz of everything below a folder; symbolic links stay links."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", _TAR_LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for inner in sorted(folder.rglob("*")):
            entry = archive.gettarinfo(inner, inner.relative_to(folder).as_posix())
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o755 if inner.is_dir() or entry.mode & 0o100 else 0o644
            if entry.isreg():
                with inner.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)


def digest(path: Path) -> str:
    """The SHA-256 of a file, as hex digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def files_below(folder: Path, patterns: Iterable[str] = ("*",)) -> dict[str, bytes]:
    """The files below a folder by their path from it, without caches and compiled Python."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for pattern in patterns
        for path in sorted(folder.rglob(pattern))
        if path.is_file() and not _is_cache(path.relative_to(folder))
    }


def _is_cache(path: Path) -> bool:
    return path.suffix in (".pyc", ".pyo") or any(part.startswith((".", "__pycache__")) for part in path.parts)
