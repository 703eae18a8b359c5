"""The pairs of Spark and Delta that Headgate is tested on, and the check of them at the start of a session.

`make test-versions` runs a part of the engine's tests on each pair. A wrong pair would fail late, and as a
NoSuchMethodError in the middle of a commit.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pyspark

from headgate.errors import SetupError

#: Spark's minor version, and Delta's minor versions that are built for it.
PAIRS = {"4.1": ("4.2",), "4.2": ("4.4",)}


_PINNED_DELTA = "4.2.0"


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
