"""Uploads straight to S3: the receiver checks and signs one PUT, and its bytes never pass through the receiver.

POST to the dataset's `presigned` with the headers of an upload, `Upload-Length` and `Repr-Digest`; PUT the body to the
address in the answer; GET the upload for the receipt. Only the receipt is the acknowledgement: it also marks an upload
that became durable long after its hour, so that bronze lists it.
"""

from datetime import timedelta

from flask import Blueprint, Response, jsonify, request, url_for

from headgate.http.access import note
from headgate.http.problems import Problem
from headgate.views.known_bytes import advice
from ingest_api import headers
from ingest_api.landing.land import find_same, identify, mark_late
from ingest_api.landing.receipts import receipt_of
from ingest_api.routes import announced_upload
from ingest_api.services import services
from ingest_api.storage import S3Storage
from ingest_api.storage.presigned import EXPIRES, LONGEST, presign

presigned = Blueprint("presigned", __name__)


@presigned.post("/v1/datasets/<dataset>/presigned")
def sign(dataset: str) -> Response:
    """The PUT to send. Where these bytes have landed already: the receipt, their state, and advice instead."""
    parts = services()
    sender, contract, key = announced_upload(dataset)
    size, sha256 = _declared()
    storage = parts.storage_of(sender)
    if not isinstance(storage, S3Storage):
        raise Problem(501, "no-presigned-uploads", "this receiver's lake is a folder; send the body to the receiver")
    parts.stores.take(sender)
    upload, path = identify(storage, contract, sender.store, key, parts.clock)
    note(upload=upload.id, bytes=size)
    stored = find_same(storage, upload, path, size, sha256)
    if stored is not None:
        mark_late(storage, upload, path, parts.clock)
        receipt = receipt_of(upload, size, sha256, stored.received)
        shown = {"state": "landed"} if sender.sandbox else parts.progress.of(upload)
        known = {"state": shown["state"], "advice": advice(shown), "quarantined": shown.get("quarantined")}
        return jsonify({"upload": upload.id, **known, "receipt": receipt.as_dict()})
    put = presign(storage.multipart, path, size, sha256)
    expires = (parts.clock() + timedelta(seconds=EXPIRES)).isoformat(timespec="seconds").replace("+00:00", "Z")
    answer = {"upload": upload.id, "state": "waiting", "method": "PUT", "url": put.url, "headers": put.headers}
    receipt_at = url_for("receiver.show_upload", upload_id=upload.id)
    return jsonify({**answer, "expires": expires, "receipt_at": receipt_at})


def _declared() -> tuple[int, str]:
    """The length and the SHA-256 in hex of the body that will be sent. Raises Problem 400 or 413."""
    size = headers.integer("Upload-Length", request.headers.get("Upload-Length"))
    sha256 = headers.whole_digest(request.headers.get("Repr-Digest"))
    if size is None or sha256 is None:
        raise Problem(400, "parameter", "Upload-Length and Repr-Digest (sha-256) are required: S3 checks them")
    if size > LONGEST:
        raise Problem(413, "too-large", f"one PUT to S3 has at most {LONGEST} bytes", limit=LONGEST)
    return size, sha256
