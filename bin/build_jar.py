"""Builds Headgate's jar from its Java sources: `make jar`. The same sources and javac give the same bytes.

`make check-jar` builds it again and compares the classes with the jar in the repository.
"""

import base64
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pyspark

from headgate.engine.runtime.jars import HEADGATE, ensure_jars, ensure_s3_jars

RELEASE = "17"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell
# What the sources are compiled against, and no other jar: with all of them it would take long.
_SPARK = (
    "hadoop-client-api-*",
    "jackson-annotations-*",
    "jackson-core-2*",
    "kryo-shaded-*",
    "scala-library-*",
    "spark-catalyst_*",
    "spark-common-utils_*",
    "spark-common-utils-java_*",
    "spark-core_*",
    "spark-sql-api_*",
    "spark-sql_*",
    "spark-unsafe_*",
)


def build(jar: Path) -> None:
    """Writes the jar. Its manifest names the sources by their digest, and the javac."""
    with tempfile.TemporaryDirectory() as folder:
        compile_java(sources(), Path(folder))
        entries = {"META-INF/MANIFEST.MF": manifest().encode()}
        entries |= {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*.class"))}
    with zipfile.ZipFile(jar, "w") as made:
        for name, content in entries.items():
            made.writestr(zipfile.ZipInfo(name, _LONG_AGO), content)


def different(jar: Path, other: Path) -> list[str]:
    """The entries that two jars do not have alike, by name."""
    contents = []
    for path in (jar, other):
        with zipfile.ZipFile(path) as opened:
            contents.append({name: opened.read(name) for name in opened.namelist()})
    ours, theirs = contents
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def check(jar: Path) -> None:
    """Builds the jar again next to `jar`; the exit code is 1 if an entry differs."""
    with tempfile.TemporaryDirectory() as folder:
        rebuilt = Path(folder) / jar.name
        build(rebuilt)
        if wrong := different(jar, rebuilt):
            sys.exit(
                f"{jar}: {', '.join(wrong)} differ when built by javac {javac()}. Build it by the JDK that its "
                "manifest names, and run make jar"
            )
    sys.stdout.write(f"{jar}: the same when it is built again by javac {javac()}\n")


def sources() -> list[Path]:
    return sorted(HEADGATE.parent.glob("*.java"))


def compile_java(files: Sequence[Path], folder: Path) -> None:
    """Compiles sources that need Spark, Delta and S3A. Classes keep their line numbers and variables, for traces."""
    spark = Path(pyspark.__file__).parent / "jars"
    results = [next(spark.glob(name)) for name in _SPARK]
    results += [next(ensure_jars().glob(name)) for name in ("*_delta-spark_*", "*_delta-storage-*")]
    results.append(next(ensure_s3_jars().glob("*_hadoop-aws-*")))
    # Annotations of Spark's own classes are in jars that are not needed here.
    options = ["--release", RELEASE, "-Xlint:all,-path,-classfile", "-g", "-proc:none"]
    path = os.pathsep.join(map(str, results))
    subprocess.run(["javac", *options, "-cp", path, "-d", str(folder), *map(str, files)], check=True)


def manifest() -> str:
    # A line of a manifest holds 72 characters: a digest in hex would not fit.
    digest = base64.b64encode(sources_digest()).decode()
    return f"Manifest-Version: 1.0\r\nSource-SHA-256: {digest}\r\nBuilt-By: javac {javac()}\r\n\r\n"


def sources_digest() -> bytes:
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources())).digest()


def javac() -> str:
    """The javac's version, such as 17.0.15."""
    run = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True)
    return re.sub(r"^javac ", "", (run.stdout + run.stderr).strip())


if __name__ == "__main__":
    if "check" in sys.argv[1:]:
        check(HEADGATE)
        sys.exit()
    build(HEADGATE)
    sys.stdout.write(f"{HEADGATE}: {HEADGATE.stat().st_size} bytes\n")
