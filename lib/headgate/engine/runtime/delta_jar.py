"""Which Delta is on the class path of a Spark that somebody else configured: EMR's, or the package's."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import SparkSession

from headgate.engine.runtime.jars import DELTA
from headgate.engine.runtime.jvm_access import class_path_resources
from headgate.errors import SetupError

_CLASS = "io/delta/tables/DeltaTable.class"
_VERSION = re.compile(r"delta-(?:spark|core)[^/]*?-(\d+\.\d+\.\d+[^/!]*?)\.jar")


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
    tested = DELTA.rpartition(":")[2]
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
