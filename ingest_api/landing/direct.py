"""Landing without HTTP, for a process that can write the lake: `headgate upload --direct`."""

from io import BytesIO
from pathlib import Path

from headgate.contracts.contract import Contract
from headgate.contracts.environment import Environment
from headgate.errors import UploadRefused
from headgate.http.problems import Problem
from ingest_api.headers import idempotency_key
from ingest_api.landing.body import Body
from ingest_api.landing.land import Landing, land
from ingest_api.storage import open_storage


def land_bytes(
    environment: Environment, contract: Contract, store: str, key: str, content: bytes, compressed: bool
) -> Landing:
    """Lands `content` in the environment's lake for `store`, by the rules of the receiver.

    Raises UploadRefused where the receiver would refuse it, StorageError where the lake fails.
    """
    _check_compression(contract, compressed)
    return land(open_storage(environment), contract, store, _checked(key), Body(BytesIO(content)))


def land_file(
    environment: Environment, contract: Contract, store: str, key: str, file: Path, compressed: bool
) -> Landing:
    """Lands a file of any size, as `land_bytes` does. Raises UploadRefused where it cannot be read, StorageError."""
    _check_compression(contract, compressed)
    try:
        with file.open("rb") as content:
            return land(open_storage(environment), contract, store, _checked(key), Body(content))
    except OSError as error:
        raise UploadRefused(f"cannot be read: {error.strerror}", where=str(file)) from error


def _check_compression(contract: Contract, compressed: bool) -> None:
    compression = "gzip" if compressed else "none"
    if compression not in contract.compressions:
        allowed = " or ".join(contract.compressions)
        raise UploadRefused(f"compression is '{compression}'; '{contract.dataset}' accepts {allowed}")


def _checked(key: str) -> str:
    try:
        return idempotency_key(key)
    except Problem as problem:
        raise UploadRefused(problem.detail, where="idempotency key") from None
