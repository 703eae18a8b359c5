"""What a request handler works with: made once by the application's factory, and passed along by Flask."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import current_app

from headgate.contracts.contract import Contract
from ingest_api.auth import Credentials
from ingest_api.landing.land import Clock
from ingest_api.readiness import Readiness
from ingest_api.storage import Storage

EXTENSION = "headgate"


@dataclass(frozen=True)
class Services:
    """The receiver's parts. `limit` is the longest body in bytes."""

    credentials: Credentials
    contracts: Mapping[str, Contract]
    storage: Storage
    readiness: Readiness
    clock: Clock
    limit: int


def services() -> Services:
    """The parts of the application that serves this request."""
    parts: Services = current_app.extensions[EXTENSION]
    return parts
