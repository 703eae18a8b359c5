"""The deploy manifest: the content of a deployed package, and its schedule.

`headgate deploy` writes it, Airflow's DAGs and the Lambda read it. It imports the standard library and Headgate's
errors only, so that a scheduler can read it in milliseconds.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from headgate.contracts.automation import OUTCOMES, VERBS, Schedule
from headgate.errors import EnvironmentConfigError, suggestion

FORMAT = 1

SERVERLESS, STEPS = "emr-serverless", "emr"

#: The object that names an environment's current package: <artifacts>/<environment>/current.json.
CURRENT = "current.json"

T = TypeVar("T")


@dataclass(frozen=True)
class ManifestTable:
    """A table of the package. `reads` are table names, `grain` the first line of the function's docstring."""

    name: str
    reads: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    grain: str = ""
    code_hash: str = ""
    suite_hash: str = ""
    fresh_within: str = ""

    @property
    def layer(self) -> str:
        """bronze, silver or gold."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class JobSettings:
    """How a job is submitted to EMR. `platform` is `emr-serverless` or `emr` (steps on a cluster)."""

    platform: str
    region: str
    entry_point: str
    spark_submit_parameters: str = ""
    application_id: str = ""
    cluster_id: str = ""
    execution_role_arn: str = ""
    log_uri: str = ""
    timeout_minutes: int = 120


@dataclass(frozen=True)
class Manifest:
    """A deployed package. `version` names the package; `graph` is the table graph as `headgate plan` caches it."""

    project: str
    environment: str
    version: str
    lake: str
    job: JobSettings
    tables: tuple[ManifestTable, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    topic_arn: str = ""
    queue_url: str = ""
    dead_letter_queue_url: str = ""
    pool: str = "headgate"
    quarantine_share: float = 0.05
    lookback_hours: float = 26.0
    graph: Mapping[str, Any] = field(default_factory=dict)

    def schedule(self, name: str) -> Schedule | None:
        """The schedule with this name; None if the environment has none."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)

    def layer(self, layer: str) -> tuple[ManifestTable, ...]:
        """The tables of one layer: bronze, silver or gold."""
        return tuple(table for table in self.tables if table.layer == layer)

    def to_json(self) -> str:
        """The manifest as JSON text, with sorted keys: equal manifests give equal bytes."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "manifest") -> Manifest:
        """Reads a manifest. Raises EnvironmentConfigError for another format, an unknown, missing or wrong key."""
        try:
            value = json.loads(text)
        except ValueError as error:
            raise EnvironmentConfigError(f"no JSON: {error}", where=where, fix="deploy again") from error
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            written = value.get("format") if isinstance(value, dict) else None
            raise EnvironmentConfigError(
                f"manifest format {written}, and this version of Headgate reads format {FORMAT}",
                where=where,
                fix="deploy the package and update Airflow with the same version of Headgate",
            )
        del value["format"]
        manifest = _build(cls, value, where)
        _check(manifest, where)
        return manifest


@dataclass(frozen=True)
class CurrentPackage:
    """Which package of an environment is current: the content of CURRENT. `versions` are the newest first.

    A deploy or a rollback replaces this one object, so that readers see the package before or the package after.
    """

    manifest: str
    versions: tuple[str, ...]

    def to_json(self) -> str:
        """The content of the object."""
        return json.dumps({"version": self.versions[0], **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes, where: str = CURRENT) -> CurrentPackage:
        """Reads what `to_json` wrote. Raises EnvironmentConfigError for anything else."""
        try:
            value = json.loads(text)
            return cls(value["manifest"], tuple(value["versions"]))
        except (ValueError, KeyError, TypeError) as error:
            raise EnvironmentConfigError(
                f"does not name a package: {error}", where=where, fix="deploy again: headgate deploy"
            ) from error


def manifest_path(version: str) -> str:
    """Where a package's manifest is, below <artifacts>/<environment>/."""
    return f"packages/{version}/manifest.json"


def load_manifest(path: Path) -> Manifest:
    """Reads the manifest file at `path`. Raises EnvironmentConfigError."""
    try:
        return Manifest.from_json(path.read_bytes(), str(path))
    except OSError as error:
        raise EnvironmentConfigError(
            f"cannot be read: {error.strerror}", where=str(path), fix="headgate deploy writes it"
        ) from error


def _build(kind: type[T], value: Any, where: str) -> T:
    """An instance of the dataclass `kind` from JSON. Lists become tuples, objects become their dataclasses."""
    if not isinstance(value, dict):
        raise EnvironmentConfigError(f"expected an object, got {type(value).__name__}", where=where)
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in known:
            raise EnvironmentConfigError(f"unknown key '{key}'.{suggestion(key, known)}", where=where, fix="remove it")
    hints = typing.get_type_hints(kind)
    for name, item in known.items():
        if name not in value and item.default is MISSING and item.default_factory is MISSING:
            raise EnvironmentConfigError(f"the key '{name}' is missing", where=where, fix="deploy again")
    return kind(**{name: _value(hints[name], item, f"{where}: {name}") for name, item in value.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise EnvironmentConfigError(f"expected a list, got {type(value).__name__}", where=where)
        return tuple(_value(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return _build(hint, value, where)
    expected = (int, float) if hint is float else (origin or hint)
    wanted = dict if origin is not None else expected
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise EnvironmentConfigError(f"expected {hint}, got {type(value).__name__}", where=where)
    return value


def _check(manifest: Manifest, where: str) -> None:
    """Checks rules that types cannot express. Raises EnvironmentConfigError."""
    if manifest.job.platform not in (SERVERLESS, STEPS):
        raise EnvironmentConfigError(
            f"unknown platform '{manifest.job.platform}'", where=where, fix=f"use {SERVERLESS} or {STEPS}"
        )
    for schedule in manifest.schedules:
        for words, known in ((schedule.verbs, VERBS), (schedule.notify, OUTCOMES)):
            for word in words:
                if word not in known:
                    raise EnvironmentConfigError(
                        f"schedule {schedule.name}: unknown '{word}'.{suggestion(word, known)}",
                        where=where,
                        fix=f"use {', '.join(known)}",
                    )
