"""Java's archive of classes: which archive belongs to which Java and jars, and that Spark's Java really uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.engine.runtime import class_archive
from headgate.engine.runtime.class_archive import archive_of, archive_option
from headgate.engine.runtime.jars import HEADGATE, ensure_jars

CLASS_PATH = f"{ensure_jars()}/*{os.pathsep}{HEADGATE}"
START = """
import sys
from datetime import timedelta
from pathlib import Path
from headgate.contracts.environment import Environment, Receiver
from headgate.engine.runtime.session import start_session, stop_session
environment = Environment("local", sys.argv[1], "local", {}, timedelta(), Receiver(), Path(sys.argv[1]))
stop_session(start_session(environment, small=True, java=sys.argv[2]))
"""


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / "jars" / "a.jar"
    path.parent.mkdir()
    path.write_bytes(b"one")
    return path


def test_an_archive_belongs_to_the_jars_as_they_are(jar):
    before = archive_of(f"{jar.parent}/*")
    assert archive_of(f"{jar.parent}/*") == before
    jar.write_bytes(b"another")
    changed = archive_of(f"{jar.parent}/*")
    (jar.parent / "b.jar").write_bytes(b"two")
    assert len({before, changed, archive_of(f"{jar.parent}/*")}) == 3


def test_java_is_given_an_archive_that_exists(jar, tmp_path, monkeypatch):
    monkeypatch.setattr(class_archive, "_FOLDER", tmp_path / "with space")
    assert archive_option(str(jar)) == ""
    archive = archive_of(str(jar))
    archive.parent.mkdir()
    archive.write_bytes(b"")
    assert archive_option(str(jar)).startswith(f'"-XX:SharedArchiveFile={archive}" ')


@pytest.fixture
def archive() -> Path:
    path = archive_of(CLASS_PATH)
    if not path.exists():
        pytest.skip("there is no archive of Java's classes for this environment: make setup makes it")
    return path


def start(folder: Path, java: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START, str(folder), java]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)


def test_a_session_loads_its_classes_from_the_archive(archive, tmp_path):
    loaded = tmp_path / "loaded.txt"
    done = start(tmp_path / "lake", f"{archive_option(CLASS_PATH)} -Xlog:class+load:file={loaded}")
    lines = loaded.read_text().splitlines()
    from_archive = sum("shared objects file (top)" in line for line in lines)
    assert from_archive > 0.8 * len([line for line in lines if "org.apache.spark" in line]) > 1000
    assert "SharedArchive" not in done.stdout + done.stderr


def test_a_session_starts_in_silence_with_an_archive_that_java_cannot_use(tmp_path):
    damaged = tmp_path / "damaged.jsa"
    damaged.write_bytes(b"not an archive")
    done = start(tmp_path / "lake", f'"-XX:SharedArchiveFile={damaged}" {class_archive._SILENT}')
    assert "archive" not in done.stdout + done.stderr
