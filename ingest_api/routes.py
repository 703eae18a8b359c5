"""The receiver's routes: HTTP in, HTTP out; what happens between is in land.py."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Response, jsonify, request, url_for

from headgate.contracts.contract import Contract
from headgate.http.problems import Problem
from headgate.lake.landing import parse_upload_id
from ingest_api import headers
from ingest_api.exchange import BODY_SECONDS, body_is_broken, body_is_read, note, time_limit
from ingest_api.landing.body import Body, BodyCut, BodyTooLarge, DigestMismatch
from ingest_api.landing.digest import BadDigest, ContentDigest, parse_digest
from ingest_api.landing.land import Landing, find_receipt, land
from ingest_api.landing.receipts import Receipt
from ingest_api.services import services

routes = Blueprint("receiver", __name__)


@routes.post("/v1/datasets/<dataset>/uploads")
def create_upload(dataset: str) -> Response:
    """Lands the body; 201 with its receipt once it is durable."""
    parts = services()
    store = _store()
    contract = _contract(dataset)
    key = headers.idempotency_key(request.headers.get("Idempotency-Key"))
    headers.check_media_type(request.headers.get("Content-Type"), contract)
    headers.check_compression(request.headers.get("Content-Encoding"), contract)
    with _body(parts.limit) as body:
        landing = land(parts.storage, contract, store, key, body, parts.clock)
    return _created(landing)


@routes.get("/v1/uploads/<upload_id>")
def show_upload(upload_id: str) -> Response:
    """The receipt of one of the store's own uploads."""
    parts = services()
    store = _store()
    upload = parse_upload_id(upload_id)
    contract = parts.contracts.get(upload.dataset) if upload and upload.store == store else None
    receipt = find_receipt(parts.storage, contract, upload_id, parts.clock) if contract else None
    if receipt is None:
        raise Problem(404, "unknown-upload", "this store has no such upload")
    note(upload=receipt.upload, bytes=receipt.bytes)
    return _json(receipt, 200)


@routes.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="live")


@routes.get("/readyz")
def readyz() -> Response:
    """The lake can be written and listed."""
    services().readiness.check()
    return jsonify(status="ready")


def _store() -> str:
    store = services().credentials.store_of(request.headers.get("Authorization"))
    note(store=store)
    return store


def _contract(dataset: str) -> Contract:
    contracts = services().contracts
    if dataset not in contracts:
        known = sorted(contracts)
        raise Problem(404, "unknown-dataset", f"no such dataset; known: {', '.join(known)}", datasets=known)
    note(dataset=dataset)
    return contracts[dataset]


@contextmanager
def _body(limit: int) -> Iterator[Body]:
    """The request body, to be read within. Raises Problem 413 above `limit` bytes, 408 where it is cut, 400 where it
    is not what its Content-Digest says."""
    declared = request.content_length
    if declared is not None and declared > limit:
        raise _too_large(limit)
    body = Body(request.stream, limit, declared, _expected_digest())
    try:
        with time_limit(BODY_SECONDS):
            yield body
    except BodyTooLarge:
        raise _too_large(limit) from None
    except DigestMismatch as error:
        body_is_read()
        raise Problem(400, "digest-mismatch", f"the body's {error} is not what Content-Digest says") from None
    except BodyCut:
        body_is_broken()
        raise Problem(408, "incomplete-body", "the body ended early, or came too slowly; send it again") from None
    finally:
        if body.ended:
            body_is_read()
            note(bytes=body.size)


def _expected_digest() -> ContentDigest | None:
    try:
        return parse_digest(request.headers.get("Content-Digest"))
    except BadDigest as error:
        raise Problem(400, "content-digest", f"Content-Digest cannot be read: {error}") from None


def _too_large(limit: int) -> Problem:
    return Problem(413, "too-large", f"an upload has at most {limit} bytes; send it in parts", limit=limit)


def _created(landing: Landing) -> Response:
    note(upload=landing.receipt.upload, replayed=landing.replayed)
    response = _json(landing.receipt, 201)
    response.headers["Location"] = url_for("receiver.show_upload", upload_id=landing.receipt.upload)
    if landing.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _json(receipt: Receipt, status: int) -> Response:
    return Response(receipt.as_json(), status, content_type="application/json")
