"""The routes of uploads: only HTTP; the work is in `landing`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Response, g, jsonify, request, url_for

from headgate.contracts.contract import Contract
from headgate.http.access import note
from headgate.http.problems import Problem
from headgate.lake.upload_identity import parse_upload_id
from ingest_api import headers
from ingest_api.exchange import BODY_SECONDS, body_is_broken, body_is_read, time_limit
from ingest_api.landing.body import SMALL_BYTES, Body, BodyCut, BodyTooLarge, DigestMismatch
from ingest_api.landing.land import Landing, find_landing, land
from ingest_api.landing.listing import list_uploads
from ingest_api.services import services
from ingest_api.stores import Sender

routes = Blueprint("receiver", __name__)


@routes.post("/v1/datasets/<dataset>/uploads")
def create_upload(dataset: str) -> Response:
    """Lands the body; 201 with its receipt once it is durable."""
    parts = services()
    sender, contract, key = announced_upload(dataset)
    parts.stores.take(sender)
    parts.limits.check_queue()
    if "Upload-Complete" in request.headers:
        from ingest_api.resumable_routes import begin

        return begin(contract, sender, key)
    with reading_body(parts.limit) as body:
        landing = land(parts.storage_of(sender), contract, sender.store, key, body, parts.clock)
    return created(landing)


@routes.get("/v1/uploads/<upload_id>")
def show_upload(upload_id: str) -> Response:
    """The receipt and the state of an upload of the store."""
    parts = services()
    sender = authenticate()
    contract = own_contract(upload_id, sender)
    landing = find_landing(parts.storage_of(sender), contract, upload_id, parts.clock)
    upload = parse_upload_id(upload_id)
    if landing is None or upload is None:
        raise unknown_upload()
    receipt = landing.receipt
    note(upload=receipt.upload, bytes=receipt.bytes)
    progress = {"state": "landed", "sandbox": True} if sender.sandbox else parts.progress.of(upload)
    return jsonify({**receipt.as_dict(), **progress})


@routes.get("/v1/uploads")
def show_uploads() -> Response:
    """A page of the store's own uploads, newest hour last."""
    parts = services()
    sender = authenticate()
    page = list_uploads(parts.storage_of(sender), sender.store, sorted(parts.contracts), parts.progress, request.args)
    return jsonify(page)


@routes.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="live")


@routes.get("/readyz")
def readyz() -> Response:
    """The lake can be written and listed."""
    services().readiness.check()
    return jsonify(status="ready")


@routes.get("/metrics")
def metrics() -> Response:
    """Prometheus' metrics of all workers."""
    content, media_type = services().metrics.metrics.render()
    return Response(content, content_type=media_type)


def authenticate() -> Sender:
    """The store that sends this request. Raises Problem 401."""
    sender = services().stores.authenticate(request.headers.get("Authorization"))
    note(store=sender.store, key=sender.key)
    return sender


def announced_upload(dataset: str) -> tuple[Sender, Contract, str]:
    """The store, the contract and the idempotency key of an upload. Raises Problem where its headers do not fit."""
    sender = authenticate()
    contract = contract_of(dataset, sender)
    key = headers.idempotency_key(request.headers.get("Idempotency-Key"))
    headers.check_media_type(request.headers.get("Content-Type"), contract)
    headers.check_compression(request.headers.get("Content-Encoding"), contract)
    return sender, contract, key


def contract_of(dataset: str, sender: Sender) -> Contract:
    """The contract of a dataset. Raises Problem 404 or 403."""
    contracts = services().contracts
    if dataset not in contracts:
        known = sorted(contracts)
        raise Problem(404, "unknown-dataset", f"no such dataset; known: {', '.join(known)}", datasets=known)
    sender.require(dataset)
    note(dataset=dataset)
    g.dataset, g.began_upload = dataset, time.perf_counter()
    return contracts[dataset]


def own_contract(upload_id: str, sender: Sender) -> Contract:
    """The contract of an upload of this store. Raises Problem 404 for any other."""
    upload = parse_upload_id(upload_id)
    contract = services().contracts.get(upload.dataset) if upload and upload.store == sender.store else None
    if contract is None:
        raise unknown_upload()
    return contract


def unknown_upload() -> Problem:
    return Problem(404, "unknown-upload", "this store has no such upload")


@contextmanager
def reading_body(limit: int) -> Iterator[Body]:
    """The request's body, to be read within the block.

    Raises Problem 413 above `limit` bytes, 408 for a truncated body, 400 if it does not match its Content-Digest,
    503 while too many long bodies are being received.
    """
    declared = request.content_length
    if declared is not None and declared > limit:
        raise _too_large(limit)
    body = Body(request.stream, limit, declared, headers.content_digest(request.headers.get("Content-Digest")))
    try:
        with time_limit(BODY_SECONDS), _place(declared):
            yield body
    except BodyTooLarge:
        raise _too_large(limit) from None
    except DigestMismatch as error:
        raise Problem(400, "digest-mismatch", f"the body's {error} does not match Content-Digest") from None
    except BodyCut:
        body_is_broken()
        raise Problem(408, "incomplete-body", "the body ended early, or came too slowly; send it again") from None
    finally:
        if body.ended:
            body_is_read()
            note(bytes=body.size)


@contextmanager
def _place(declared: int | None) -> Iterator[None]:
    """Holds one of the places for long bodies where the body may be one."""
    if declared is not None and declared <= SMALL_BYTES:
        yield
        return
    with services().limits.long_upload():
        yield


def _too_large(limit: int) -> Problem:
    return Problem(413, "too-large", f"an upload has at most {limit} bytes; send it in parts", limit=limit)


def created(landing: Landing) -> Response:
    """201 with the receipt."""
    receipt = landing.receipt
    note(upload=receipt.upload, replayed=landing.replayed)
    seconds = time.perf_counter() - g.began_upload
    services().metrics.landed(receipt.dataset, landing.replayed, receipt.bytes, seconds)
    response = Response(receipt.as_json(), 201, content_type="application/json")
    response.headers["Location"] = url_for("receiver.show_upload", upload_id=receipt.upload)
    if landing.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response
