"""The package of a project for EMR, built on this machine: equal inputs give equal bytes.

app-<hash>.zip             Headgate, and the project's conf/ and jobs/ with the one environment
environment-<hash>.tar.gz  the virtual environment
jars/<hash>-<name>         Delta and Headgate's own jar
entry.py                   the entry point of every job
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

import headgate
from headgate.aws.package import python_environment
from headgate.aws.package.archive import digest, files_below, write_tar, write_zip
from headgate.aws.package.python_environment import Target
from headgate.aws.package.releases import Versions
from headgate.contracts.emr import Emr
from headgate.contracts.environment import Environment
from headgate.project import Project

_DELTA_JARS = ("io.delta_", "io.unitycatalog_", "com.fasterxml", "javax.annotation", "org.roaringbitmap", "commons-")


@dataclass(frozen=True)
class PackageFile:
    """A file of the package: its name below the artifacts, where it is here, its SHA-256 and size in bytes."""

    name: str
    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Package:
    """A built package. `version` follows from its content. `largest` are the environment's largest parts."""

    version: str
    files: tuple[PackageFile, ...]
    lock: tuple[str, ...]
    release: str
    architecture: str
    largest: tuple[tuple[str, int], ...] = field(default=())

    @property
    def size(self) -> int:
        """The package's size in bytes."""
        return sum(file.size for file in self.files)

    def file(self, prefix: str) -> PackageFile:
        """The one file whose name begins with `prefix`."""
        return next(file for file in self.files if file.name.startswith(prefix))

    @property
    def jars(self) -> tuple[PackageFile, ...]:
        return tuple(file for file in self.files if file.name.startswith("jars/"))

    def as_dict(self) -> dict[str, Any]:
        """What the package consists of, as JSON values without paths of this machine."""
        files = [{"name": file.name, "sha256": file.sha256, "size": file.size} for file in self.files]
        details = asdict(self) | {"files": files, "size": self.size}
        del details["largest"]
        return details


def build(
    project: Project, environment: Environment, values: Mapping[str, Any], jars: Sequence[Path], cache: Path
) -> Package:
    """Builds the package of an environment in `cache`, which keeps Python environments between builds.

    `values` are the environment's effective settings, `jars` those of Delta and Headgate. Raises SetupError where a
    wheel is missing.
    """
    emr = environment.emr
    cache.mkdir(parents=True, exist_ok=True)
    lock = python_environment.locked()
    archive, largest = _environment_archive(lock, _target(emr), cache)
    app = _app(project, environment.name, values, cache)
    entry = Path(headgate.__file__).parent / "aws" / "package" / "entry.py"
    files = [_named("app-", app), _named("environment-", archive), PackageFile("entry.py", entry, *_facts(entry))]
    files += [_jar(jar) for jar in _used(jars, emr)]
    ordered = tuple(sorted(files, key=lambda file: file.name))
    text = json.dumps([[file.name, file.sha256] for file in ordered])
    content = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Package(content, ordered, tuple(lock), emr.release, emr.architecture, tuple(largest))


def pinned(emr: Emr, delta: str, hadoop: str) -> Versions:
    """What Headgate is pinned to. `delta` and `hadoop` are Maven coordinates."""
    name, number = delta.split(":")[1:]
    return Versions(
        version("pyspark"), number, name.rpartition("_")[2], 17, hadoop.split(":")[2], (emr.python_version,)
    )


def _target(emr: Emr) -> Target:
    return Target(emr.python, emr.python_version, emr.architecture)


def _environment_archive(lock: Sequence[str], target: Target, cache: Path) -> tuple[Path, list[tuple[str, int]]]:
    """The archived environment and its largest parts, built only where the cache has none of this lock."""
    name = python_environment.lock_hash(lock, target)
    archive, details = cache / f"environment-{name}.tar.gz", cache / f"environment-{name}.json"
    if not (archive.exists() and details.exists()):
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            folder, packed = Path(scratch) / "environment", Path(scratch) / archive.name
            python_environment.build(folder, lock, target)
            details.write_text(json.dumps(python_environment.sizes(folder)[:20]))
            write_tar(packed, folder)
            packed.replace(archive)
    return archive, [(entry, size) for entry, size in json.loads(details.read_text())]


def _app(project: Project, environment: str, values: Mapping[str, Any], cache: Path) -> Path:
    """The zip of Headgate and the project. It has only the deployed environment."""
    source = Path(headgate.__file__).parent
    files = {f"lib/headgate/{name}": content for name, content in files_below(source).items()}
    for folder in ("conf", "jobs"):
        files |= {f"project/{folder}/{name}": body for name, body in files_below(project.root / folder).items()}
    settings = {name for name in files if name.startswith("project/conf/environments/")}
    files = {name: body for name, body in files.items() if name not in settings}
    kept = {key: value for key, value in values.items() if key not in ("receiver", "cluster", "automation")}
    files[f"project/conf/environments/{environment}.yaml"] = yaml.safe_dump(kept, sort_keys=True).encode()
    path = cache / "app.zip"
    scratch = path.with_suffix(f".{os.getpid()}")
    write_zip(scratch, files)
    named = cache / f"app-{digest(scratch)[:12]}.zip"
    shutil.move(scratch, named)
    return named


def _used(jars: Sequence[Path], emr: Emr) -> list[Path]:
    """The jars to ship: Headgate's own always, Delta's unless those of the release are used."""
    if emr.delta == "package":
        return list(jars)
    return [jar for jar in jars if not jar.name.startswith(_DELTA_JARS)]


def _jar(path: Path) -> PackageFile:
    sha256, size = _facts(path)
    return PackageFile(f"jars/{sha256[:12]}-{path.name}", path, sha256, size)


def _named(prefix: str, path: Path) -> PackageFile:
    sha256, size = _facts(path)
    suffix = "".join(path.suffixes[-2:]) if path.name.endswith(".tar.gz") else path.suffix
    return PackageFile(f"{prefix}{sha256[:12]}{suffix}", path, sha256, size)


def _facts(path: Path) -> tuple[str, int]:
    return digest(path), path.stat().st_size
