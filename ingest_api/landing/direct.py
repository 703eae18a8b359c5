"""Landing without HTTP, for a process that can write the lake: `headgate upload --direct`."""

from io import BytesIO

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
    compression = "gzip" if compressed else "none"
    if compression not in contract.compressions:
        allowed = " or ".join(contract.compressions)
        raise UploadRefused(f"compression is '{compression}'; '{contract.dataset}' accepts {allowed}")
    return land(open_storage(environment), contract, store, _checked(key), Body(BytesIO(content)))


def _checked(key: str) -> str:
    try:
        return idempotency_key(key)
    except Problem as problem:
        raise UploadRefused(problem.detail, where="idempotency key") from None
