"""The archived virtual environment of a job: the versions that are installed here, as wheels for EMR's machines.

Wheels are chosen by platform tag, so that no compiler is needed and a laptop of any architecture can build it.
pyspark is left out: the release includes it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from headgate.errors import SetupError

#: What a job imports. Everything that these need comes along.
ROOTS = (
    "boto3",  # registers gold in Glue
    "click",
    "deltalake",
    "delta-spark",
    "great-expectations",
    "jsonschema",
    "jsonschema-rs",
    "obstore",
    "open-data-contract-standard",
    "orjson",
    "pandas",
    "pyarrow",
    "PyYAML",
    "rich",
    "httpx",
)
#: Packages that the release includes.
PROVIDED = ("pyspark", "py4j")

#: Architecture of EMR -> platform name of uv, and pip's tags. Amazon Linux 2023 has glibc 2.34.
_PLATFORMS = {
    "x86_64": ("x86_64-manylinux_2_28", "x86_64"),
    "arm64": ("aarch64-manylinux_2_28", "aarch64"),
}
_GLIBCS = (
    "manylinux_2_28",
    "manylinux_2_27",
    "manylinux_2_26",
    "manylinux_2_24",
    "manylinux2014",
    "manylinux_2_17",
    "manylinux2010",
    "manylinux_2_12",
    "manylinux1",
    "manylinux_2_5",
)
#: Files that differ between installers and are not needed, and the tests of large packages.
_UNNEEDED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
_TESTED_PACKAGES = ("numpy", "pandas", "pyarrow", "scipy")


@dataclass(frozen=True)
class Target:
    """The machines of a job: `python` is the interpreter's path on them, `architecture` x86_64 or arm64."""

    python: str
    version: str
    architecture: str


def locked(roots: Iterable[str] = ROOTS, provided: Iterable[str] = PROVIDED) -> list[str]:
    """`name==version` of the roots and of all that they need, as installed here, in order of name.

    Raises SetupError if a package is not installed.
    """
    left_out = {canonicalize_name(name) for name in provided}
    versions: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in left_out or name in versions:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError as error:
            raise SetupError(f"{name} is not installed", where="deploy", fix="make setup, then deploy again") from error
        versions[name] = installed.version
        waiting += [text for text in installed.requires or () if _applies(Requirement(text), requirement.extras)]
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    """Whether a dependency is needed on EMR's Linux, for one of the extras or without any."""
    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**linux, "extra": extra}) for extra in ("", *extras))


def lock_hash(lock: Sequence[str], target: Target) -> str:
    """The name of the environment of a lock: equal content, equal name."""
    text = "\n".join([*lock, target.python, target.version, target.architecture])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build(folder: Path, lock: Sequence[str], target: Target) -> None:
    """Makes the virtual environment in an empty folder. Raises SetupError where a wheel is missing."""
    packages = folder / "lib" / f"python{target.version}" / "site-packages"
    packages.mkdir(parents=True)
    _install(packages, lock, target)
    _remove_unneeded(packages)
    home = target.python.rpartition("/")[0]
    (folder / "pyvenv.cfg").write_text(
        f"home = {home}\ninclude-system-site-packages = false\nversion = {target.version}\n"
    )
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(target.python)


def sizes(folder: Path) -> list[tuple[str, int]]:
    """The largest entries of the environment's packages with their bytes, the largest first."""
    packages = next(folder.glob("lib/python*/site-packages"))
    totals = {
        entry.name: sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
        for entry in packages.iterdir()
        if entry.is_dir()
    }
    return sorted(totals.items(), key=lambda item: -item[1])


def _install(packages: Path, lock: Sequence[str], target: Target) -> None:
    for command in _installers(packages, target):
        done = subprocess.run([*command, *lock], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "No module named pip" not in done.stderr:
            break
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    raise SetupError(
        f"the job's environment could not be built: {' '.join(lines[-3:])[:600]}",
        where=f"Python {target.version} on {target.architecture}",
        fix="every package needs a wheel for this platform; install uv or pip where neither is there",
    )


def _installers(packages: Path, target: Target) -> list[list[str]]:
    """The commands that can install wheels of another platform: uv if it is installed, then pip."""
    uv = shutil.which("uv")
    pythons = dict.fromkeys([sys.executable, getattr(sys, "_base_executable", sys.executable)])
    commands = [[uv, *_uv_options(packages, target)]] if uv else []
    return [*commands, *([python, *_pip_options(packages, target)] for python in pythons)]


def _uv_options(packages: Path, target: Target) -> list[str]:
    platform = ["--python-platform", _PLATFORMS[target.architecture][0], "--python-version", target.version]
    wheels = ["--no-deps", "--only-binary", ":all:", "--target", str(packages), "--link-mode", "copy"]
    return ["pip", "install", "-q", *wheels, "--python", sys.executable, *platform]


def _pip_options(packages: Path, target: Target) -> list[str]:
    tag = _PLATFORMS[target.architecture][1]
    tags = [text for glibc in _GLIBCS for text in ("--platform", f"{glibc}_{tag}")]
    wheels = ["--no-deps", "--only-binary=:all:", "--no-compile", "--target", str(packages)]
    python = ["--python-version", target.version, "--implementation", "cp"]
    return ["-m", "pip", "install", "-q", "--disable-pip-version-check", *wheels, *python, *tags]


def _remove_unneeded(packages: Path) -> None:
    """Removes files that differ between installs or that no job imports."""
    for name in ("bin", ".lock", ".gitignore"):
        path = packages / name
        if path.is_dir():
            shutil.rmtree(path)  # scripts with this machine's paths in their first line
        else:
            path.unlink(missing_ok=True)
    for cache in list(packages.rglob("__pycache__")):
        shutil.rmtree(cache)
    for metadata in packages.glob("*.dist-info"):
        for name in _UNNEEDED:
            (metadata / name).unlink(missing_ok=True)
    for package in _TESTED_PACKAGES:
        for tests in sorted((packages / package).rglob("tests")):
            if tests.is_dir():
                shutil.rmtree(tests)
    shutil.rmtree(packages / "pyarrow" / "include", ignore_errors=True)
