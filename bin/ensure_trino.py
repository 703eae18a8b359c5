#!/usr/bin/env python3
"""Fetches Trino, the engine of Athena 3, for `make test-trino`: from Maven Central, with the Delta plugin only.

    bin/ensure_trino.py FOLDER      prints TRINO_HOME=... and TRINO_JAVA_HOME=... for the tests

The download is 821 MB, once; 394 MB stay in the folder. Trino needs Java 24 or newer, beside Spark's Java 17: that of
TRINO_JAVA_HOME, or one of /usr/lib/jvm. Exits with 0 and a message where something is missing: the tests say it too.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

VERSION = "476"
NAME = f"trino-server-{VERSION}"
URL = f"https://repo1.maven.org/maven2/io/trino/trino-server/{VERSION}/{NAME}.tar.gz"
LEAST_JAVA = 24
_WANTED = re.compile(rf"{re.escape(NAME)}/(lib|bin|plugin/delta-lake)(/|$)")
_BLOCK = 2**20


def main() -> None:
    """Installs Trino unless it is there, and prints where it and its Java are."""
    folder = Path(sys.argv[1]).resolve()
    home = Path(os.environ.get("TRINO_HOME") or folder / NAME)
    java = java_home()
    if java is None:
        print(f"test-trino: no Java {LEAST_JAVA} or newer: set TRINO_JAVA_HOME; its tests are skipped", file=sys.stderr)
        return
    if not (home / "bin" / "launcher").exists():
        try:
            install(folder)
        except OSError as error:
            print(f"test-trino: Trino could not be fetched ({error}): its tests are skipped", file=sys.stderr)
            return
    print(f"TRINO_HOME={home} TRINO_JAVA_HOME={java}")


def java_home() -> Path | None:
    """The newest Java that Trino takes; None where there is none."""
    if named := os.environ.get("TRINO_JAVA_HOME"):
        return Path(named)
    versions = {}
    for release in Path("/usr/lib/jvm").glob("*/release"):
        version = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE)
        if version and int(version.group(1)) >= LEAST_JAVA:
            versions[int(version.group(1))] = release.parent
    return versions[max(versions)] if versions else None


def install(folder: Path) -> None:
    """Downloads and unpacks Trino into a folder. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archive = Path(scratch) / f"{NAME}.tar.gz"
        print(f"test-trino: fetching {NAME} (821 MB, once)", file=sys.stderr)
        download(URL, archive)
        unpack(archive, Path(scratch))
        (Path(scratch) / NAME).rename(folder / NAME)


def download(url: str, file: Path) -> None:
    """Downloads a file and compares it with the repository's SHA-1. Raises OSError."""
    digest = hashlib.sha1(usedforsecurity=False)
    with urllib.request.urlopen(url, timeout=60) as answer, file.open("wb") as out:  # noqa: S310
        while block := answer.read(_BLOCK):
            digest.update(block)
            out.write(block)
    with urllib.request.urlopen(f"{url}.sha1", timeout=60) as answer:  # noqa: S310
        if digest.hexdigest() != answer.read().decode().split()[0]:
            raise OSError("the download is damaged")


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks the server and the Delta plugin. Plugins share jars by hard links to files that are left out."""
    links: dict[str, list[str]] = {}
    with tarfile.open(archive) as members:
        for member in members:
            if member.islnk() and _WANTED.match(member.name):
                links.setdefault(member.linkname, []).append(member.name)
    with tarfile.open(archive) as members:
        for member in members:
            names = [*([member.name] if _WANTED.match(member.name) else []), *links.get(member.name, [])]
            content = members.extractfile(member) if member.isreg() and names else None
            if content is None:
                continue
            first = folder / names[0]
            first.parent.mkdir(parents=True, exist_ok=True)
            with first.open("wb") as out:
                shutil.copyfileobj(content, out, _BLOCK)
            first.chmod(member.mode & 0o777)
            for name in names[1:]:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).hardlink_to(first)


if __name__ == "__main__":
    main()
