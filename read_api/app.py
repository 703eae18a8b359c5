"""The Flask application: made from an environment and the contracts of its tables."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import deltalake
import pyarrow as pa
from flask import Flask, Response

from headgate.aws.secrets import keys_at
from headgate.contracts.environment import Environment, load_environment
from headgate.contracts.read_access import SCOPES_SCHEMA
from headgate.contracts.table_contract import TableContract, load_table_contracts
from headgate.errors import StorageError
from headgate.http import access, api_docs
from headgate.http.keys import KeyRing, keys_of
from headgate.http.metrics import Metrics
from headgate.http.problems import Problem
from headgate.http.responses import install_error_handlers, problem_response
from headgate.ledger.ledger import Ledger
from headgate.project import find_project
from read_api import description
from read_api.catalog import Catalog
from read_api.changes import Changes
from read_api.cursor import CursorSigner
from read_api.engine import Engine
from read_api.files import CopiedFiles, DataFiles, FolderFiles
from read_api.metrics import METRICS
from read_api.native import NativeCopies
from read_api.reader import Reader
from read_api.routes import routes
from read_api.services import EXTENSION, Services
from read_api.snapshots import Snapshots

SECRET_VARIABLE = "HEADGATE_CURSOR_SECRET"  # noqa: S105 - the name of a variable
_COPIES = "headgate-read-api"
_log = logging.getLogger("read_api")


def create_app(environment: Environment, contracts: Mapping[str, TableContract], secret: bytes | None = None) -> Flask:
    """Returns the read API of `environment` for the tables of `contracts`.

    `secret` signs cursors. Raises EnvironmentConfigError if keys are wrong, StorageError if the lake cannot be opened.
    """
    settings = environment.read_api
    _load_libraries()
    app = Flask("read_api", static_folder=None)
    metrics = Metrics(METRICS)
    ledger = Ledger(environment)
    copies = _copies_folder(environment)
    files = _data_files(environment, copies)
    cores = max(1, (os.cpu_count() or 1) // settings.workers)  # more threads than cores make each query slower
    engine = Engine([files.folder, copies], settings.memory_mb, settings.max_seconds, settings.threads, cores)
    native = NativeCopies(engine.connection, copies / "native", settings.native_mb * 2**20)
    reader = Reader(engine, files, native, settings.max_scan_mb * 2**20)
    app.extensions[EXTENSION] = Services(
        settings=settings,
        keys=_keys(environment),
        catalog=Catalog(contracts, settings.store_column),
        ledger=ledger,
        snapshots=Snapshots(ledger, settings.refresh_seconds),
        engine=engine,
        reader=reader,
        changes=Changes(reader, ledger),
        signer=CursorSigner(secret or _secret()),
        metrics=metrics,
    )
    access.install(app, "read_api", metrics)
    app.register_blueprint(routes)
    api_docs.install(app, description.document)
    install_error_handlers(app)
    app.register_error_handler(StorageError, _on_storage_error)
    return app


def for_project(folder: str, environment: str) -> Flask:
    """Returns the read API of the project in `folder`; gunicorn calls it in each worker. Raises HeadgateError."""
    project = find_project(Path(folder))
    return create_app(load_environment(project, environment), load_table_contracts(project))


def _load_libraries() -> None:
    """Loads libraries before the first request: deltalake, and pandas, which pyarrow loads with the first value."""
    _log.debug("deltalake %s, pyarrow %s", deltalake.__version__, pa.array([None, "x"]).type)


def _keys(environment: Environment) -> Callable[[], KeyRing]:
    """The keys of the secret or of the key file, which may change, or those of the environment."""
    settings = environment.read_api
    if settings.keys_file:
        return keys_at(settings.keys_file, SCOPES_SCHEMA, environment.path.parent).ring
    ring = KeyRing(keys_of(settings.clients, "read_api.clients"), "read_api.clients")
    return lambda: ring


def _copies_folder(environment: Environment) -> Path:
    """A folder for copies of the lake's data, below the temporary folder of this user only."""
    folder = Path(tempfile.gettempdir()) / f"{_COPIES}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise StorageError("the folder for copies is open to others", where=str(folder), fix="remove it, or set TMPDIR")
    return folder / hashlib.sha256(str(environment.lake).encode()).hexdigest()[:16]


def _data_files(environment: Environment, copies: Path) -> DataFiles:
    if environment.is_folder:
        return FolderFiles(Path(environment.lake))
    return CopiedFiles(environment.object_store(), copies, environment.read_api.cache_mb * 2**20)


def _secret() -> bytes:
    return os.environ.get(SECRET_VARIABLE, "").encode() or secrets.token_bytes(32)


def _on_storage_error(error: StorageError) -> Response:
    """Answers without the place of the lake, which is for the log only."""

    _log.error("%s", error)
    return problem_response(Problem(503, "storage", "the data cannot be read now; try again", {"Retry-After": "5"}))
