"""An environment: where the lake is, which engine runs it, and its settings, from conf/environments.

Any key can be set by a variable, HEADGATE_ and its path in capitals: HEADGATE_RECEIVER_PORT=8081.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from headgate import faults
from headgate.contracts import automation, catalog, read_access, watch
from headgate.contracts import emr as emr_settings
from headgate.contracts.automation import Automation
from headgate.contracts.catalog import Catalog, catalog_from
from headgate.contracts.emr import Emr
from headgate.contracts.environment_variables import overridden
from headgate.contracts.read_access import ReadApi
from headgate.contracts.watch import Watch
from headgate.document import Document, Invalid, Problem, as_error, check, load_document
from headgate.errors import EnvironmentConfigError, StorageError, suggestion
from headgate.lake import s3
from headgate.lake.landing import DEFAULT_LOOKBACK, LEAST_LOOKBACK
from headgate.modules import table_names
from headgate.project import Project

#: `local`: Spark in this process. `cluster`: a Spark standalone cluster. `emr`: jobs that are submitted to EMR.
#: `submitted`: the Spark of the spark-submit that started this process, as inside an EMR job.
ENGINES = ("local", "cluster", "emr", "submitted")

DEFAULT_TIME_TRAVEL = timedelta(days=7)
DEFAULT_PARALLEL_TABLES = 4
LOOPBACK = "127.0.0.1"

_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/.*)?")
_COUNT = {"type": "integer", "minimum": 1, "x-wanted": "a whole number from 1"}
_DIGEST = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "x-secret": True,  # whoever errs here may have written the key itself
    "x-wanted": "the SHA-256 of a key, as 64 lower-case hex digits",
}
_RECEIVER: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "host": {"type": "string", "minLength": 1, "x-wanted": "a host name or address"},
        "port": {"type": "integer", "minimum": 0, "maximum": 65535, "x-wanted": "a port from 0 to 65535"},
        "workers": _COUNT,
        "threads": _COUNT,
        "max_upload_bytes": _COUNT,
        "long_uploads": _COUNT,
        "waiting_requests": _COUNT,
        "resume_hours": _COUNT,
        "key_file": {"type": "string", "minLength": 1, "x-wanted": "a file, or secretsmanager:NAME"},
        "store_keys": {
            "type": "object",
            "x-secret": True,
            "x-wanted": "a list of digests for each store",
            "additionalProperties": {
                "type": "array",
                "items": _DIGEST,
                "x-secret": True,
                "x-wanted": "a list of the SHA-256 digests of keys",
            },
        },
    },
}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535, "x-wanted": "a port from 1 to 65535"}
_CLUSTER: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "port": _PORT,
        "ui_port": _PORT,
        "workers": _COUNT,
        "worker_cores": _COUNT,
        "worker_memory_gb": _COUNT,
    },
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["lake"],
    "properties": {
        "lake": {"type": "string", "minLength": 1, "x-wanted": "a folder, or s3://bucket/prefix"},
        "engine": {"enum": list(ENGINES)},
        "spark": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        "lookback_hours": {"type": "number", "maximum": 8784, "x-wanted": "a number of hours, at most a year"},
        "parallel_tables": _COUNT,
        "time_travel_days": {"type": "number", "minimum": 0, "maximum": 3660, "x-wanted": "a number of days from 0"},
        "receiver": _RECEIVER,
        "cluster": _CLUSTER,
        "automation": automation.SCHEMA,
        "generator": {
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)*$",
            "x-wanted": "the dotted name of a module, such as generators.shop",
        },
        "emr": emr_settings.SCHEMA,
        "read_api": read_access.SCHEMA,
        "catalog": catalog.SCHEMA,
        "watch": watch.SCHEMA,
    },
}


@dataclass(frozen=True)
class Receiver:
    """How the receiver listens. `workers` are processes, `threads` and the next two are numbers for each of them.

    `long_uploads` bounds the bodies above 8 MiB that are received at a time, `waiting_requests` the requests that wait
    for a thread. `resume_hours` is how long an upload that was cut can be resumed. `store_keys` gives, for each store,
    the SHA-256 hex digests of its keys; `key_file` is a file of keys (headgate admin store) or `secretsmanager:NAME`.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2
    threads: int = 32
    max_upload_bytes: int = 128 * 2**20
    long_uploads: int = 4
    waiting_requests: int = 1000
    resume_hours: int = 24
    key_file: str = ""
    store_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """A Spark standalone cluster on this machine. Cores, and memory in GB, are those of each worker."""

    port: int = 7077
    ui_port: int = 7080
    workers: int = 2
    worker_cores: int = 1
    worker_memory_gb: int = 2

    @property
    def master(self) -> str:
        return f"spark://{LOOPBACK}:{self.port}"

    @property
    def ui(self) -> str:
        """The master's web page; below it `/json/` says the same to programs."""
        return f"http://{LOOPBACK}:{self.ui_port}"


