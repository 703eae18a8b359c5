"""Opens the storage of an environment's lake."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import ObjectStore, S3Store

from headgate.contracts.environment import Environment
from ingest_api.storage.base import Storage
from ingest_api.storage.folder import FolderStorage
from ingest_api.storage.s3 import S3Storage

if TYPE_CHECKING:  # types that exist in obstore's stubs only
    from obstore.store import ClientConfig, RetryConfig

_CONNECT, _REQUEST, _RETRIES = timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=15)
_IDLE = timedelta(seconds=15)


def open_storage(environment: Environment, store: ObjectStore | None = None) -> Storage:
    """The storage of the environment's lake; `store` replaces the environment's own. Raises StorageError."""
    objects = impatient(store or environment.object_store())
    if isinstance(objects, S3Store):
        return S3Storage(objects)
    return FolderStorage(objects, Path(environment.folder))


def impatient(store: ObjectStore) -> ObjectStore:
    """`store` with time limits of seconds: a sender waits for the answer, and sends again by itself.

    obstore's own limit is minutes, in which an outage of S3 would take every thread of the receiver.
    """
    if not isinstance(store, S3Store):
        return store
    options: ClientConfig = {
        "timeout": _REQUEST,
        "connect_timeout": _CONNECT,
        "pool_idle_timeout": _IDLE,
        **(store.client_options or {}),
    }
    retries: RetryConfig = {"max_retries": 3, "retry_timeout": _RETRIES}
    return S3Store(config=store.config, prefix=store.prefix, client_options=options, retry_config=retries)
