"""Java's archive of classes: which archive belongs to which Java and jars, and that a session's Java really uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from headgate.contracts.environment import Environment, Receiver
from headgate.engine.runtime import class_archive
from headgate.engine.runtime.class_archive import archive_of, archive_option
from headgate.engine.runtime.session import class_path
from headgate.java import find_java

START = """
import sys
from datetime import timedelta
from pathlib import Path
from headgate.contracts.environment import Environment, Receiver
from headgate.engine.runtime.session import start_session, stop_session
environment = Environment("local", sys.argv[1], "local", {}, timedelta(), Receiver(), Path(sys.argv[1]))
stop_session(start_session(environment, small=True, java_options=sys.argv[2]))
"""


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / "jars" / "a.jar"
    path.parent.mkdir()
    path.write_bytes(b"first")
    return path


def test_an_archive_belongs_to_the_jars_as_they_are(jar):
    java, jars = find_java(), f"{jar.parent}/*"
    before = archive_of(java, jars)
    assert archive_of(java, jars) == before
    jar.write_bytes(b"another")
    changed = archive_of(java, jars)
    (jar.parent / "b.jar").write_bytes(b"second")
    assert len({before, changed, archive_of(java, jars)}) == 3


def test_java_is_given_an_archive_that_exists(jar, tmp_path, monkeypatch):
    monkeypatch.setattr(class_archive, "_FOLDER", tmp_path / "with space")
    assert archive_option(find_java(), str(jar)) == ""
    archive = archive_of(find_java(), str(jar))
    archive.parent.mkdir()
    archive.write_bytes(b"")
    assert archive_option(find_java(), str(jar)).startswith(f'"-XX:SharedArchiveFile={archive}" ')


def test_a_jar_that_cannot_be_looked_at_is_left_to_java(jar):
    jar.unlink()
    jar.symlink_to("nowhere")
    assert archive_option(find_java(), f"{jar.parent}/*") == ""


def start(folder: Path, java_options: str = "", **variables: str) -> str:
    """Starts a session in a process of its own, and stops it; returns all that was printed."""
    command = [sys.executable, "-c", START, str(folder), java_options]
    environ = {**os.environ, **variables}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout + done.stderr


def test_a_session_loads_its_classes_from_the_archive(tmp_path):
    environment = Environment("local", str(tmp_path), "local", {}, timedelta(), Receiver(), tmp_path)
    if not archive_of(find_java(), class_path(environment)).exists():
        pytest.skip("there is no archive of Java's classes for this environment: make setup makes it")
    start(tmp_path / "lake", JDK_JAVA_OPTIONS=f"-Xlog:class+load:file={tmp_path}/loaded-%p.txt")
    loaded = max(tmp_path.glob("loaded-*.txt"), key=lambda file: file.stat().st_size)
    sources = [line.partition(" source: ")[2] for line in loaded.read_text().splitlines() if "org.apache.spark" in line]
    from_archive, from_jars = sources.count("shared objects file (top)"), [s for s in sources if s.startswith("file:")]
    assert from_archive > 1000 > 10 * len(from_jars)


def test_a_session_starts_in_silence_with_an_archive_that_java_cannot_use(tmp_path):
    damaged = tmp_path / "damaged.jsa"
    damaged.write_bytes(b"not an archive")
    assert "archive" not in start(tmp_path / "lake", f'"-XX:SharedArchiveFile={damaged}" {class_archive._SILENT}')


@pytest.mark.long
def test_an_archive_that_java_does_not_write_is_named_and_leaves_no_file(tmp_path):
    prefix = tmp_path / "prefix"
    code = (
        "from pathlib import Path\n"
        "from headgate.engine.runtime import class_archive\n"
        f"class_archive._FOLDER = Path({str(prefix)!r})\n"
        "class_archive._PATIENCE = 0.1\n"  # Java is killed while it writes
        "class_archive.make_archive()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 1
    assert "Java ended with -9 and wrote no archive" in done.stderr
    assert list(prefix.iterdir()) == []
