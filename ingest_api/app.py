"""The Flask application: made from an environment and contracts, and answering every failure as a problem."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response
from obstore.store import ObjectStore
from werkzeug.exceptions import HTTPException

from headgate.contracts.contract import Contract, load_contracts
from headgate.contracts.environment import Environment, load_environment
from headgate.errors import EnvironmentConfigError, StorageError
from headgate.http.problems import MEDIA_TYPE, Problem
from headgate.lake.landing import Upload
from headgate.project import find_project
from ingest_api import exchange
from ingest_api.auth import Credentials
from ingest_api.landing.land import Clock, KeyReused
from ingest_api.readiness import Readiness
from ingest_api.routes import routes
from ingest_api.services import EXTENSION, Services
from ingest_api.storage import open_storage

_LONGEST_NAME = 255  # bytes of a file's name
_RETRY_AFTER = "5"  # seconds
_log = logging.getLogger("ingest_api")


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    environment: Environment,
    contracts: Mapping[str, Contract],
    store: ObjectStore | None = None,
    clock: Clock = _now,
) -> Flask:
    """The receiver of `environment` for these datasets.

    `store` replaces the environment's own object store (rooted at the lake); `clock` gives the
    time in UTC. Raises EnvironmentConfigError where two stores share a key, or a name is too long.
    """
    _check_names(environment, contracts)
    app = Flask("ingest_api", static_folder=None)
    storage = open_storage(environment, store)
    app.extensions[EXTENSION] = Services(
        Credentials(environment.receiver.store_keys),
        contracts,
        storage,
        Readiness(storage),
        clock,
        environment.receiver.max_upload_bytes,
    )
    app.register_blueprint(routes)
    exchange.install(app)
    _install_error_handlers(app)
    return app


def for_project(folder: str, environment: str) -> Flask:
    """The receiver of the project in `folder`, as gunicorn calls it in each worker. Raises HeadgateError."""
    project = find_project(Path(folder))
    return create_app(load_environment(project, environment), load_contracts(project))


def _check_names(environment: Environment, contracts: Mapping[str, Contract]) -> None:
    """Each object's name holds its dataset and store: what does not fit could never land."""
    for store in environment.receiver.store_keys:
        for contract in contracts.values():
            name = Upload(contract.dataset, store, _now(), "0" * 32).id + max(contract.suffixes, key=len)
            if len(name) > _LONGEST_NAME:
                raise EnvironmentConfigError(
                    f"the name of the store '{store}' is too long",
                    where="receiver.store_keys",
                    fix="shorten it; each letter outside A-Z, a-z, 0-9, _ and - takes the place of 3 to 12",
                )


def _install_error_handlers(app: Flask) -> None:
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(KeyReused, _on_key_reused)
    app.register_error_handler(StorageError, _on_storage_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(Exception, _on_unexpected)


def _answer(problem: Problem) -> Response:
    return Response(json.dumps(problem.as_dict()), problem.status, problem.headers, content_type=MEDIA_TYPE)


def _on_key_reused(error: KeyReused) -> Response:
    return _answer(Problem(422, "key-reused", f"{error.what}; {error.fix}", upload=error.where))


def _on_storage_error(error: StorageError) -> Response:
    """Where the lake is and why it fails is for the log, not for the stores."""
    _log.error("%s", error)
    detail = "the upload could not be stored now; send it again with the same Idempotency-Key"
    return _answer(Problem(503, "storage", detail, {"Retry-After": _RETRY_AFTER}))


def _on_http_error(error: HTTPException) -> Response:
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    status = error.code or 500
    return _answer(Problem(status, "http", error.description or error.name, headers))


def _on_unexpected(error: Exception) -> Response:
    _log.exception("unexpected error")
    detail = "an unexpected error; nothing is promised, send the upload again with the same Idempotency-Key"
    return _answer(Problem(500, "internal", detail))
