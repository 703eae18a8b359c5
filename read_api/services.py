"""What a request handler works with: made once by the application's factory, and passed along by Flask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, request

from headgate.contracts.read_access import ReadApi, Scopes, scopes_from
from headgate.http.access import note
from headgate.http.keys import KeyRing
from headgate.http.metrics import Metrics
from headgate.ledger.ledger import Ledger
from read_api.catalog import Catalog
from read_api.changes import Changes
from read_api.cursor import CursorSigner
from read_api.engine import Engine
from read_api.reader import Reader
from read_api.snapshots import Snapshots

EXTENSION = "headgate_read_api"


@dataclass(frozen=True)
class Services:
    """The parts of the read API. `keys` returns the current keys."""

    settings: ReadApi
    keys: Callable[[], KeyRing]
    catalog: Catalog
    ledger: Ledger
    snapshots: Snapshots
    engine: Engine
    reader: Reader
    changes: Changes
    signer: CursorSigner
    metrics: Metrics


def services() -> Services:
    """Returns the parts of the application that serves this request."""
    parts: Services = current_app.extensions[EXTENSION]
    return parts


def client_scopes() -> Scopes:
    """Returns the scopes of the request's key. Raises Problem 401."""
    key = services().keys().authenticate(request.headers.get("Authorization"))
    note(client=key.client, key=key.id)
    return scopes_from(key.scopes)
