"""The jars that Spark needs in addition to its own, resolved once into a folder.

`--packages` would copy every jar at each start; a folder on the driver's class path costs nothing.
`make setup` runs this module. The jars for S3 are 640 MB: they are resolved when a lake on S3 is first used, or by
`python -m headgate.engine.runtime.jars s3`.
"""

import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from headgate.engine.runtime.versions import delta_version, minor, spark_version
from headgate.errors import HeadgateError, SetupError
from headgate.java import find_java

log = logging.getLogger(__name__)

#: Of the installed pair of Spark and Delta; Delta's artifact names Spark's version.
DELTA = f"io.delta:delta-spark_{minor(spark_version())}_2.13:{delta_version()}"
S3A = "org.apache.hadoop:hadoop-aws:3.4.2"
#: Headgate's own jar: the record reader and the LogStore for S3. `make jar` builds it from the sources in its folder.
HEADGATE = Path(__file__).parents[1] / "jvm" / "headgate.jar"


def jars_folder() -> Path:
    """Where the jars are: HEADGATE_JARS, or a folder of this Python environment."""
    return Path(os.environ.get("HEADGATE_JARS") or Path(sys.prefix) / "share" / "headgate" / "jars")


def ensure_jars() -> Path:
    """The folder of jars, resolved now where it is not there yet. Raises SetupError."""
    return _ensured({DELTA: ()}, jars_folder())


def ensure_s3_jars() -> Path:
    """The folder of the additional jars for a lake on S3, as `ensure_jars`."""
    return _ensured({S3A: ()}, jars_folder() / "s3")


def _ensured(packages: Mapping[str, Sequence[str]], folder: Path) -> Path:
    """Returns the folder, with the jars of the packages, each without its excluded dependencies.

    A folder that was resolved for other packages is resolved for those that it lacks.
    """
    resolved = folder / "resolved"
    done = resolved.read_text().split() if resolved.exists() else []
    if other := [package for package in done if package not in packages]:
        raise SetupError(
            f"the jars in {folder} are of {other[0]}, and this environment needs {', '.join(packages)}",
            fix="empty that folder, or let HEADGATE_JARS name another",
        )
    for package, without in packages.items():
        if package not in done:
            log.info("resolving %s into %s", package, folder)
            print(f"headgate: resolving {package} into {folder} (once)", file=sys.stderr)
            _resolve(package, without, folder)
            done.append(package)
            resolved.write_text("\n".join(done))
    return folder


def _resolve(package: str, without: Sequence[str], folder: Path) -> None:
    find_java()
    folder.mkdir(parents=True, exist_ok=True)
    # In the folder itself, so that each jar appears by a rename: another process may read the folder already.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        done = _submit_nothing(package, without, Path(scratch))
        result = sorted((Path(scratch) / "ivy" / "jars").glob("*.jar"))
        if done.returncode != 0 or not result:
            raise SetupError(
                f"the jars of {package} could not be resolved: {_reason(done.stderr)}",
                fix="check the connection to Maven Central, or a mirror set for Ivy, and run make setup again",
            )
        for jar in _not_in_spark(result):
            jar.replace(folder / jar.name)


def _submit_nothing(package: str, without: Sequence[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    """Starts Spark with nothing to do, so that its Ivy fetches the packages."""
    import pyspark

    script = scratch / "nothing.py"
    script.write_text("")
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    left_out = ["--exclude-packages", ",".join(without)] if without else []
    settings = ["--packages", package, *left_out, "--conf", f"spark.jars.ivy={scratch / 'ivy'}"]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(submit.parent.parent)}
    return subprocess.run(
        [str(submit), *settings, str(script)], capture_output=True, text=True, check=False, env=environment
    )


def _not_in_spark(jars: list[Path]) -> list[Path]:
    """The jars whose artifact is not part of Spark: two versions of an artifact would clash."""
    import pyspark

    own = {_artifact(jar.name) for jar in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    return [jar for jar in jars if _artifact(jar.name.partition("_")[2]) not in own]


def _artifact(name: str) -> str:
    return re.sub(r"-\d[\w.\-]*\.jar$", "", name)


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "not found" in line or "Exception" in line]
    return lines[-1] if lines else "Ivy gave no reason"


if __name__ == "__main__":
    try:
        ensure_s3_jars() if "s3" in sys.argv[1:] else ensure_jars()
    except HeadgateError as error:
        sys.exit(f"error[{error.code}]: {error}")
