"""Builds the LogStore's jar from its source: `make logstore`. The same source and javac give the same bytes."""

import base64
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pyspark

from headgate.engine import s3
from headgate.engine.jars import ensure_jars, ensure_s3_jars

SOURCE = s3.JAR.with_name("ConditionalLogStore.java")
RELEASE = "17"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell


def build(jar: Path) -> None:
    """Writes the jar. Its manifest names the source by its digest, and the javac."""
    with tempfile.TemporaryDirectory() as folder:
        compile_java(SOURCE, Path(folder))
        entries = {"META-INF/MANIFEST.MF": manifest().encode()}
        entries |= {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*.class"))}
    with zipfile.ZipFile(jar, "w") as made:
        for name, content in entries.items():
            made.writestr(zipfile.ZipInfo(name, _LONG_AGO), content)


def compile_java(source: Path, folder: Path) -> None:
    """Compiles a source that needs Delta's storage and S3A, and no other jar: with all of them it would take long."""
    spark = Path(pyspark.__file__).parent / "jars"
    needed = {spark: "hadoop-client-api-*", ensure_jars(): "*_delta-storage-*", ensure_s3_jars(): "*_hadoop-aws-*"}
    found = os.pathsep.join(str(next(place.glob(name))) for place, name in needed.items())
    options = ["--release", RELEASE, "-Xlint:all,-path,-classfile", "-g:none"]
    subprocess.run(["javac", *options, "-cp", found, "-d", str(folder), str(source)], check=True)


def manifest() -> str:
    # A line of a manifest holds 72 characters: a digest in hex would not fit.
    digest = base64.b64encode(hashlib.sha256(SOURCE.read_bytes()).digest()).decode()
    return f"Manifest-Version: 1.0\r\nSource-SHA-256: {digest}\r\nBuilt-By: javac {javac()}\r\n\r\n"


def javac() -> str:
    """The javac's version, such as 17.0.15."""
    told = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True)
    return re.sub(r"^javac ", "", (told.stdout + told.stderr).strip())


if __name__ == "__main__":
    build(s3.JAR)
    sys.stdout.write(f"{s3.JAR}: {s3.JAR.stat().st_size} bytes\n")
