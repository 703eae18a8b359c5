"""The receipt: the receiver's response for an upload that is durable in landing."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from headgate.lake.upload_identity import Upload


@dataclass(frozen=True)
class Receipt:
    """One landed upload. `bytes` and `sha256` are of the object as it was sent, compressed or not.

    Every field follows from the upload's identity and the object with its metadata, so that the receipt of a replay is
    equal to the first receipt, byte for byte.
    """

    upload: str
    dataset: str
    store: str
    bytes: int
    sha256: str
    received: str
    status: str = "landed"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_json(self) -> str:
        return json.dumps(self.__dict__)


def receipt_of(upload: Upload, size: int, sha256: str, received: datetime) -> Receipt:
    """The receipt; `received` is shown in whole seconds UTC."""
    moment = f"{received.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Receipt(upload.id, upload.dataset, upload.store, size, sha256, moment)