@dataclass(frozen=True)
class Environment:
    """The lake of a project, and the engine. `lake` is an absolute folder or an s3:// address."""

    name: str
    lake: str
    engine: str
    spark: Mapping[str, str]
    lookback: timedelta
    receiver: Receiver
    path: Path
    time_travel: timedelta = DEFAULT_TIME_TRAVEL
    parallel_tables: int = DEFAULT_PARALLEL_TABLES
    cluster: Cluster = Cluster()
    automation: Automation = field(default_factory=Automation)
    generator: str = ""  # the module that makes uploads for `headgate generate`; none: from the contracts
    emr: Emr = field(default_factory=Emr)
    read_api: ReadApi = field(default_factory=ReadApi)
    catalog: Catalog = field(default_factory=Catalog)
    watch: Watch = field(default_factory=Watch)

    @property
    def is_cluster(self) -> bool:
        """Whether the engine is a Spark standalone cluster."""
        return self.engine == "cluster"

    @property
    def is_emr(self) -> bool:
        """Whether work with Spark is submitted to EMR instead of done by this process."""
        return self.engine == "emr"

    @property
    def is_submitted(self) -> bool:
        """Whether spark-submit started this process and configured its Spark."""
        return self.engine == "submitted"

    @property
    def is_folder(self) -> bool:
        return not self.lake.startswith(s3.SCHEME)

    @property
    def folder(self) -> Path:
        """The lake's folder. Raises EnvironmentConfigError for a lake on S3."""
        if not self.is_folder:
            raise EnvironmentConfigError(
                f"needs a lake in a folder, and this lake is {self.lake}", where=str(self.path)
            )
        return Path(self.lake)

    def object_store(self) -> ObjectStore:
        """A store rooted at the lake; a folder is made where there is none. Raises StorageError."""
        try:
            return LocalStore(self.folder, mkdir=True) if self.is_folder else s3.object_store(self.lake)
        except (OSError, BaseError) as error:
            raise StorageError(
                f"the lake cannot be opened: {str(error).splitlines()[0]}",
                where=self.lake,
                fix="name a folder that can be made and written, in the environment's lake or HEADGATE_LAKE; "
                "on S3, set AWS's variables (docs/s3.md)",
            ) from error

    def storage_options(self) -> dict[str, str]:
        """Returns the storage options of `deltalake` for this lake."""
        return {} if self.is_folder else s3.storage_options()

    def in_lake(self, project: Project, lake: str) -> Environment:
        """The same environment on another lake. Raises EnvironmentConfigError for an invalid address."""
        if "://" in lake and not _S3.fullmatch(lake):
            raise EnvironmentConfigError(f"'{lake}' is not possible", fix="give a folder, or s3://bucket/prefix")
        return replace(self, lake=_absolute(project, lake))

    def table_uri(self, name: str) -> str:
        """Where the table `name`, such as silver.transactions, is: a folder or an s3:// address."""
        return f"{self.lake}/{table_path(name)}"


def table_path(name: str) -> str:
    """Where the table `name` is below the lake."""
    return name.replace(".", "/")


def load_environment(project: Project, name: str = "local", environ: Mapping[str, str] = os.environ) -> Environment:
    """The environment `name` of `project`, with the variables of `environ` over its file.

    Raises EnvironmentConfigError with every problem of the file and the variables, UsageError for a point to be
    killed at that there is not.
    """
    if faults.VARIABLE in environ:
        bronze = [f"bronze.{path.stem}" for path in sorted(project.datasets.glob("*.yaml"))]
        faults.require_known(environ[faults.VARIABLE], [*bronze, *table_names(project)])
    path = _path_of(project, name)
    try:
        document = overridden(load_document(path, project.relative(path)), environ, _SCHEMA)
        return _environment(project, name, path, document)
    except Invalid as invalid:
        raise as_error(EnvironmentConfigError, invalid.problems) from None


