"""The Flask application: made from an environment and contracts, and answering every failure as a problem."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from flask import Flask, Response, g
from obstore.store import ObjectStore

from headgate.contracts.contract import Contract, load_contracts
from headgate.contracts.environment import Environment, load_environment
from headgate.errors import EnvironmentConfigError, StorageError
from headgate.http import access, api_docs
from headgate.http.metrics import Metrics
from headgate.http.problems import Problem
from headgate.http.responses import install_error_handlers, problem_response
from headgate.lake.upload_identity import Upload, whole_hour
from headgate.project import find_project
from headgate.views.progress import Progress
from ingest_api import exchange
from ingest_api.catalog import catalog
from ingest_api.description import description
from ingest_api.landing.land import Clock, KeyReused, now
from ingest_api.limits import Limits
from ingest_api.metrics import METRICS, UploadMetrics
from ingest_api.presigned_routes import presigned
from ingest_api.readiness import Readiness
from ingest_api.resumable_routes import resumable
from ingest_api.routes import routes
from ingest_api.services import EXTENSION, Services, services
from ingest_api.storage import open_storage
from ingest_api.stores import Stores

#: Uploads with a sandbox key land below this folder of the lake, which no pipeline reads.
SANDBOX = "sandbox"
_LONGEST_NAME = 255  # bytes of a file's name
_RETRY_AFTER = "5"  # seconds
_UNEXPECTED = "an unexpected error; nothing is promised, send the upload again with the same Idempotency-Key"
_log = logging.getLogger("ingest_api")


def create_app(
    environment: Environment,
    contracts: Mapping[str, Contract],
    store: ObjectStore | None = None,
    clock: Clock = now,
) -> Flask:
    """The receiver of `environment` for these datasets.

    `store` replaces the environment's own object store (rooted at the lake); `clock` gives the time in UTC. Raises
    EnvironmentConfigError where two stores share a key, or a name is too long.
    """
    settings = environment.receiver
    stores = Stores(settings)
    _check_names(stores.names, contracts)
    app = Flask("ingest_api", static_folder=None)
    storage = open_storage(environment, store)
    metrics = Metrics(METRICS)
    app.extensions[EXTENSION] = Services(
        stores,
        contracts,
        storage,
        open_storage(replace(environment, lake=f"{environment.lake}/{SANDBOX}")),
        Readiness(storage),
        Progress(environment),
        UploadMetrics(metrics),
        Limits(settings.long_uploads, settings.waiting_requests),
        clock,
        settings.max_upload_bytes,
        settings.resume_hours,
    )
    for blueprint in (routes, resumable, presigned, catalog):
        app.register_blueprint(blueprint)
    access.install(app, "ingest_api", metrics)
    exchange.install(app)
    _install_error_handlers(app)
    api_docs.install(app, lambda: description(contracts))
    return app


def for_project(folder: str, environment: str) -> Flask:
    """The receiver of the project in `folder`, as gunicorn calls it in each worker. Raises HeadgateError."""
    project = find_project(Path(folder))
    return create_app(load_environment(project, environment), load_contracts(project))


def _check_names(stores: list[str], contracts: Mapping[str, Contract]) -> None:
    """Refuses names of dataset and store that are too long for an object's name."""
    for store in stores:
        for contract in contracts.values():
            name = Upload(contract.dataset, store, whole_hour(now()), "0" * 32).id + max(contract.suffixes, key=len)
            if len(name) > _LONGEST_NAME:
                raise EnvironmentConfigError(
                    f"the name of the store '{store}' is too long",
                    where="receiver.store_keys",
                    fix="shorten it; each letter outside A-Z, a-z, 0-9, _ and - takes the place of 3 to 12",
                )


def _install_error_handlers(app: Flask) -> None:
    install_error_handlers(app, _UNEXPECTED)
    app.register_error_handler(Problem, _on_problem)
    app.register_error_handler(KeyReused, _on_key_reused)
    app.register_error_handler(StorageError, _on_storage_error)


def _on_problem(problem: Problem) -> Response:
    if dataset := g.get("dataset"):
        services().metrics.refused(dataset, problem.code)
    return problem_response(problem)


def _on_key_reused(error: KeyReused) -> Response:
    return _on_problem(Problem(422, "key-reused", f"{error.message}; {error.fix}", upload=error.where))


def _on_storage_error(error: StorageError) -> Response:
    """Where the lake is and why it fails is for the log, not for the stores."""
    _log.error("%s", error)
    detail = "the lake does not answer now; send the request again with the same Idempotency-Key"
    return _on_problem(Problem(503, "storage", detail, {"Retry-After": _RETRY_AFTER}))
