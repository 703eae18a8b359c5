"""What a request handler works with: made once by the application's factory, and passed along by Flask."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import current_app

from headgate.contracts.contract import Contract
from headgate.views.progress import Progress
from ingest_api.landing.land import Clock
from ingest_api.limits import Limits
from ingest_api.metrics import UploadMetrics
from ingest_api.readiness import Readiness
from ingest_api.storage import Storage
from ingest_api.stores import Sender, Stores

EXTENSION = "headgate"


@dataclass(frozen=True)
class Services:
    """The receiver's parts. `sandbox` is the storage of test keys, `limit` the longest body in bytes."""

    stores: Stores
    contracts: Mapping[str, Contract]
    storage: Storage
    sandbox: Storage
    readiness: Readiness
    progress: Progress
    metrics: UploadMetrics
    limits: Limits
    clock: Clock
    limit: int
    resume_hours: int = 24

    def storage_of(self, sender: Sender) -> Storage:
        """Where uploads with this key land."""
        return self.sandbox if sender.sandbox else self.storage


def services() -> Services:
    """The parts of the application that serves this request."""
    parts: Services = current_app.extensions[EXTENSION]
    return parts