def effective_values(project: Project, name: str, environ: Mapping[str, str] = os.environ) -> Mapping[str, Any]:
    """The keys of the environment `name` with the variables of `environ` over its file, as a deployed package has them.

    Raises EnvironmentConfigError as `load_environment`.
    """
    path = _path_of(project, name)
    try:
        return overridden(load_document(path, project.relative(path)), environ, _SCHEMA).value
    except Invalid as invalid:
        raise as_error(EnvironmentConfigError, invalid.problems) from None


def _path_of(project: Project, name: str) -> Path:
    known = {path.stem: path for path in sorted(project.environments.glob("*.yaml"))}
    if name not in known:
        raise EnvironmentConfigError(
            f"no environment '{name}'.{suggestion(name, known)}",
            where=project.relative(project.environments),
            fix=f"known: {', '.join(known) or 'none'}; choose with --env or HEADGATE_ENV",
        )
    return known[name]


def _environment(project: Project, name: str, path: Path, document: Document) -> Environment:
    """The environment of a document. Raises Invalid."""
    problems = check(document, _SCHEMA) or list(_beyond_schema(document))
    if problems:
        raise Invalid(problems)
    value = document.value
    return Environment(
        name=name,
        lake=_absolute(project, value["lake"]),
        engine=value.get("engine", "local"),
        spark={key: _spark_text(setting) for key, setting in value.get("spark", {}).items()},
        lookback=_lookback(value),
        time_travel=timedelta(days=value["time_travel_days"]) if "time_travel_days" in value else DEFAULT_TIME_TRAVEL,
        parallel_tables=value.get("parallel_tables", DEFAULT_PARALLEL_TABLES),
        receiver=_receiver(project, value.get("receiver", {})),
        cluster=Cluster(**value.get("cluster", {})),
        automation=automation.automation_from(value.get("automation", {})),
        generator=value.get("generator", ""),
        emr=emr_settings.emr_from(value.get("emr", {})),
        read_api=read_access.read_api_from(value.get("read_api", {})),
        catalog=catalog_from(value.get("catalog", {}), value.get("emr", {}).get("region", "")),
        watch=watch.watch_from(value.get("watch", {})),
        path=path,
    )


def _beyond_schema(document: Document) -> Iterator[Problem]:
    lake = document.value["lake"]
    if "://" in lake and not _S3.fullmatch(lake):
        yield document.problem(("lake",), f"'{lake}' is not possible", "give a folder, or s3://bucket/prefix")
    if document.value.get("engine") == "emr":
        yield from _beyond_emr(document)
    least = LEAST_LOOKBACK / timedelta(hours=1)
    if not document.value.get("lookback_hours", least) >= least:
        message = f"less than {LEAST_LOOKBACK / timedelta(minutes=1):.0f} minutes: a late upload could be missed"
        yield document.problem(("lookback_hours",), message, f"give at least {math.ceil(100 * least) / 100}")


def _beyond_emr(document: Document) -> Iterator[Problem]:
    if not document.value["lake"].startswith(s3.SCHEME):
        yield document.problem(("lake",), "EMR jobs cannot read a folder of this machine", "give s3://bucket/prefix")
    for key in emr_settings.missing(emr_settings.emr_from(document.value.get("emr", {}))):
        yield document.problem(("engine",), f"is emr, and {key} is missing", f"set {key}, or HEADGATE_{_variable(key)}")


def _variable(key: str) -> str:
    return key.replace(".", "_").upper()


def _lookback(value: Mapping[str, Any]) -> timedelta:
    return timedelta(hours=value["lookback_hours"]) if "lookback_hours" in value else DEFAULT_LOOKBACK


def _absolute(project: Project, lake: str) -> str:
    """The lake as an address without a closing slash, or as an absolute folder."""
    return lake.rstrip("/") if "://" in lake else str((project.root / Path(lake).expanduser()).resolve())


def _spark_text(setting: str | float | bool) -> str:
    return str(setting).lower() if isinstance(setting, bool) else str(setting)


def _receiver(project: Project, value: Mapping[str, Any]) -> Receiver:
    keys = {store: tuple(digests) for store, digests in value.get("store_keys", {}).items()}
    file = value.get("key_file", "")
    if file and not file.startswith("secretsmanager:"):
        file = _absolute(project, file)
    return Receiver(**{**value, "store_keys": keys, "key_file": file})
