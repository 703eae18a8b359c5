"""Headgate's own jar, beside its Java sources in the package."""

from __future__ import annotations

import base64
import zipfile

from bin.build_jar import sources, sources_digest
from headgate.engine.runtime.jars import HEADGATE


def test_the_jar_was_built_from_the_sources_beside_it():
    with zipfile.ZipFile(HEADGATE) as jar:
        manifest, names = jar.read("META-INF/MANIFEST.MF").decode(), set(jar.namelist())
    assert {f"headgate/{source.stem}.class" for source in sources()} <= names
    assert f"Source-SHA-256: {base64.b64encode(sources_digest()).decode()}\r\n" in manifest, "run make jar"
