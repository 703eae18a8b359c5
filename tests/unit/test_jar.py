"""Headgate's own jar, in the package with its Java sources."""

from __future__ import annotations

import base64
import zipfile

from bin.build_jar import different, sources, sources_digest
from headgate.engine.runtime.jars import HEADGATE


def test_the_jar_was_built_from_its_sources():
    with zipfile.ZipFile(HEADGATE) as jar:
        manifest, names = jar.read("META-INF/MANIFEST.MF").decode(), set(jar.namelist())
    assert {f"headgate/{source.stem}.class" for source in sources()} <= names
    assert f"Source-SHA-256: {base64.b64encode(sources_digest()).decode()}\r\n" in manifest, "run make jar"


def test_classes_have_line_numbers():
    """A trace without them names no line."""
    with zipfile.ZipFile(HEADGATE) as jar:
        code = jar.read("headgate/RecordReader.class")
    assert b"LineNumberTable" in code and b"RecordReader.java" in code


def test_a_class_that_differs_is_named(tmp_path):
    other = tmp_path / "other.jar"
    with zipfile.ZipFile(HEADGATE) as jar, zipfile.ZipFile(other, "w") as copy:
        for name in jar.namelist():
            content = jar.read(name)
            copy.writestr(name, content[:-1] + b"?" if name == "headgate/Shape.class" else content)
    assert different(HEADGATE, HEADGATE) == []
    assert different(HEADGATE, other) == ["headgate/Shape.class"]
