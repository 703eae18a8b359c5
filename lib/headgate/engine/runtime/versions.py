"""The pairs of Spark and Delta that Headgate is tested on, and the check of them at the start of a session.

`make test-versions` runs a part of the engine's tests on each pair. A wrong pair would fail late, and as a
NoSuchMethodError in the middle of a commit. Of a Spark that somebody else configured, such as EMR's, the Delta on its
class path is checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import pyspark
from pyspark.sql import SparkSession

from headgate.engine.runtime.jvm_access import class_path_resources
from headgate.errors import SetupError

#: Spark's minor version, and Delta's minor versions that are built for it.
PAIRS = {"4.1": ("4.2",), "4.2": ("4.4",)}
_PINNED_DELTA = "4.2.0"
_CLASS = "io/delta/tables/DeltaTable.class"
_VERSION = re.compile(r"delta-(?:spark|core)[^/]*?-(\d+\.\d+\.\d+[^/!]*?)\.jar")


def spark_version() -> str:
    """PySpark's version. Spark's own distribution, as on EMR, has no metadata of a package."""
    return str(pyspark.__version__)


def delta_version() -> str:
    """The installed version of delta-spark; the pinned version if it is not installed as a package."""
    try:
        return version("delta-spark")
    except PackageNotFoundError:
        return _PINNED_DELTA


def require_versions(spark: str = "", delta: str = "") -> None:
    """Raises SetupError if PySpark and delta-spark are not a tested pair. Default: the installed versions."""
    spark, delta = spark or spark_version(), delta or delta_version()
    tested = "; ".join(f"pyspark {item} with delta-spark {' or '.join(of)}" for item, of in PAIRS.items())
    if minor(delta) not in PAIRS.get(minor(spark), ()):
        raise SetupError(
            f"pyspark {spark} with delta-spark {delta} is not a tested pair of versions",
            fix=f"install a tested pair: {tested}. make setup installs the pinned pair",
        )


def require_same(java: str, python: str = "") -> None:
    """Raises SetupError where Spark's jars are of another minor version than PySpark, such as by SPARK_HOME."""
    python = python or spark_version()
    if minor(java) != minor(python):
        raise SetupError(
            f"Spark's jars are of {java}, and PySpark is {python}",
            fix="unset SPARK_HOME, or let it name the Spark of this Python environment",
        )


def minor(text: str) -> str:
    """The first two parts of a version; EMR adds its own after them: 4.1.1-amzn-0."""
    return ".".join(text.split(".")[:2])


@dataclass(frozen=True)
class DeltaJar:
    """A jar with Delta. `version` is that of its file name, empty where the name has none."""

    address: str
    version: str


def delta_jars(session: SparkSession) -> list[DeltaJar]:
    """The jars of the driver's class path that have Delta, in the order in which they are searched."""
    result = (resource.removeprefix("jar:").partition("!")[0] for resource in class_path_resources(session, _CLASS))
    return [DeltaJar(address, version_of(address)) for address in result]


def version_of(address: str) -> str:
    """The version in the file name of a Delta jar; empty where there is none."""
    match = _VERSION.search(address)
    return match[1] if match else ""


def require_one_delta(jars: list[DeltaJar]) -> DeltaJar:
    """Returns the Delta version in use. Raises SetupError for no, several, or an untested Delta."""
    tested = delta_version()
    if not jars:
        raise SetupError(
            f"no Delta on Spark's class path; {tested} is needed",
            where="spark.jars",
            fix="set emr.delta to package, or to release and check where the release keeps its Delta jars",
        )
    if len(jars) > 1:
        raise SetupError(
            "more than one Delta on Spark's class path; the version in use is undefined",
            where=", ".join(jar.address for jar in jars),
            fix="remove one of them: set emr.delta to release, or take Delta out of the release's configuration",
        )
    if jars[0].version and not jars[0].version.startswith(tested):
        raise SetupError(
            f"Delta {jars[0].version} is on Spark's class path, and Headgate was tested with {tested}",
            where=jars[0].address,
            fix="use the EMR release that the package was built for",
        )
    return jars[0]
