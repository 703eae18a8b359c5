"""Finds the Java that Spark needs, before anything that would fail without it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from headgate.errors import SetupError

SUPPORTED = (17, 21)
_ADVICE = "install a JDK 17 (or 21) and put it on PATH, or set JAVA_HOME to it"


def find_java() -> Path:
    """The `java` of JAVA_HOME, or else of PATH. Raises SetupError where it is missing or of a wrong version."""
    home = os.environ.get("JAVA_HOME")
    result = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if result is None:
        raise SetupError("no java in JAVA_HOME" if home else "no java on PATH", where=home or "", fix=_ADVICE)
    version = java_version(result)
    if version not in SUPPORTED:
        raise SetupError(f"Spark runs on Java 17 or 21, this is Java {version or '?'}", where=result, fix=_ADVICE)
    return Path(result)


def java_version(java: str) -> int | None:
    """The major version that `java -version` prints, or None where it prints none."""
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', printed)
    return int(match.group(1)) if match else None


if __name__ == "__main__":
    import sys

    try:
        find_java()
    except SetupError as error:
        sys.exit(f"error[{error.code}]: {error}")
