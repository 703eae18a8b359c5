"""Java's archive of classes: with it, a small run in a process of its own takes about a fifth less time.

`make setup` makes it: a session does what nearly every run does, and as it ends Java writes all classes that it loaded.
An archive belongs to one Java and one class path. Java compares both with its own, and goes on without the archive
where they differ, so nothing but time depends on it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from headgate.contracts.environment import Environment, Receiver
from headgate.engine.runtime.jvm_access import end_jvm
from headgate.errors import SetupError
from headgate.java import find_java

_FOLDER = Path(sys.prefix) / "share" / "headgate" / "classes"
#: Java would print why it cannot use an archive.
_SILENT = "-Xlog:cds*=off -Xlog:class+path*=off"
#: How many seconds Java may take to end: to write 20,000 classes takes it half a minute, or more on a busy machine.
_PATIENCE = 300


def archive_of(java: Path, class_path: str) -> Path:
    """Where the archive for a Java and a class path is, or would be. Raises OSError where a jar cannot be looked at."""
    known = []
    for file in (java.resolve(), *_jars(class_path), *_jars(f"{_spark_home()}/jars/*")):
        stat = file.stat()
        known.append((str(file), stat.st_size, int(stat.st_mtime)))  # image layers keep whole seconds, as Java does
    return _FOLDER / f"{hashlib.sha256(repr(known).encode()).hexdigest()[:16]}.jsa"


def archive_option(java: Path, class_path: str) -> str:
    """Java's options to use the archive; empty where there is none, or where that cannot be known."""
    try:
        archive = archive_of(java, class_path)
        return f'"-XX:SharedArchiveFile={archive}" {_SILENT}' if archive.exists() else ""
    except OSError:
        return ""


def _jars(class_path: str) -> list[Path]:
    """The files of a class path; an entry that ends with `/*` stands for all jars in its folder."""
    entries = map(Path, class_path.split(os.pathsep))
    return [jar for entry in entries for jar in (sorted(entry.parent.glob("*.jar")) if entry.name == "*" else [entry])]


def _spark_home() -> Path:
    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


def make_archive() -> None:
    """Makes the archive for lakes in a folder, unless it exists, and removes others.

    Raises SetupError where Java writes none, and whatever Spark raises where it cannot start.
    """
    from headgate.engine.runtime.session import class_path  # which imports this module

    with tempfile.TemporaryDirectory(prefix="headgate-classes-") as folder:
        environment = Environment("classes", folder, "local", {}, timedelta(), Receiver(), Path(folder))
        archive = archive_of(find_java(), class_path(environment))
        if archive.exists():
            return
        print(f"headgate: making an archive of Java's classes in {archive.parent} (once, a minute)", file=sys.stderr)
        archive.parent.mkdir(parents=True, exist_ok=True)
        part = archive.with_suffix(f".{os.getpid()}.part")
        try:
            _write(part, environment)
            part.replace(archive)
        finally:
            part.unlink(missing_ok=True)
    for other in archive.parent.glob("*.jsa"):
        if other != archive:
            other.unlink(missing_ok=True)


def _write(archive: Path, environment: Environment) -> None:
    from headgate.engine.runtime.session import start_session, stop_session

    options = f'"-XX:ArchiveClassesAtExit={archive}" -Xlog:cds*=error'
    session = start_session(environment, small=True, java_options=options)
    try:
        _exercise(session, environment.lake)
    finally:
        stop_session(session)
        code = end_jvm(_PATIENCE)
    if code or not archive.exists():
        raise SetupError(f"Java ended with {code} and wrote no archive", where=str(archive))


def _exercise(session: SparkSession, folder: str) -> None:
    """What nearly every run does: JSON, windows, joins, Parquet, and Delta's commits, change feed and MERGE."""
    from delta.tables import DeltaTable

    table = f"{folder}/table"
    rows = session.createDataFrame([(n, f"key-{n % 7}", f'{{"n": {n}, "parts": [{n}, 2]}}') for n in range(50)])
    rows = rows.toDF("n", "key", "raw").withColumn("read", F.from_json("raw", "n bigint, parts array<bigint>"))
    newest = Window.partitionBy("key").orderBy(F.col("n").desc())
    rows = rows.withColumn("rank", F.row_number().over(newest)).withColumn("at", F.lit("2026-03-02").cast("timestamp"))
    rows = rows.withColumn("amount", F.col("n").cast("decimal(12,2)")).localCheckpoint()
    rows.write.format("delta").partitionBy("rank").option("delta.enableChangeDataFeed", "true").save(table)
    rows.write.partitionBy("rank").parquet(f"{folder}/files")
    target = DeltaTable.forPath(session, table)
    merge = target.alias("t").merge(rows.limit(9).alias("b"), "t.n = b.n").withSchemaEvolution()
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
    changes = session.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 0).load(table)
    totals = changes.groupBy("key").agg(F.sum("amount"), F.count_if(F.col("n") > 3), F.countDistinct("n"))
    totals.join(session.read.parquet(f"{folder}/files"), "key", "left_anti").union(totals).toArrow()
    session.read.format("delta").load(table).filter("n > 3").join(F.broadcast(totals), "key").select(
        F.explode("read.parts"), F.md5(F.to_json(F.struct("read", "at")))
    ).collect()
    session.sparkContext.parallelize([1, 2], 2).map(str).collect()


if __name__ == "__main__":
    try:
        make_archive()
    except Exception as error:  # whatever it is, a run works without an archive
        print(f"headgate: no archive of Java's classes, so runs start slower: {error}", file=sys.stderr)
