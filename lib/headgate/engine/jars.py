"""The jars that Spark needs beside its own, resolved once into a folder.

`--packages` would copy every jar at each start; a folder on the driver's class path costs nothing.
Run as `python -m headgate.engine.jars` by the set-up.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from headgate.errors import HeadgateError, SetupError
from headgate.java import find_java

DELTA = "io.delta:delta-spark_4.1_2.13:4.2.0"


def jars_folder() -> Path:
    """Where the jars are: HEADGATE_JARS, or a folder of this Python environment."""
    return Path(os.environ.get("HEADGATE_JARS") or Path(sys.prefix) / "share" / "headgate" / "jars")


def ensure_jars() -> Path:
    """The folder of jars, resolved now where it is not there yet. Raises SetupError."""
    folder = jars_folder()
    if not (folder / "resolved").exists():
        print(f"headgate: resolving {DELTA} into {folder} (once)", file=sys.stderr)
        _resolve(folder)
    return folder


def _resolve(folder: Path) -> None:
    find_java()
    with tempfile.TemporaryDirectory() as scratch:
        done = _submit_nothing(Path(scratch))
        found = sorted((Path(scratch) / "ivy" / "jars").glob("*.jar"))
        if done.returncode != 0 or not found:
            raise SetupError(
                f"the jars of {DELTA} could not be resolved: {_reason(done.stderr)}",
                fix="check the connection to Maven Central, or a mirror set for Ivy, and run make setup again",
            )
        folder.mkdir(parents=True, exist_ok=True)
        for jar in _not_in_spark(found):
            shutil.copy(jar, folder / jar.name)
        (folder / "resolved").write_text(DELTA)


def _submit_nothing(scratch: Path) -> subprocess.CompletedProcess[str]:
    """Starts Spark with nothing to do, so that its Ivy fetches the packages."""
    import pyspark

    script = scratch / "nothing.py"
    script.write_text("")
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    settings = ["--packages", DELTA, "--conf", f"spark.jars.ivy={scratch / 'ivy'}"]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(submit.parent.parent)}
    return subprocess.run(
        [str(submit), *settings, str(script)], capture_output=True, text=True, check=False, env=environment
    )


def _not_in_spark(jars: list[Path]) -> list[Path]:
    """The jars whose artifact Spark does not bring itself: two versions of one would clash."""
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
        ensure_jars()
    except HeadgateError as error:
        sys.exit(f"error[{error.code}]: {error}")
