"""The Spark session: one per run, passed as an argument."""

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pyspark.sql import SparkSession

from headgate.contracts.environment import Environment
from headgate.engine.runtime import s3a as s3
from headgate.engine.runtime.class_archive import archive_option
from headgate.engine.runtime.jars import HEADGATE, ensure_jars, ensure_s3_jars
from headgate.engine.runtime.jvm_access import import_helpers, is_alive
from headgate.engine.runtime.quiet import without_banner
from headgate.engine.runtime.staging import forget_staged, keep_staged
from headgate.engine.runtime.versions import delta_jars, require_one_delta, require_same, require_versions
from headgate.engine.runtime.workers import cluster_settings, require_master, watch_master
from headgate.java import find_java

_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")

# Delta settings hold for every session of an application; each answers something that was measured.
_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.ui.enabled": "false",
    # Tables that are built at a time share the cores.
    "spark.scheduler.mode": "FAIR",
    "spark.ui.showConsoleProgress": "false",
    # Delta reads its log with 50 tasks by default: most tables here are small.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    # The batch is materialised and pinned before a MERGE reads it.
    "spark.databricks.delta.merge.materializeSource": "none",
    # Versions older than a week can be read while their files exist. Only `maintain` removes
    # files, and it respects dependents and time travel.
    "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
    # Spark's own INT96 is deprecated, is larger, and has no statistics.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Few open files a task replace the sort that a partitioned write would do.
    "spark.sql.maxConcurrentOutputFileWriters": "64",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    # Enough for the compiled code of all tables of a run: a single table fills Spark's default of 100 entries.
    "spark.sql.codegen.cache.maxEntries": "4000",
    # Text in SQL is what it is: nothing in it is replaced by a variable.
    "spark.sql.variable.substitute": "false",
    # A record may say a key twice; the last counts, as JSON readers have it.
    "spark.sql.variant.allowDuplicateKeys": "true",
}


# Less compilation and a faster start: a small run takes half of the
# processor time. Without all its tiers Java has 48 MB for compiled code; when it is full, Java stops compiling and
# becomes slow.
_SMALL_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"
# A heap that has to grow is collected whole each time. It is reserved at once, and taken as it is needed.
_LARGE_JVM = "-XX:+UseParallelGC -XX:InitialRAMPercentage=33 -XX:MetaspaceSize=256m"


def start_session(
    environment: Environment, settings: Mapping[str, str] | None = None, *, small: bool = False, java_options: str = ""
) -> SparkSession:
    """A session with Headgate's settings, then the environment's, then `settings`: in process, or on its cluster.

    A session of the engine `submitted` has the sizes, jars and master that spark-submit gave it.

    `small` starts a JVM for little data. java_options: further options of Java, in place of those for the archive of
    its classes. Raises SetupError where Java or the jars are missing, ClusterError where no master answers, and
    EnvironmentConfigError where the lake is on S3 and the settings would lose commits there.
    """
    requested = {**environment.spark, **(settings or {})}
    if not environment.is_folder:
        s3.require_log_store(requested, str(environment.path))
    if environment.is_submitted:
        return _submitted_session(environment, requested)
    java = find_java()
    require_versions()
    # They would print the whole Java trace of an author's mistake, which is reported as one line.
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        logging.getLogger(name).disabled = True
    # Python workers must use this Python, with its installed packages.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    jars, jvm = class_path(environment), _SMALL_JVM if small else _LARGE_JVM
    driver = f"{jvm} {java_options or archive_option(java, jars)}"
    chosen = _chosen_settings(environment, requested, jars, driver, jvm)
    builder = SparkSession.builder.appName("headgate").config(map=dict(chosen))
    require_master(chosen.get("spark.master", ""))
    with without_banner():
        session = builder.master(chosen.get("spark.master", "local[*]")).getOrCreate()
    import_helpers(session)
    require_same(session.version)
    session.sparkContext.setLogLevel("ERROR")
    logging.getLogger(__name__).info("Spark %s started, master %s", session.version, session.sparkContext.master)
    if environment.is_cluster:
        keep_staged(session, environment)
        watch_master(session, chosen["spark.master"])
    return session


def _chosen_settings(
    environment: Environment, requested: Mapping[str, str], jars: str, driver: str, workers: str
) -> dict[str, str]:
    """Headgate's settings, those of the engine and the lake, and over all of them `requested`.

    driver, workers: their options of Java.
    """
    return {
        **_SETTINGS,
        **_local_settings(driver, jars),
        **(cluster_settings(environment, workers, jars) if environment.is_cluster else {}),
        **({} if environment.is_folder else s3.s3_settings()),
        **requested,
    }


def _submitted_session(environment: Environment, settings: Mapping[str, str]) -> SparkSession:
    """A session of the Spark that spark-submit configured. Raises SetupError if its Delta is not the tested version.

    Parquet is committed by that Spark's own committer: EMR has a committer for S3, and the package has none.
    """
    chosen = {
        **{name: value for name, value in _SETTINGS.items() if name != "spark.ui.enabled"},
        **({} if environment.is_folder else s3.s3_settings()),
        **settings,
    }
    session = SparkSession.builder.appName("headgate").config(map=dict(chosen)).getOrCreate()
    import_helpers(session)
    session.sparkContext.setLogLevel("ERROR")
    delta = require_one_delta(delta_jars(session))
    logging.getLogger(__name__).info("Spark %s, Delta %s", session.version, delta.address)
    if not str(session.sparkContext.master).startswith("local"):
        keep_staged(session, environment)  # executors come and go
    return session


def stop_session(session: SparkSession) -> None:
    """Ends the application, and removes its staged files on a cluster. Nothing is left to end where its JVM is gone."""
    with suppress(*(() if is_alive(session) else (Exception,))):
        try:
            forget_staged(session)
        finally:
            session.stop()


def class_path(environment: Environment) -> str:
    """The class path in addition to Spark's jars, with S3's jars for a lake on S3. Raises SetupError."""
    parts = [f"{ensure_jars()}/*", str(HEADGATE)]
    if not environment.is_folder:
        parts.append(f"{ensure_s3_jars()}/*")
    return os.pathsep.join(parts)


def _local_settings(jvm: str, jars: str) -> dict[str, str]:
    cores = os.cpu_count() or 2
    return {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": f"{driver_gigabytes()}g",
        "spark.driver.extraClassPath": jars,
        "spark.driver.extraJavaOptions": f"{jvm} -Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}",
        "spark.sql.shuffle.partitions": str(max(4, cores * 2)),
    }


def driver_gigabytes() -> int:
    """A third of the machine's memory, from 1 to 8 GB: in one process the driver is the executor too."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(8, memory // 3 // 2**30))
